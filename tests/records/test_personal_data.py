"""The declaration of personal data is complete, and the page of the docs agrees with the code."""

import re
from pathlib import Path

import pytest

from domain.retention import RULES
from records.personal_data import FILES, TABLES
from records.tables import metadata

PAGE = Path(__file__).parents[2] / "docs" / "data-protection.md"


def test_each_column_of_each_table_is_declared_once() -> None:
    assert set(TABLES) == set(metadata.tables)
    for name, table in metadata.tables.items():
        declared = TABLES[name]
        assert declared.columns == {column.name for column in table.columns}, name
        listed = " ".join((declared.other, *declared.personal.values())).split()
        assert len(listed) == len(set(listed)), f"{name}: a column is declared twice"


def test_a_customer_s_data_have_an_erasure_and_an_end() -> None:
    for name, declared in (*TABLES.items(), *((each.pattern, each) for each in FILES)):
        whose = declared.personal if hasattr(declared, "personal") else declared.whose
        assert ("customer" in whose) == (declared.erased is not None), name
        if whose:
            assert declared.until != "none", name
        if "customer" in whose:
            assert declared.until in RULES, name


def test_the_page_has_the_rules_of_the_code() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) [^|]*\|", PAGE.read_text(), re.MULTILINE))
    assert {kind: int(days) for kind, days in rows.items()} == {
        kind: rule.days for kind, rule in RULES.items()
    }


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_page_names_each_table_with_personal_data(name: str) -> None:
    text = PAGE.read_text()
    if TABLES[name].personal:
        assert f"`{name}`" in text
