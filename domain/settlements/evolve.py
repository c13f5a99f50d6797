"""What each event changes in a settlement."""

from datetime import datetime
from typing import assert_never

from domain import digest
from domain.errors import NotUnderstood
from domain.orders.events import UnknownEvent
from domain.settlements.deadlines import in_office, invoice_due
from domain.settlements.events import (
    Announced,
    InvoiceAccepted,
    InvoiceApproved,
    InvoiceHeld,
    InvoiceNoted,
    InvoicePaid,
    InvoiceReminded,
    InvoiceReturned,
    InvoiceSentBack,
    MailUndelivered,
    NothingToBill,
    Opened,
    OrdersClaimed,
    OrdersReleased,
    RulesAdopted,
    Selected,
    SelectionClosed,
    SettlementEvent,
    SettlementRecorded,
    StatementIssued,
    Voided,
)
from domain.settlements.invoicing import Verdict
from domain.settlements.settlement import HeldInvoice, Settlement, SettlementStatus


def evolve(settlement: Settlement, recorded: SettlementRecorded) -> Settlement:
    """The settlement after an event.

    Raises:
        NotUnderstood: only a newer process knows the event.
    """
    return apply(settlement, recorded.event, recorded.at).replace(
        version=recorded.seq, digest=digest.extend(settlement.digest, [recorded])
    )


def apply(settlement: Settlement, event: SettlementEvent, at: datetime) -> Settlement:
    """The settlement after an event at `at`, with the version and the digest from before it.

    Raises:
        NotUnderstood: only a newer process knows the event.
    """
    match event:
        case Opened():
            return settlement.replace(
                picked=event.sp_ids,
                left_out=event.left_out,
                selectable_until=event.selectable_until,
                told=not settlement.opening.automatic,
            )
        case Announced():
            return settlement.replace(told=True, selectable_until=event.selectable_until)
        case Selected():
            return settlement.replace(picked=event.sp_ids, left_out=event.left_out)
        case SelectionClosed():
            return settlement.replace(status=SettlementStatus.CLOSING, told=True)
        case OrdersClaimed():
            refused = {left.sp_id for left in event.left_out}
            return settlement.replace(
                claimed=True,
                picked=tuple(sp_id for sp_id in settlement.picked if sp_id not in refused),
                left_out=(*settlement.left_out, *event.left_out),
                corrections=event.corrections,
                fees=event.fees,
            )
        case NothingToBill():
            return settlement.replace(status=SettlementStatus.VOID, released=True, ended_at=at)
        case StatementIssued():
            due = event.invoice_due
            return settlement.replace(
                status=SettlementStatus.ISSUED,
                statement=event.statement,
                issued_at=at,
                invoice_due=due,
                next_reminder=None if due is None else in_office(settlement, due),
            )
        case InvoiceReminded():
            due = None if event.last else invoice_due(settlement, at)
            again = None if due is None else in_office(settlement, due)
            return settlement.replace(reminders=event.level, next_reminder=again)
        case InvoiceReturned():
            return settlement.replace(last_verdict=event.verdict)
        case InvoiceAccepted():
            return _take_invoice(settlement, at).replace(
                invoice_paper_id=event.paper_id,
                invoice=event.invoice,
                invoice_total=event.total,
                last_verdict=Verdict(accepted=True),
            )
        case InvoiceNoted():
            return _take_invoice(settlement, at)
        case InvoiceHeld():
            held = HeldInvoice(
                paper_id=event.paper_id, verdict=event.verdict, invoice=event.invoice
            )
            return settlement.replace(held=held, last_verdict=event.verdict, next_reminder=None)
        case InvoiceApproved():
            return settlement.replace(status=SettlementStatus.APPROVED, approved_at=at)
        case InvoiceSentBack():
            paper = (
                settlement.invoice_paper_id
            )  # a held invoice can be accepted later, once its account is registered
            returned = settlement.returned_papers
            return settlement.replace(
                status=SettlementStatus.ISSUED,
                held=None,
                invoice_paper_id=None,
                invoice=None,
                invoice_total=None,
                invoiced_at=None,
                approved_at=None,
                last_verdict=None,
                returned_at=at,
                return_reason=event.reason,
                returned_papers=returned if paper is None else (*returned, paper),
                returns=settlement.returns + 1,
                invoice_due=event.invoice_due,
                next_reminder=in_office(settlement, event.invoice_due),
                reminders=0,
            )
        case InvoicePaid():
            return _end(settlement, SettlementStatus.PAID, at).replace(
                paid_on=event.paid_on, payment_reference=event.reference
            )
        case Voided():
            # If no order was claimed, there is nothing to release.
            return _end(settlement, SettlementStatus.VOID, at).replace(
                voided=True, released=not settlement.claimed
            )
        case OrdersReleased():
            return settlement.replace(released=True)
        case RulesAdopted():
            return settlement.replace(
                rules=event.version, later_policy=event.policy or settlement.later_policy
            )
        case MailUndelivered():
            return settlement
        case UnknownEvent():
            raise NotUnderstood(f"event {event.type}")
        case _:
            assert_never(event)


def _take_invoice(settlement: Settlement, at: datetime) -> Settlement:
    """The settlement once accounting has the invoice. Under version 1 of the rules it ends with that."""
    if settlement.rules < 2:
        return _end(settlement, SettlementStatus.INVOICED, at)
    invoiced = settlement.replace(
        status=SettlementStatus.INVOICED, held=None, next_reminder=None, invoiced_at=at
    )
    return invoiced if invoiced.awaits_payment else invoiced.replace(ended_at=at)


def _end(settlement: Settlement, status: SettlementStatus, at: datetime) -> Settlement:
    return settlement.replace(status=status, held=None, next_reminder=None, ended_at=at)
