"""Three changes of the rules under a new version, made as docs/changing-rules.md describes.

A mail on `ExecutionConfirmed`, a deadline for the partner while the goods are on their way, and stricter transitions:
an agreed appointment can no longer be moved, and a service cannot be executed before the day of its appointment.
"""

from datetime import datetime

import pytest

from domain import rules
from domain.errors import InvalidCommand
from domain.orders import command_rules, deadline_rules, decide, execution
from domain.orders import mails as order_mails
from domain.orders.commands import ConfirmExecution
from domain.orders.deadline_rules import Rule
from domain.orders.events import Event, ExecutionConfirmed
from domain.orders.mails import MailRule
from domain.orders.order import Order, Status
from domain.policy import Span
from domain.settlements import access, mails
from domain.settlements.events import InvoiceNoted
from domain.settlements.settlement import SettlementStatus

NEWER = rules.CURRENT + 1
MAIL = "executed_told"
DEADLINE = "prepare_visit"
SETTLEMENT_MAIL = "invoice_noted_told"
_before = execution.confirm_execution


def _on_its_way(order: Order) -> datetime | None:
    coming = order.status is Status.SET_APPOINTMENT and order.appointment_from is None
    return order.shipment.shipped_at if coming and order.shipment else None


def _confirm_execution(order: Order, command: ConfirmExecution, now: datetime) -> list[Event]:
    events = _before(order, command, now)
    if order.rules >= NEWER and order.appointment:
        (confirmed,) = events
        assert isinstance(confirmed, ExecutionConfirmed)
        if confirmed.executed_on < order.calendar.local(order.appointment.start).date():
            raise InvalidCommand("executed_on", "before_appointment")
    return events


def make(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the changes, as if a release brought them. `placed` orders have the older version still."""
    monkeypatch.setattr(rules, "CURRENT", NEWER)
    mail = MailRule(MAIL, "operations", ExecutionConfirmed, facts=("note",), since=NEWER)
    monkeypatch.setattr(order_mails, "MAILS", (*order_mails.MAILS, mail))
    deadline = Rule(
        DEADLINE,
        "partner",
        _on_its_way,
        span=lambda policy: Span.parse("3 working days"),
        since=NEWER,
    )
    monkeypatch.setattr(deadline_rules, "RULES", (*deadline_rules.RULES, deadline))
    before = rules.under(command_rules.ACTIONS, NEWER - 1)[Status.CONFIRM_EXECUTION]
    stricter = tuple(action for action in before if action != "set_appointment")
    monkeypatch.setitem(command_rules.ACTIONS, NEWER, {Status.CONFIRM_EXECUTION: stricter})
    monkeypatch.setattr(decide, "confirm_execution", _confirm_execution)


def make_for_settlements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make changes for settlements: a mail when an invoice is noted, and an issued one can no longer be voided."""
    monkeypatch.setattr(rules, "CURRENT", NEWER)
    mail = mails.MailRule(SETTLEMENT_MAIL, "partner", InvoiceNoted, since=NEWER)
    monkeypatch.setattr(mails, "MAILS", (*mails.MAILS, mail))
    stricter = {SettlementStatus.ISSUED: ("invoice", "note_invoice")}
    monkeypatch.setitem(access.ACTIONS, NEWER, stricter)
