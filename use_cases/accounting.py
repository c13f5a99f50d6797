"""The use cases of accounting: invoices that wait for it; sums, lines, decisions and all papers of a month."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from domain.months import Month
from domain.settlements.account import SettlementAccount
from domain.settlements.lines import CorrectionLine, Line
from domain.settlements.settlement import Settlement, SettlementStatus, Statement
from domain.spreadsheet import csv_file, csv_head, csv_rows
from records.accounting import AccountingRecords, BookedSum, Decision, Waiting
from records.database import Database
from records.journal import JournalRecords
from records.papers import Papers, statement_csv_id
from records.settlements import StoredSettlement
from use_cases import access
from use_cases.journal import Journal
from use_cases.principal import Principal
from use_cases.security_events import note
from use_cases.zip_files import Entry, zip_file

LINES = (
    "month",
    "settlement_id",
    "partner_id",
    "partner_name",
    "state",
    "kind",
    "sp_id",
    "sales_order_id",
    "executed_on",
    "service",
    "customer_place",
    "reason",
    "net",
    "vat_rate",
)
"""The columns of a month's lines (docs/contract.md)."""
DECISIONS = (
    "at",
    "by",
    "decision",
    "settlement_id",
    "partner_id",
    "partner_name",
    "total",
)
"""The columns of the decisions (docs/contract.md)."""


class Accounting:
    """Reads for accounting. Days are those of the journal's time zone; `clock` gives the instant."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        timezone: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = AccountingRecords(database)
        self._booked = JournalRecords(database)
        self._papers = Papers(database)
        self._journal = journal
        self._zone = ZoneInfo(timezone)
        self._clock = clock

    async def waiting(self, principal: Principal, limit: int) -> Waiting:
        """The held and the overdue invoices (`AccountingRecords.waiting`). Raises `Forbidden`."""
        access.check(principal, "read_journal")
        return await self._records.waiting(self._clock(), limit)

    async def sums(self, principal: Principal, *months: Month) -> tuple[BookedSum, ...]:
        """The sums of the settlements of these months (`AccountingRecords.sums`). Raises `Forbidden`."""
        access.check(principal, "read_journal")
        return await self._records.sums(months)

    async def decisions(self, principal: Principal, month: Month) -> tuple[Decision, ...]:
        """Who decided what about the settlements of a month, and when. Raises `Forbidden`."""
        access.check(principal, "read_journal")
        return await self._records.decisions(month)

    def lines(self, principal: Principal, month: Month) -> AsyncIterator[bytes]:
        """The lines and corrections of a month's settlements as CSV, in parts.

        Settlements without a statement and void ones are left out, as in the journal. Raises `Forbidden`.
        """
        access.check(principal, "read_journal")
        note("export", "succeeded", principal.login_id, "lines")
        return self._lines(month)

    def papers(self, principal: Principal, month: Month) -> AsyncIterator[bytes]:
        """All papers of a month as a ZIP file, in parts: statements, their lines, invoices, and the month's tables.

        Each settlement has a folder; those of void settlements are in the folder `void`. `missing.txt` lists papers
        that should be there and are not. Raises `Forbidden`.
        """
        access.check(principal, "read_journal")
        note("export", "succeeded", principal.login_id, "papers")
        return zip_file(self._entries(principal, month))

    async def _lines(self, month: Month) -> AsyncIterator[bytes]:
        head = csv_head(LINES)
        async for stored in self._booked.settlements(month):
            yield head + csv_rows(LINES, lines_of(stored), numbers=("net", "vat_rate"))
            head = b""
        if head:
            yield head

    async def _entries(self, principal: Principal, month: Month) -> AsyncIterator[Entry]:
        now = self._clock().astimezone(self._zone)
        missing: list[str] = []
        for settlement_id in await self._records.with_statement(month):
            settlement = await self._records.settlement(settlement_id)
            if settlement is None or settlement.statement is None:
                continue
            for name, paper_id in _papers_of(settlement, settlement.statement):
                paper = await self._papers.get(paper_id)
                if paper is None:
                    missing.append(name)
                else:
                    at = paper.created_at.astimezone(self._zone)
                    yield Entry(name, paper.content, at, is_compressed=name.endswith(".pdf"))
        yield Entry(f"journal-{month}.csv", await self._journal.month(principal, month), now)
        lines = b"".join([part async for part in self._lines(month)])
        yield Entry(f"lines-{month}.csv", lines, now)
        decided = csv_file(
            DECISIONS,
            (self._row(each) for each in await self._records.decisions(month)),
            numbers=("total",),
        )
        yield Entry(f"decisions-{month}.csv", decided, now)
        if missing:
            yield Entry("missing.txt", "".join(f"{name}\r\n" for name in missing).encode(), now)

    def _row(self, decision: Decision) -> dict[str, str]:
        recorded = decision.recorded
        return {
            "at": recorded.at.astimezone(self._zone).isoformat(timespec="seconds"),
            "by": recorded.author,
            "decision": recorded.event.type,
            "settlement_id": decision.settlement_id,
            "partner_id": decision.partner_id,
            "partner_name": decision.partner_name,
            "total": str(decision.total),
        }


def _papers_of(settlement: Settlement, statement: Statement) -> Iterator[tuple[str, str]]:
    """The name in the ZIP file and the id of each paper that the settlement should have."""
    of = settlement.settlement_id
    folder = f"void/{of}" if settlement.status is SettlementStatus.VOID else of
    yield f"{folder}/{of}-statement.pdf", statement.paper_id
    yield f"{folder}/{of}-statement.csv", statement_csv_id(of)
    invoice = settlement.held.paper_id if settlement.held else settlement.invoice_paper_id
    if invoice is not None:
        yield f"{folder}/{of}-invoice.pdf", invoice
    for number, returned in enumerate(settlement.returned_papers, 1):
        if returned != invoice:
            yield f"{folder}/{of}-returned-{number}.pdf", returned


def lines_of(stored: StoredSettlement) -> Iterator[dict[str, str]]:
    """A row of `LINES` for each line and correction of a settlement."""
    settlement, account = stored.settlement, stored.account
    about = {
        "month": str(settlement.opening.month),
        "settlement_id": settlement.settlement_id,
        "partner_id": settlement.opening.partner.partner_id,
        "partner_name": settlement.opening.partner.name,
        "state": settlement.status.value,
    }
    for line in account.all_lines:
        yield about | _line(account, line)


def _line(account: SettlementAccount, line: Line | CorrectionLine) -> dict[str, str]:
    percent = account.percent(line)
    row = {
        "sp_id": line.sp_id,
        "executed_on": line.executed_on.isoformat() if line.executed_on else "",
        "vat_rate": "" if percent is None else str(percent),
    }
    match line:
        case Line():
            return row | {
                "kind": "order",
                "sales_order_id": line.sales_order_id,
                "service": line.service,
                "customer_place": line.customer_place,
                "reason": "",
                "net": str(line.fee),
            }
        case CorrectionLine():
            return row | {
                "kind": "correction",
                "sales_order_id": "",
                "service": "",
                "customer_place": "",
                "reason": line.reason,
                "net": str(line.amount),
            }
