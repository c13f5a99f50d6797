"""The canton of a postal code: places known from the map, borders of cantons, texts that are no Swiss code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policy import CANTONS
from domain.postal_codes import canton_of_postal_code


@pytest.mark.parametrize(
    ("code", "canton"),
    [
        ("1003", "VD"),
        ("1204", "GE"),
        ("1700", "FR"),
        ("1950", "VS"),
        ("2000", "NE"),
        ("2300", "NE"),
        ("2502", "BE"),
        ("2540", "SO"),
        ("2740", "JU"),  # Moutier, since 2026
        ("2800", "JU"),
        ("3000", "BE"),
        ("3186", "FR"),
        ("3900", "VS"),
        ("4001", "BS"),
        ("4125", "BS"),
        ("4410", "BL"),
        ("4500", "SO"),
        ("5000", "AG"),
        ("6003", "LU"),
        ("6060", "OW"),
        ("6300", "ZG"),
        ("6370", "NW"),
        ("6390", "OW"),
        ("6430", "SZ"),
        ("6460", "UR"),
        ("6900", "TI"),
        ("7000", "GR"),
        ("8001", "ZH"),
        ("8200", "SH"),
        ("8500", "TG"),
        ("8606", "ZH"),
        ("8640", "SG"),
        ("8750", "GL"),
        ("8808", "SZ"),
        ("9000", "SG"),
        ("9050", "AI"),
        ("9100", "AR"),
    ],
)
def test_the_canton_of_a_place(code: str, canton: str) -> None:
    assert canton_of_postal_code(code) == canton


@pytest.mark.parametrize(
    ("code", "canton"),
    [
        ("1290", "GE"),  # Versoix; Chavannes-des-Bois is in Vaud
        ("1595", "VD"),  # Faoug; Clavaleyres is in Fribourg
        ("4564", "SO"),  # Obergerlafingen; Zielebach is in Bern
        ("6452", "UR"),  # Sisikon; Riemenstalden is in Schwyz
        ("8212", "SH"),  # Neuhausen; Nohl is in Zurich
        ("8866", "GL"),  # Ziegelbrücke
        ("9442", "SG"),  # Berneck; Büriswilen is in Appenzell
    ],
)
def test_the_main_place_decides_where_a_code_covers_two_cantons(code: str, canton: str) -> None:
    assert canton_of_postal_code(code) == canton


@pytest.mark.parametrize("text", ["CH-8001", "ch-8001", "CH 8001", "CH8001", " 8001 "])
def test_other_ways_to_write_a_code(text: str) -> None:
    assert canton_of_postal_code(text) == "ZH"


@pytest.mark.parametrize(
    "text",
    [
        "9490",  # Vaduz
        "9498",
        "8238",  # Büsingen
        "6911",  # Campione
        "0000",
        "9999",
        "",
        "801",
        "80011",
        "8001 Zürich",
        "FL-9490",
        "D-78266",
        "78266",
        "\N{ARABIC-INDIC DIGIT EIGHT}001",
        "8OO1",
    ],
)
def test_what_has_no_canton(text: str) -> None:
    assert canton_of_postal_code(text) is None


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert canton_of_postal_code(text) in {None, *CANTONS}


def test_every_canton_has_codes() -> None:
    found = {canton_of_postal_code(str(number)) for number in range(1000, 10000)}
    assert found - {None} == set(CANTONS)
