"""Telephone numbers as a telephone dials them."""

import pytest

from words.telephone import dialled


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+41 44 555 01 02", "+41445550102"),
        ("044 555 01 02", "0445550102"),
        (" +41 (0)44/555.01-02 ", "+41445550102"),
        ("", ""),
        ("abends", ""),
        ("044 555 01 02 oder 079 555 01 02", ""),
        ("–", ""),
        ("(((((((", ""),
        ("javascript:alert(1)", ""),
        ("+41 44\n555 01 02", ""),
    ],
)
def test_a_number_is_dialled_if_it_is_one(text: str, number: str) -> None:
    assert dialled(text) == number
