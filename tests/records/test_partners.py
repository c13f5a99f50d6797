"""Partners are stored with the fields of docs/contract.md, "Partners, logins and tokens"."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from records.database import Database
from records.partners import Partner, Partners
from records.tables import partners

NOW = datetime(2026, 10, 5, tzinfo=UTC)


def partner(**changes: Any) -> Partner:
    return Partner.model_validate(
        {
            "partner_id": "elektro-huber",
            "name": "Elektro Huber AG",
            "canton": "ZH",
            "language": "de",
            "email": "auftraege@huber.example",
            "phone": "+41 44 555 00 00",
            "street": "Hardstrasse 1",
            "postal_code": "8004",
            "city": "Zürich",
            **changes,
        },
        extra="forbid",  # as the file and the call with which partners come
    )


async def test_put_and_get(database: Database) -> None:
    records = Partners(database)
    assert await records.get("elektro-huber") is None
    assert await records.get("a\0b") is None
    await records.put(partner(), NOW)
    assert await records.get("elektro-huber") == partner()
    changed = partner(
        vat_number="CHE-123.456.789 MWST", iban="CH93 0076 2011 6238 5295 7", canton="LU"
    )
    await records.put(changed, NOW + timedelta(days=1))
    await records.put(partner(partner_id="bianchi", language="it", canton="TI"), NOW)
    assert await records.get("elektro-huber") == changed
    assert [each.partner_id for each in await records.list()] == ["bianchi", "elektro-huber"]
    async with database.reading() as connection:
        row = (
            await connection.execute(
                select(partners).where(partners.c.partner_id == "elektro-huber")
            )
        ).one()
    assert (row.created_at, row.changed_at) == (NOW, NOW + timedelta(days=1))


def test_what_an_order_must_know() -> None:
    known = Partners.assignee(partner())
    assert known.model_dump() == {
        "partner_id": "elektro-huber", "name": "Elektro Huber AG", "canton": "ZH", "language": "de",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("canton", "XX"), ("canton", "zh"), ("language", "rm"), ("email", "huber"), ("email", "a@b\nBcc: c@d"),
        ("escalation_email", "x"), ("partner_id", "a b"), ("name", ""), ("postal_code", "1" * 13), ("colour", "red"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        partner(**{field: value})


async def test_status_and_policy(database: Database) -> None:
    records = Partners(database)
    await records.add(partner(), NOW)
    known = await records.get("elektro-huber")
    assert known is not None
    assert (known.status, known.policy) == ("active", None)
    changed = await records.change("elektro-huber", {"status": "paused", "policy": "own"}, NOW)
    assert changed == partner(status="paused", policy="own") == await records.get("elektro-huber")
    for wrong in ({"status": "gone"}, {"status": None}, {"policy": "a b"}):
        with pytest.raises(ValidationError):
            await records.change("elektro-huber", wrong, NOW)


async def test_a_file_that_does_not_name_them_leaves_status_and_policy(database: Database) -> None:
    records = Partners(database)
    await records.put(partner(status="ended", policy="own"), NOW)
    await records.put(partner(city="Winterthur"), NOW)
    assert await records.get("elektro-huber") == partner(
        city="Winterthur", status="ended", policy="own"
    )
    await records.put(partner(status="active", policy=None), NOW)
    assert await records.get("elektro-huber") == partner()


async def test_lists_by_status(database: Database) -> None:
    records = Partners(database)
    for name, status in (("a-ag", "active"), ("b-ag", "paused"), ("c-ag", "ended")):
        await records.put(partner(partner_id=name, status=status), NOW)
    assert [each.partner_id for each in await records.list("paused")] == ["b-ag"]
    assert [each.partner_id for each in await records.list()] == ["a-ag", "b-ag", "c-ag"]
    found, total = await records.search("huber", 10, status="ended")
    assert ([each.partner_id for each in found], total) == (["c-ag"], 1)
