"""What the outside must be told after something happened to an order: mails and shipping requests."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from domain.commands import Actor
from domain.deadlines import OWNER
from domain.events import (
    Cancelled,
    CommandRefused,
    Escalated,
    NotExecuted,
    Reassigned,
    Recorded,
    ReminderDue,
    RequirementsConfirmed,
    ReviewDecided,
    ShippingEnded,
    ShippingStarted,
    TransmissionStarted,
    Transmitted,
)
from domain.explanation import Explanation, explain
from domain.lifecycle import begin, evolve
from domain.order import Assignee, DeadlineKind, Order, Status
from domain.values import Language, Value

MailKind = Literal[
    "new_order",
    "reminder",
    "escalation",
    "transmission_failed",
    "goods_shipped",
    "goods_received",
    "cancelled",
    "reassigned",
    "review_needed",
    "review_decided",
    "command_refused",
]
Audience = Literal["partner", "operations", "sender"]


class MailFacts(Value):
    """What a mail may say, as it was when its cause happened. Times are local to the order's calendar.

    A firm that has no part in the order any more is told neither the customer nor the firm that has it now.

    `reason` and `code` are the codes or free texts of the event that caused the mail; `partner` is the firm it is
    about, in mails to operations.
    """

    sales_order_id: str
    service: str
    product: str
    quantity: int
    customer_name: str
    customer_place: str
    status: Status
    partner: str
    reason: str = ""
    note: str = ""
    decision: str = ""
    action: str = ""
    code: str = ""
    tracking: str = ""
    level: int = 0
    deadline: Explanation | None = None


class Mail(Value):
    """One mail to one audience. `key` names it for ever: it is sent once under it."""

    type: Literal["mail"] = "mail"
    key: str
    kind: MailKind
    audience: Audience
    partner_id: str
    sender: Actor | None = None
    language: Language
    sp_id: str
    at: datetime
    facts: MailFacts

    @property
    def lane(self) -> str:
        """Mails of one lane go out one after the other, in the order of their causes."""
        return f"mail:{self.partner_id}" if self.audience == "partner" else f"mail:{self.audience}"


class ShippingRequest(Value):
    """The warehouse is asked to send the goods of a sales order to its customer. The key makes twice once."""

    type: Literal["shipping_request"] = "shipping_request"
    key: str
    sp_id: str
    attempt: int
    sales_order_id: str
    sku: str
    product: str
    quantity: int
    recipient: str
    street: str
    postal_code: str
    city: str
    phone: str
    requested_at: datetime

    @property
    def lane(self) -> str:
        """Shipping requests wait for nobody but each other."""
        return "warehouse"


Effect = Annotated[Mail | ShippingRequest, Field(discriminator="type")]


def effects(before: Order, events: Iterable[Recorded]) -> tuple[Effect, ...]:
    """What has to go out because of these events that happened to the order `before`, in their order."""
    out: list[Effect] = []
    order = before
    for recorded in events:
        previous, order = order, evolve(order, recorded)
        out.extend(_of_event(previous, recorded, order))
    if any(isinstance(e, Mail) and e.kind == "goods_received" for e in out):
        # Shipped and received in one breath: one mail asks for the appointment, not two.
        out = [e for e in out if not (isinstance(e, Mail) and e.kind == "goods_shipped")]
    return tuple(out)


def is_obsolete(effect: Effect, order: Order) -> bool:
    """Whether an effect that is not out yet has lost its sense.

    An order's first mail has after the order's end or its reassignment, a shipping request after its cancellation.
    """
    if isinstance(effect, ShippingRequest):
        return order.status is Status.CANCELLED
    return effect.kind == "new_order" and (
        order.status.is_final or effect.partner_id != order.partner.partner_id
    )


def obsolete_mails(order: Order, events: Iterable[Recorded]) -> frozenset[str]:
    """The keys of the mails that these events caused, of all the order's, and that have lost their sense if unsent."""
    caused = effects(begin(order.intake), events)
    return frozenset(each.key for each in caused if is_obsolete(each, order))


