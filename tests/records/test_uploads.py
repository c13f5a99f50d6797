"""Uploads within a quota, also of many at once; refused ones lose their bytes and keep hash and verdict."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert

from domain.settlements.uploads import WINDOW, Quota
from records.database import Database
from records.papers import Limit, Paper, Papers, TooManyPapers, invoice_id
from records.tables import partners, settlement_documents, settlements
from records.uploads import OverQuota, Uploads
from tests.support.builders import MONDAY

ONE, TWO, OTHER = "V202610-7KQ4MXBP", "V202609-7KQ4MXBP", "V202610-Q93Q3BS6"
MOST, QUOTA = Limit(files=20, size=60 << 20), Quota()


@pytest.fixture
async def uploads(database: Database) -> Uploads:
    """Two issued settlements of one partner, and one of another."""
    async with database.writing() as connection:
        for partner_id in ("huber", "meier"):
            row = dict.fromkeys((c.name for c in partners.c if not c.nullable), "x")
            row |= {"partner_id": partner_id, "created_at": MONDAY, "changed_at": MONDAY}
            await connection.execute(insert(partners).values(row))
        for number, partner_id in ((ONE, "huber"), (TWO, "huber"), (OTHER, "meier")):
            await connection.execute(
                insert(settlements).values(
                    settlement_id=number, version=1, partner_id=partner_id, partner_name="x",
                    month=f"{number[1:5]}-{number[5:7]}", status="issued", orders=1, net=1, vat=0,
                    total=1, opened_at=MONDAY, search="x",
                )
            )  # fmt: skip
            await connection.execute(
                insert(settlement_documents).values(settlement_id=number, document="{}")
            )
    return Uploads(database)


def paper(content: bytes, at: datetime = MONDAY, settlement_id: str = ONE) -> Paper:
    """An uploaded invoice."""
    made = Paper.of(
        content,
        paper_id="",
        settlement_id=settlement_id,
        kind="invoice",
        name="r.pdf",
        created_at=at,
    )
    return made.model_copy(update={"paper_id": invoice_id(settlement_id, made.sha256)})


async def over(uploads: Uploads, each: Paper, quota: Quota, partner_id: str = "huber") -> str:
    """Which limit it exceeds; empty if it is kept."""
    try:
        await uploads.keep(each, partner_id, MOST, quota)
    except OverQuota as error:
        return error.excess.kind
    return ""


async def test_a_partner_has_one_quota_over_all_its_settlements(uploads: Uploads) -> None:
    two = QUOTA._replace(files=2)
    assert await over(uploads, paper(b"a"), two) == ""
    assert await over(uploads, paper(b"a", settlement_id=TWO), two) == ""
    assert await over(uploads, paper(b"b"), two) == "files"
    assert await over(uploads, paper(b"a"), two) == "", "it is kept already"
    assert await over(uploads, paper(b"b", settlement_id=OTHER), two, "meier") == ""
    assert await over(uploads, paper(b"b", MONDAY + WINDOW), two) == ""
    assert [each.size for each in await uploads.of(ONE)] == [1, 1]


async def test_of_many_at_once_those_that_fit_are_kept(uploads: Uploads) -> None:
    quota = QUOTA._replace(files=3)
    found = await asyncio.gather(
        *(
            over(uploads, paper(b"%d" % n, settlement_id=(ONE, TWO)[n % 2]), quota)
            for n in range(12)
        )
    )
    assert found.count("") == 3
    assert len(await uploads.of(ONE)) + len(await uploads.of(TWO)) == 3


async def test_unfinished_checks_count_until_they_have_a_verdict(
    uploads: Uploads, database: Database
) -> None:
    one = QUOTA._replace(checks=1)
    assert await over(uploads, paper(b"a"), one) == ""
    assert await over(uploads, paper(b"b"), one) == "checks"
    await Papers(database).note_verdict(paper(b"a").paper_id, '{"accepted": false}')
    assert await over(uploads, paper(b"b"), one) == ""
    verdicts = {each.paper_id: each.verdict for each in await uploads.of(ONE)}
    assert verdicts == {
        paper(b"a").paper_id: '{"accepted": false}',
        paper(b"b").paper_id: None,
    }


async def test_the_limit_of_a_settlement_holds_as_well(uploads: Uploads) -> None:
    await uploads.keep(paper(b"a"), "huber", Limit(files=1, size=9), QUOTA)
    with pytest.raises(TooManyPapers):
        await uploads.keep(paper(b"b"), "huber", Limit(files=1, size=9), QUOTA)
    assert len(await uploads.of(ONE)) == 1


async def test_refused_ones_lose_their_bytes_and_nothing_else(
    uploads: Uploads, database: Database
) -> None:
    papers, month = Papers(database), timedelta(days=30)
    refused, accepted, late = paper(b"wrong"), paper(b"right"), paper(b"late", MONDAY + month)
    for each in (refused, accepted, late):
        await uploads.keep(each, "huber", MOST, QUOTA)
    await papers.keep(
        Paper.of(
            b"statement", paper_id="s", settlement_id=ONE, kind="statement", name="s",
            created_at=MONDAY,
        )
    )  # fmt: skip
    await papers.note_verdict(refused.paper_id, '{"accepted": false}')
    async with database.writing() as connection:
        await connection.execute(
            settlement_documents.update()
            .where(settlement_documents.c.settlement_id == ONE)
            .values(document=f'{{"invoice_paper_id":"{accepted.paper_id}"}}')
        )
    now = MONDAY + month + timedelta(hours=1)
    assert await uploads.delete_refused(now - month, now, 100) == 1
    assert await uploads.delete_refused(now - month, now, 100) == 0

    gone = await papers.get(refused.paper_id)
    assert gone is not None
    assert (gone.content, gone.deleted_at) == (b"", now)
    assert (gone.sha256, gone.verdict) == (refused.sha256, '{"accepted": false}')
    for each in (accepted, late):
        kept = await papers.get(each.paper_id)
        assert kept is not None
        assert (kept.content, kept.deleted_at) == (each.content, None)
    statement = await papers.get("s")
    assert statement is not None
    assert statement.content == b"statement"

    # The same file comes again: it is kept again, and can be checked.
    again = paper(b"wrong", now)
    await uploads.keep(again, "huber", MOST, QUOTA)
    kept = await papers.get(again.paper_id)
    assert kept is not None
    assert (kept.content, kept.deleted_at) == (b"wrong", None)
    assert await uploads.delete_refused(now - month, now, 100) == 0
