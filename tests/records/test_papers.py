"""Papers are kept as they first came."""

import asyncio
import hashlib
from decimal import Decimal

from sqlalchemy import insert

from records.database import Database
from records.papers import (
    Limit,
    Paper,
    Papers,
    TooManyPapers,
    draft_id,
    invoice_id,
    statement_csv_id,
    statement_id,
)
from records.tables import settlements
from tests.support.builders import MONDAY

ID = "V202610-7KQ4MXBP"


def paper(content: bytes, paper_id: str = statement_id(ID), **changes: object) -> Paper:
    """A paper of a settlement."""
    values = {
        "paper_id": paper_id,
        "settlement_id": ID,
        "kind": "statement",
        "name": "x.pdf",
        "created_at": MONDAY,
        **changes,
    }
    return Paper.of(content, **values)


async def test_the_first_one_stays(database: Database) -> None:
    papers = Papers(database)
    first = paper(b"%PDF\x00\xff" * 1000, pages=3, inputs='{"a": 1}', template_version="t")
    assert first.sha256 == hashlib.sha256(first.content).hexdigest()
    assert await papers.get(first.paper_id) is None
    assert await papers.keep(first) == first
    assert await papers.keep(paper(b"another")) == first
    assert await papers.get(first.paper_id) == first
    assert await papers.get("x\0") is None


async def test_of_many_at_once_one_is_kept(database: Database) -> None:
    papers = Papers(database)
    kept = await asyncio.gather(*(papers.keep(paper(b"%d" % n)) for n in range(8)))
    assert len({each.sha256 for each in kept}) == 1


async def test_no_more_than_the_limit_is_kept(database: Database) -> None:
    papers, most = Papers(database), Limit(files=3, size=25)
    async with database.writing() as connection:
        await connection.execute(
            insert(settlements).values(
                settlement_id=ID, version=1, partner_id="elektro-huber", partner_name="Huber",
                month="2026-10", status="issued", orders=0, net=Decimal(0), vat=Decimal(0),
                total=Decimal(0), opened_at=MONDAY, search="",
            )
        )  # fmt: skip

    async def upload(content: bytes) -> bool:
        sha256 = hashlib.sha256(content).hexdigest()
        try:
            await papers.keep(paper(content, invoice_id(ID, sha256), kind="invoice"), most)
        except TooManyPapers:
            return False
        return await papers.get(invoice_id(ID, sha256)) is not None

    assert await upload(b"a" * 10)
    assert not await upload(b"b" * 16), "too large together"
    assert await upload(b"c" * 10)
    assert await upload(b"a" * 10), "the same once more is there already"
    at_once = [upload(b"%d" % n) for n in range(6)]
    assert sum(await asyncio.gather(*at_once)) == 1
    # Other kinds and other settlements do not count.
    await papers.keep(paper(b"s" * 100))
    await papers.keep(paper(b"o" * 20, "invoice-2", kind="invoice", settlement_id="V2"), most)
    assert not await upload(b"d")


def test_the_ids_tell_papers_apart() -> None:
    ids = [statement_id(ID), statement_csv_id(ID), draft_id(ID, "a" * 64), invoice_id(ID, "a" * 64)]
    assert len(set(ids)) == 4


def test_a_large_paper_is_not_shown_by_its_repr() -> None:
    assert "secret" not in repr(paper(b"secret", inputs="secret"))
