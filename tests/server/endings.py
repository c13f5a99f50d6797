"""What is said to orders and settlements until they come to their ends, message by message."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contracts.activities import SettlementOf
from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.orders.commands import (
    Accept,
    Bill,
    Cancel,
    Command,
    ConfirmExecution,
    DecideReview,
    LogContact,
    PaymentReceived,
    Reassign,
    RejectRequirements,
    ReportNotExecuted,
)
from domain.orders.order import Status
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.settlements.commands import (
    ApproveInvoice,
    Close,
    ExternalCommand,
    NoteInvoice,
    NotePaid,
    Select,
    SettlementRequest,
    VoidSettlement,
)
from domain.settlements.ids import settlement_id
from domain.settlements.settlement import SettlementStatus
from temporal import settlements
from tests.server.settlements import HUBER, NOVEMBER, OCTOBER, SettlementOffice
from tests.server.surroundings import Surroundings
from tests.server.test_restarts import CHECKED, appointment
from tests.support.builders import partner_actor
from tests.support.limits import ANSWER_LIMIT
from tests.workflows.life import OPERATIONS, SHOP, WAREHOUSE, Life

ACCOUNTING = Actor(role="accounting", name="Reto")

Message = Callable[[Life], Awaitable[Any]]
Asked = Callable[[SettlementOffice, SettlementOf], Awaitable[Any]]


# --- the messages of orders ------------------------------------------------------------------------------------------


def do(command: Command, actor: Any = None) -> Message:
    """A command whose sender waits."""
    return lambda life: life.do(command, actor)


def tell(command: Command, actor: Any = None, request_id: str = "") -> Message:
    """A command whose sender does not wait."""
    return lambda life: life.tell(command, actor or life.partner, request_id)


def refused(command: Command) -> Message:
    """A command that is refused at once."""
    return lambda life: life.refused(command)


def until(status: Status) -> Message:
    """No message, but a state that has to come first."""
    return lambda life: life.lives.reaches(life, status)  # type: ignore[attr-defined]


async def agree_on_a_date(life: Life) -> None:
    """A visit that soon begins."""
    await life.do(appointment())


async def cancel_in_temporal(life: Life) -> None:
    """What the button in the Temporal UI does."""
    await life.handle.cancel()


async def unreadable(life: Life) -> None:
    """A signal that nobody can read."""
    await life.handle.signal("accept", {"nonsense": 1})


def reassign(partner_id: str) -> Message:
    """To another partner, with its calendar."""

    async def message(life: Life) -> None:
        around: Surroundings = life.lives  # type: ignore[assignment]
        partner = await around.partners.get(partner_id)
        assert partner is not None
        calendar = pin_calendar(partner.canton, around.policy, datetime.now(UTC).date())
        command = Reassign(
            partner=around.partners.assignee(partner), calendar=calendar, reason="Ferien"
        )
        await life.do(command, OPERATIONS)

    return message


SHIPPED, RECEIVED = (
    tell(GoodsShipped(tracking="99.00.1"), WAREHOUSE),
    tell(GoodsReceived(), WAREHOUSE),
)
IS_NEW = until(Status.NEW)
CANCEL = do(Cancel(reason="doch nicht"), SHOP)
BILL = do(Bill(settlement_id="V-1"), SYSTEM)
UNDER_REVIEW = until(Status.UNDER_REVIEW)
NOT_EXECUTED = (
    IS_NEW,
    do(Accept()),
    do(CHECKED),
    SHIPPED,
    RECEIVED,
    agree_on_a_date,
    do(ReportNotExecuted(reason="customer_absent")),
    UNDER_REVIEW,
)


@dataclass(frozen=True)
class Ending:
    """How an order comes to its end: what is said to it, one after the other.

    `begins_as`: the ending whose order this one begins as, once that order is `UNDER_REVIEW`. "" if it is placed.
    """

    status: Status
    messages: Sequence[Message]
    changes: Mapping[str, Any] = field(default_factory=dict)
    begins_as: str = ""


ENDINGS = {
    "executed": Ending(
        Status.BILLED,
        (
            IS_NEW,
            do(Accept()),
            do(LogContact(outcome="reached")),
            do(CHECKED),
            SHIPPED,
            RECEIVED,
            agree_on_a_date,
            do(ConfirmExecution(early=True)),
            cancel_in_temporal,  # too late: refused
            BILL,
        ),
    ),
    "requirements-not-met": Ending(
        Status.CANCELLED,
        (
            IS_NEW,
            do(Accept()),
            do(RejectRequirements(reason="no_space")),
            do(DecideReview(decision="cancel"), OPERATIONS),
        ),
    ),
    "reshipped": Ending(
        Status.BILLED,
        (
            *NOT_EXECUTED,
            do(DecideReview(decision="reship"), OPERATIONS),
            tell(GoodsShipped(tracking="99.00.2"), WAREHOUSE),
            RECEIVED,
            agree_on_a_date,
            do(ConfirmExecution(early=True)),
            BILL,
        ),
    ),
    "accepted-as-executed": Ending(
        Status.BILLED,
        (do(DecideReview(decision="accept_as_executed"), OPERATIONS), BILL),
        begins_as="reshipped",
    ),
    "review-cancelled": Ending(
        Status.CANCELLED,
        (do(DecideReview(decision="cancel"), OPERATIONS),),
        begins_as="reshipped",
    ),
    "new-appointment": Ending(
        Status.BILLED,
        (
            do(DecideReview(decision="new_appointment"), OPERATIONS),
            agree_on_a_date,
            do(ConfirmExecution(early=True)),
            BILL,
        ),
        begins_as="reshipped",
    ),
    "cancelled-early": Ending(Status.CANCELLED, (CANCEL,)),
    "cancelled-late": Ending(
        Status.CANCELLED, (IS_NEW, do(Accept()), do(CHECKED), SHIPPED, CANCEL)
    ),
    "cancelled-in-temporal": Ending(Status.CANCELLED, (IS_NEW, do(Accept()), cancel_in_temporal)),
    "prepaid": Ending(
        Status.CANCELLED,
        (
            tell(PaymentReceived(), SHOP, "payment-1"),
            tell(PaymentReceived(), SHOP, "payment-1"),
            IS_NEW,
            do(Accept()),
            CANCEL,
        ),
        {"prepaid": True},
    ),
    "reassigned": Ending(
        Status.CANCELLED,
        (
            IS_NEW,
            reassign("geneve-pose"),
            reassign("luzern-montage"),
            reassign("geneve-pose"),
            reassign(HUBER),
            do(Accept()),
            CANCEL,
        ),
    ),
    "misunderstood": Ending(
        Status.CANCELLED,
        (
            IS_NEW,
            refused(ConfirmExecution()),
            unreadable,
            tell(ConfirmExecution(), request_id="too-early"),
            tell(ConfirmExecution(), request_id="too-early"),
            do(Accept()),
            refused(ConfirmExecution()),
            refused(ConfirmExecution()),
            do(LogContact(outcome="reached")),
            CANCEL,
        ),
    ),
}


# --- the messages of settlements -------------------------------------------------------------------------------------


def ask(command: ExternalCommand, actor: Any = None) -> Asked:
    """A command to a settlement."""

    async def message(office: SettlementOffice, of: SettlementOf) -> None:
        request = SettlementRequest(
            command=command,
            actor=actor or partner_actor(),
            request_id=f"{command.type}-{datetime.now(UTC).isoformat()}",
        )
        await settlements.send_settlement_command(office.around.client, of, request, ANSWER_LIMIT)

    return message


def stands(status: SettlementStatus) -> Asked:
    """No message, but a state that has to come first."""
    return lambda office, of: office.reaches(settlement_id(of.partner_id, of.month), status)


async def draft(office: SettlementOffice, of: SettlementOf) -> None:
    """A draft of the invoice."""
    request_id = f"draft-{datetime.now(UTC).isoformat()}"
    await settlements.make_draft(office.around.client, of, request_id, ANSWER_LIMIT)


async def note_paid(office: SettlementOffice, of: SettlementOf) -> None:
    """The settlement was paid today."""
    await ask(NotePaid(paid_on=office.today), ACCOUNTING)(office, of)


@dataclass(frozen=True)
class SettlementsEnding:
    """How a settlement of these orders comes to its end."""

    sp_ids: tuple[str, ...]
    status: SettlementStatus
    messages: Sequence[Asked]


SETTLEMENTS = {
    OCTOBER: SettlementsEnding(
        ("SP-oct-1", "SP-oct-2"),
        SettlementStatus.PAID,
        (
            ask(Select(sp_ids=("SP-oct-2",))),
            ask(Select(sp_ids=("SP-oct-1", "SP-oct-2"))),
            ask(Close()),
            stands(SettlementStatus.ISSUED),
            draft,
            draft,
            ask(NoteInvoice(note="per Post"), OPERATIONS),
            ask(ApproveInvoice(), ACCOUNTING),
            note_paid,
        ),
    ),
    NOVEMBER: SettlementsEnding(
        ("SP-nov-1", "SP-nov-2"),
        SettlementStatus.VOID,
        (
            ask(Select(sp_ids=("SP-nov-1",))),
            ask(Close()),
            stands(SettlementStatus.ISSUED),
            ask(VoidSettlement(reason="Falscher Monat"), OPERATIONS),
        ),
    ),
}
