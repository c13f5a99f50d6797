"""The JSON files that operations hand in: an unknown field is refused by its name, at any depth."""

import json
from pathlib import Path

import pytest

from domain.orders.placement import Placement
from records.partners import Partner
from tests.support.builders import placement
from use_cases.input_files import UnusableFile, read_items


def write(path: Path, *items: object) -> Path:
    """A file with these items."""
    path.write_text(json.dumps(items))
    return path


def test_orders(tmp_path: Path) -> None:
    order = placement().model_dump(mode="json")
    good = write(tmp_path / "orders.json", order)
    assert read_items(good, Placement) == [placement()]
    nested = {**order, "customer": {**order["customer"], "birthday": "1970-01-01"}}
    for wrong, field in (({**order, "notes": "x"}, "notes"), (nested, "customer.birthday")):
        with pytest.raises(UnusableFile, match=rf"wrong\.json: item 2: {field}: Extra inputs"):
            read_items(write(tmp_path / "wrong.json", order, wrong), Placement)


def test_partners(tmp_path: Path) -> None:
    example = next((Path(__file__).parents[2] / "examples" / "partners").glob("*.json"))
    partners = read_items(example, Partner)
    wrong = {**partners[0].model_dump(mode="json"), "ibann": "x"}
    with pytest.raises(UnusableFile, match="item 1: ibann: Extra inputs"):
        read_items(write(tmp_path / "wrong.json", wrong), Partner)
