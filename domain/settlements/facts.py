"""What the partner and accounting state about an invoice: its number and date, the day of its payment."""

from datetime import date, datetime

from domain.errors import InvalidCommand
from domain.settlements.errors import SettlementRefused
from domain.settlements.invoicing import OwnInvoice, Verdict
from domain.settlements.settlement import Settlement


def verdict_on(
    settlement: Settlement, *, paper_id: str | None = None, invoice: OwnInvoice | None = None
) -> Verdict | None:
    """The verdict on the accepted or held invoice, if this is it: the same paper, or the same number and date.

    None if it is another invoice, which has to be checked.
    """
    held = settlement.held
    accepted = (settlement.invoice_paper_id, settlement.invoice)
    if _is_either(accepted, paper_id, invoice):
        return Verdict(accepted=True)
    if held is not None and _is_either((held.paper_id, held.invoice), paper_id, invoice):
        return held.verdict
    return None


def _is_either(
    known: tuple[str | None, OwnInvoice | None], paper_id: str | None, invoice: OwnInvoice | None
) -> bool:
    return (paper_id is not None and paper_id == known[0]) or (
        invoice is not None and invoice == known[1]
    )


def check_invoice_facts(settlement: Settlement, invoice: OwnInvoice, now: datetime) -> None:
    """Check an invoice that is to be made. Its date is between the first day of the settlement's month and today.

    Nothing that it bills was done before that month. A partner may settle, and date the invoice, during the month.

    Raises:
        SettlementRefused: there is nothing to pay.
        InvalidCommand: it is another day.
    """
    if not settlement.can_be_drafted:
        raise SettlementRefused("invoice", "nothing_to_pay", settlement.status)
    if invoice.date > _today(settlement, now):
        raise InvalidCommand("invoice_date", "invoice_in_future")
    if invoice.date < settlement.opening.month.first_day:
        raise InvalidCommand("invoice_date", "invoice_before_month")


def check_paid_on(settlement: Settlement, paid_on: date, now: datetime) -> None:
    """Check the day of a payment: from the day on which the statement was issued until today.

    Raises:
        InvalidCommand: it is another day.
    """
    if paid_on > _today(settlement, now):
        raise InvalidCommand("paid_on", "paid_in_future")
    issued_at = settlement.issued_at
    if issued_at is not None and paid_on < settlement.opening.calendar.local(issued_at).date():
        raise InvalidCommand("paid_on", "paid_before_statement")


def _today(settlement: Settlement, now: datetime) -> date:
    return settlement.opening.calendar.local(now).date()