def _of_event(before: Order, recorded: Recorded, after: Order) -> list[Effect]:
    event = recorded.event
    match event:
        case TransmissionStarted():
            return [_mail(after, recorded, "new_order", "partner")]
        case RequirementsConfirmed():
            return [_shipping_request(after)]
        case ShippingStarted():
            first = before.status is Status.REQUIREMENTS_MET
            return [
                _mail(after, recorded, "goods_shipped", "partner", tracking=event.tracking)
            ] * first
        case ShippingEnded():
            waiting = after.status is Status.SET_APPOINTMENT
            return [
                _mail(after, recorded, "goods_received", "partner", kind="set_appointment")
            ] * waiting
        case Cancelled():
            seen = after.transmitted_at is not None
            return [_mail(after, recorded, "cancelled", "partner", reason=event.reason)] * seen
        case Transmitted():
            # Cancelled while its first mail was on its way: the partner must hear of the end, too.
            late = after.status is Status.CANCELLED
            return [_mail(after, recorded, "cancelled", "partner")] * late
        case Reassigned():
            return [
                _mail(after, recorded, "reassigned", "partner", to=before.partner, discreet=True),
                _mail(after, recorded, "new_order", "partner", kind=_first_step(after)),
            ]
        case ReminderDue():
            return [_mail(after, recorded, "reminder", "partner", kind=event.kind)]
        case Escalated():
            return _escalation(after, recorded, event)
        case NotExecuted():
            return [
                _mail(
                    after,
                    recorded,
                    "review_needed",
                    "operations",
                    kind="review",
                    reason=event.reason,
                    note=event.note,
                )
            ]
        case ReviewDecided():
            return _review(after, recorded, event)
        case CommandRefused():
            return [
                _mail(
                    after,
                    recorded,
                    "command_refused",
                    "sender",
                    sender=event.sender,
                    discreet=event.code == "not_yours",
                    action=event.action,
                    code=event.code,
                )
            ]
        case _:
            return []


def _first_step(order: Order) -> DeadlineKind:
    """The deadline that a partner who has just been given the order has to keep first."""
    return "accept" if order.status is Status.NEW else "check_requirements"


def _escalation(order: Order, recorded: Recorded, event: Escalated) -> list[Effect]:
    mail: MailKind = "transmission_failed" if event.kind == "transmit" else "escalation"
    audiences: tuple[Audience, ...] = (
        ("partner", "operations") if OWNER[event.kind] == "partner" else ("operations",)
    )
    return [
        _mail(order, recorded, mail, audience, kind=event.kind, level=event.level)
        for audience in audiences
    ]


def _review(order: Order, recorded: Recorded, event: ReviewDecided) -> list[Effect]:
    if event.decision == "cancel":
        return [_mail(order, recorded, "cancelled", "partner", note=event.note)]
    kind: DeadlineKind | None = "set_appointment" if event.decision == "new_appointment" else None
    told = _mail(
        order,
        recorded,
        "review_decided",
        "partner",
        kind=kind,
        decision=event.decision,
        note=event.note,
    )
    return [told, _shipping_request(order)] if event.decision == "reship" else [told]


def _mail(
    order: Order,
    recorded: Recorded,
    mail: MailKind,
    audience: Audience,
    *,
    to: Assignee | None = None,
    sender: Actor | None = None,
    kind: DeadlineKind | None = None,
    discreet: bool = False,
    **facts: str | int,
) -> Mail:
    placement = order.intake.placement
    partner = to or order.partner
    deadline = next((d for d in order.deadlines if d.kind == kind and d.is_open), None)
    return Mail(
        key=f"{order.sp_id}/{recorded.seq}/{mail}/{partner.partner_id if audience == 'partner' else audience}",
        kind=mail,
        audience=audience,
        partner_id=partner.partner_id,
        sender=sender,
        language=partner.language,
        sp_id=order.sp_id,
        at=recorded.at,
        facts=MailFacts(
            sales_order_id=placement.sales_order_id,
            service=placement.service.name,
            product=placement.product.name,
            quantity=placement.product.quantity,
            customer_name="" if discreet else placement.customer.name,
            customer_place=""
            if discreet
            else f"{placement.customer.postal_code} {placement.customer.city}",
            status=order.status,
            partner="" if discreet and to is None else partner.name,
            deadline=explain(order, deadline) if deadline else None,
            **facts,
        ),
    )


def _shipping_request(order: Order) -> ShippingRequest:
    # Of the attempt just begun: shipping notices that were kept may have advanced it in the same breath.
    placement, shipment = order.intake.placement, order.shipments[-1]
    customer, product = placement.customer, placement.product
    return ShippingRequest(
        key=f"{order.sp_id}-{shipment.attempt}",
        sp_id=order.sp_id,
        attempt=shipment.attempt,
        sales_order_id=placement.sales_order_id,
        sku=product.sku,
        product=product.name,
        quantity=product.quantity,
        recipient=customer.name,
        street=customer.street,
        postal_code=customer.postal_code,
        city=customer.city,
        phone=customer.phone,
        requested_at=shipment.requested_at,
    )
