"""Files that operations give to `starter.py`: a field that is not known is named, at whatever depth."""

import json
from pathlib import Path

import pytest

from domain.orders.order import Placement
from records.partners import Partner
from starter import WrongInput, parse
from tests.builders import placement


def write(path: Path, *items: object) -> Path:
    """A file with these items."""
    path.write_text(json.dumps(items))
    return path


def test_orders(tmp_path: Path) -> None:
    order = placement().model_dump(mode="json")
    good = write(tmp_path / "orders.json", order)
    assert parse(good, Placement) == [placement()]
    nested = {**order, "customer": {**order["customer"], "birthday": "1970-01-01"}}
    for wrong, field in (({**order, "notes": "x"}, "notes"), (nested, "customer.birthday")):
        with pytest.raises(WrongInput, match=rf"wrong\.json: item 2: {field}: Extra inputs"):
            parse(write(tmp_path / "wrong.json", order, wrong), Placement)


def test_partners(tmp_path: Path) -> None:
    example = next((Path(__file__).parents[1] / "examples" / "partners").glob("*.json"))
    partners = parse(example, Partner)
    wrong = {**partners[0].model_dump(mode="json"), "ibann": "x"}
    with pytest.raises(WrongInput, match="item 1: ibann: Extra inputs"):
        parse(write(tmp_path / "wrong.json", wrong), Partner)
