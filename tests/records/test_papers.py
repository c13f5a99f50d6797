"""Papers are kept as they first came."""

import asyncio
import hashlib

from records.database import Database
from records.papers import Paper, Papers, draft_id, invoice_id, statement_csv_id, statement_id
from tests.builders import MONDAY

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


def test_the_ids_tell_papers_apart() -> None:
    ids = [statement_id(ID), statement_csv_id(ID), draft_id(ID, "a" * 64), invoice_id(ID, "a" * 64)]
    assert len(set(ids)) == 4


def test_a_large_paper_is_not_shown_by_its_repr() -> None:
    assert "secret" not in repr(paper(b"secret", inputs="secret"))
