"""The tables that accounting books from: a month's settlements by VAT rate, and the accruals of a day."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from domain.errors import InvalidCommand
from domain.months import Month
from domain.settlements.account import SettlementAccount
from domain.settlements.lines import NOTHING
from domain.settlements.settlement import Settlement
from domain.spreadsheet import csv_file
from records.database import Database
from records.journal import JournalRecords
from use_cases import access
from use_cases.principal import Principal
from use_cases.security_events import note

JOURNAL = (
    "month",
    "settlement_id",
    "partner_id",
    "partner_name",
    "state",
    "vat_rate",
    "net",
    "vat",
    "gross",
    "invoice_number",
    "invoice_date",
    "issued_on",
    "invoiced_on",
    "approved_on",
    "paid_on",
    "payment_reference",
)
"""The columns of the journal (docs/contract.md)."""
ACCRUALS = (
    "as_of",
    "executed_on",
    "sp_id",
    "sales_order_id",
    "partner_id",
    "partner_name",
    "service",
    "net",
)
"""The columns of the accruals (docs/contract.md)."""
_AMOUNTS = ("net", "vat", "gross", "vat_rate")


class Journal:
    """Makes the tables of accounting. Days are those of `timezone`; `clock` gives the instant."""

    def __init__(
        self,
        database: Database,
        timezone: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = JournalRecords(database)
        self._zone = ZoneInfo(timezone)
        self._clock = clock

    @property
    def today(self) -> date:
        """The local day."""
        return self._clock().astimezone(self._zone).date()

    async def month(self, principal: Principal, month: Month) -> bytes:
        """The journal of a month as CSV: a row for each settlement and VAT rate.

        Settlements without a statement and void ones are left out. Raises `Forbidden`.
        """
        access.check(principal, "read_journal")
        rows: list[dict[str, str]] = []
        async for stored in self._records.settlements(month):
            about = self._about(stored.settlement)
            for percent, net, vat in by_rate(stored.account):
                rows.append(
                    about
                    | {
                        "vat_rate": "" if percent is None else str(percent),
                        "net": str(net),
                        "vat": str(vat),
                        "gross": str(net + vat),
                    }
                )
        note("export", "succeeded", principal.login_id, "journal")
        return csv_file(JOURNAL, rows, numbers=_AMOUNTS)

    async def accruals(self, principal: Principal, day: date) -> bytes:
        """The accruals of a day as CSV: the orders that were executed by that day and not billed then.

        Raises:
            Forbidden: not for this role.
            InvalidCommand: the day is in the future.
        """
        access.check(principal, "read_journal")
        if day > self.today:
            raise InvalidCommand("day", "day_in_future")
        end = datetime.combine(day + timedelta(days=1), time(), self._zone)
        rows = [
            {**accrual.model_dump(mode="json"), "as_of": day.isoformat()}
            for accrual in await self._records.accruals(day, end.astimezone(UTC))
        ]
        note("export", "succeeded", principal.login_id, "accruals")
        return csv_file(ACCRUALS, rows, numbers=_AMOUNTS)

    def _about(self, settlement: Settlement) -> dict[str, str]:
        invoice, opening = settlement.invoice, settlement.opening
        # Under version 1 of the rules a settlement ended with its invoice.
        invoiced_at = settlement.invoiced_at or settlement.ended_at
        return {
            "month": str(opening.month),
            "settlement_id": settlement.settlement_id,
            "partner_id": opening.partner.partner_id,
            "partner_name": opening.partner.name,
            "state": settlement.status.value,
            "invoice_number": invoice.number if invoice else "",
            "invoice_date": invoice.date.isoformat() if invoice else "",
            "issued_on": self._day(settlement.issued_at),
            "invoiced_on": self._day(invoiced_at),
            "approved_on": self._day(settlement.approved_at),
            "paid_on": settlement.paid_on.isoformat() if settlement.paid_on else "",
            "payment_reference": settlement.payment_reference,
        }

    def _day(self, instant: datetime | None) -> str:
        return "" if instant is None else instant.astimezone(self._zone).date().isoformat()


def by_rate(account: SettlementAccount) -> Iterator[tuple[Decimal | None, Decimal, Decimal]]:
    """Rate in percent, net and VAT for each rate; the rate is None for lines without VAT. They add up to the total."""
    net, vat = NOTHING, NOTHING
    for part in account.vat_sums:
        yield part.percent, part.net, part.vat
        net, vat = net + part.net, vat + part.vat
    if (net, vat) != (account.net, account.vat) or not account.vat_sums:
        yield None, account.net - net, account.vat - vat
