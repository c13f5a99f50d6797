"""The papers of settlements: statements, drafts and uploaded invoices, byte for byte as they were first stored."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field
from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.values import Value
from records.database import Database, storable, to_the_end
from records.tables import papers, settlements

PaperKind = Literal["statement", "statement_csv", "draft", "invoice"]


class Paper(Value):
    """A file of a settlement.

    `name` is the name of the file. A paper that we made also has the JSON that it shows (`inputs`), its checksum
    (`input_checksum`), and the version of the template that made it (docs/documents.md). `verdict`: the result of an
    invoice's check, as JSON. From `deleted_at` on its content is empty.
    """

    paper_id: str
    settlement_id: str
    kind: PaperKind
    name: str
    content: Annotated[bytes, Field(repr=False)]
    sha256: str
    pages: int | None = None
    template_version: str = ""
    input_checksum: str = ""
    inputs: Annotated[str, Field(repr=False)] = ""
    created_at: datetime
    verdict: Annotated[str | None, Field(repr=False)] = None
    deleted_at: datetime | None = None

    @classmethod
    def of(cls, content: bytes, **about: Any) -> Self:
        """A paper with this content, and its SHA-256."""
        return cls(content=content, sha256=hashlib.sha256(content).hexdigest(), **about)


def statement_id(settlement_id: str) -> str:
    """The id of a settlement's one statement."""
    return f"statement-{settlement_id}"


def statement_csv_id(settlement_id: str) -> str:
    """The id of the statement as CSV."""
    return f"statement-csv-{settlement_id}"


def draft_id(settlement_id: str, input_checksum: str) -> str:
    """The id of a draft invoice: one for each content, since a partner's address can change."""
    return f"draft-{settlement_id}-{input_checksum[:16]}"


def invoice_id(settlement_id: str, sha256: str) -> str:
    """The id of an uploaded invoice. The same file has the same id."""
    return f"invoice-{settlement_id}-{sha256[:16]}"


class Limit(NamedTuple):
    """How many papers of a kind a settlement may have, and how many bytes in total."""

    files: int
    size: int


class TooManyPapers(Exception):
    """One more paper would exceed the limit."""


class Papers:
    """The papers by their id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._keep = insert(papers).on_conflict_do_nothing(index_elements=[papers.c.paper_id])

    @to_the_end
    async def keep(self, paper: Paper, limit: Limit | None = None) -> Paper:
        """Store a paper permanently, unless one with its id is stored. Returns the stored one.

        Raises:
            TooManyPapers: with this one the settlement would exceed the limit of its kind; it is not stored.
        """
        async with self._database.writing() as connection:
            if limit is not None:  # the lock: simultaneous papers are counted one after the other
                mine = select(settlements.c.version).where(
                    settlements.c.settlement_id == paper.settlement_id
                )
                await connection.execute(mine.with_for_update())
            if (await connection.execute(self._keep, dict(paper))).rowcount == 1:
                if limit is not None:
                    kept = select(func.count(), func.sum(func.length(papers.c.content))).where(
                        papers.c.settlement_id == paper.settlement_id, papers.c.kind == paper.kind
                    )
                    files, size = (await connection.execute(kept)).one()
                    if files > limit.files or size > limit.size:
                        raise TooManyPapers  # which rolls the insert back
                return paper
            found = select(papers).where(papers.c.paper_id == paper.paper_id)
            return _paper((await connection.execute(found)).one())

    @to_the_end
    async def note_verdict(self, paper_id: str, verdict: str) -> None:
        """Store the verdict on an invoice. It stays when the file is deleted."""
        noted = update(papers).where(papers.c.paper_id == paper_id).values(verdict=verdict)
        async with self._database.writing() as connection:
            await connection.execute(noted)

    async def get(self, paper_id: str) -> Paper | None:
        """A paper; None if it does not exist."""
        if not storable(paper_id):
            return None
        found = select(papers).where(papers.c.paper_id == paper_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(found)).one_or_none()
        return None if row is None else _paper(row)


def _paper(row: Any) -> Paper:
    return Paper.model_validate(row._asdict())
