"""Invoices that partners upload, within their quota. Their bytes are deleted once nobody needs them."""

from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.settlements.settlement import SettlementStatus
from domain.settlements.uploads import WINDOW, Excess, PastUpload, Quota, excess
from domain.values import Value
from records.database import Database, storable, to_the_end
from records.papers import Limit, Paper, TooManyPapers
from records.tables import papers, partners, settlement_documents, settlements

_INVOICE = papers.c.kind == "invoice"


class OverQuota(Exception):
    """One more upload would exceed a limit of the partner. It was not kept."""

    def __init__(self, excess: Excess) -> None:
        super().__init__(excess.kind)
        self.excess = excess


class KeptInvoice(Value):
    """The data about an invoice, which stay when its file is deleted. `verdict`: as JSON; None if it is not checked."""

    paper_id: str
    name: str
    sha256: str
    size: int
    created_at: datetime
    verdict: str | None
    deleted_at: datetime | None


class Uploads:
    """Uploaded invoices. Those that CMI made for a partner are kept with them, and do not count for its quota."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._insert = insert(papers)

    @to_the_end
    async def keep(self, paper: Paper, partner_id: str, most: Limit, quota: Quota) -> None:
        """Keep an uploaded invoice. The same invoice again within the time of the quota has no effect.

        `most`: the limit of the settlement, `quota`: of the partner. Of simultaneous uploads of a partner, only those
        that fit are kept.

        Raises:
            OverQuota, TooManyPapers: it does not fit.
        """

        def keep(connection: Connection) -> None:
            for row in (
                select(partners.c.partner_id).where(partners.c.partner_id == partner_id),
                select(settlements.c.version).where(
                    settlements.c.settlement_id == paper.settlement_id
                ),
            ):  # always in this order
                connection.execute(row.with_for_update())
            now = paper.created_at
            known = connection.execute(
                select(papers.c.created_at, papers.c.deleted_at).where(
                    papers.c.paper_id == paper.paper_id
                )
            ).one_or_none()
            if known is not None and known.deleted_at is None and known.created_at > now - WINDOW:
                return
            past = _past(connection, partner_id, paper.paper_id, now)
            too_much = excess(quota, past, len(paper.content))
            if too_much is not None:
                raise OverQuota(too_much)
            again = {"content": paper.content, "created_at": now, "deleted_at": None}
            kept = self._insert.values(dict(paper))
            connection.execute(kept.on_conflict_do_update(index_elements=["paper_id"], set_=again))
            of_this = select(func.count(), func.sum(func.length(papers.c.content))).where(
                papers.c.settlement_id == paper.settlement_id, _INVOICE
            )
            files, size = connection.execute(of_this).one()
            if files > most.files or size > most.size:
                raise TooManyPapers  # which rolls everything back

        await self._database.write(keep)

    async def of(self, settlement_id: str) -> tuple[KeptInvoice, ...]:
        """The invoices of a settlement, in the order in which they came."""
        if not storable(settlement_id):
            return ()
        names = [name for name in KeptInvoice.model_fields if name != "size"]
        columns = [papers.c[name] for name in names]
        size = func.length(papers.c.content).label("size")
        found = (
            select(*columns, size)
            .where(papers.c.settlement_id == settlement_id, _INVOICE)
            .order_by(papers.c.created_at, papers.c.paper_id)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        return tuple(KeptInvoice.model_validate(row._asdict()) for row in rows)

    async def delete_refused(self, before: datetime, now: datetime, limit: int) -> int:
        """Delete the bytes of invoices that came before an instant and that accounting does not have. Returns how many.

        Accounting has those that were accepted or held, and those that it returned: the settlement names them. Hash,
        name and verdict stay.
        """
        old = (
            _INVOICE,
            papers.c.deleted_at.is_(None),
            papers.c.created_at < before,
            settlement_documents.c.settlement_id == papers.c.settlement_id,
            ~settlement_documents.c.document.contains(papers.c.paper_id),
        )
        found = select(papers.c.paper_id).where(*old).order_by(papers.c.paper_id).limit(limit)

        def delete(connection: Connection) -> int:
            ids = list(connection.execute(found).scalars())
            # The same file may have been uploaded again meanwhile.
            old_ones = papers.c.paper_id.in_(ids) & (papers.c.created_at < before)
            emptied = update(papers).where(old_ones).values(content=b"", deleted_at=now)
            return connection.execute(emptied).rowcount

        return await self._database.write(delete)


def _past(
    connection: Connection, partner_id: str, but: str, now: datetime
) -> tuple[PastUpload, ...]:
    """The uploads of a partner within the time of the quota, without the paper `but`."""
    is_unchecked = papers.c.verdict.is_(None) & (
        settlements.c.status == SettlementStatus.ISSUED.value
    )
    found = (
        select(papers.c.created_at, func.length(papers.c.content), is_unchecked)
        .join(settlements, settlements.c.settlement_id == papers.c.settlement_id)
        .where(
            settlements.c.partner_id == partner_id,
            _INVOICE,
            papers.c.inputs == "",
            papers.c.created_at > now - WINDOW,
            papers.c.paper_id != but,
        )
    )
    return tuple(
        PastUpload(at, size, bool(unchecked))
        for at, size, unchecked in connection.execute(found).all()
    )
