"""What the outside must be told after something happened to an order: mails and shipping requests."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from domain import rules
from domain.actors import Actor
from domain.orders.deadlines import owner_of
from domain.orders.events import (
    Cancelled,
    CommandRefused,
    Escalated,
    Event,
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
from domain.orders.explanation import Explanation, explain
from domain.orders.lifecycle import begin, evolve
from domain.orders.order import DeadlineKind, Order, Status
from domain.values import Language, Value

Audience = Literal["partner", "operations", "sender"]
MailKind = str
"""A kind of mail. `MAILS` lists them; a stored mail may be of a newer release and be of another kind."""


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


class Cause(NamedTuple):
    """An event that a mail may follow from, with the order before and after it."""

    before: Order
    recorded: Recorded
    after: Order

    @property
    def event(self) -> Any:
        """What happened."""
        return self.recorded.event


class MailRule(NamedTuple):
    """A mail: its kind, to whom, because of which event, and under which rules.

    Its text is `templates/mail/<kind>.<audience>.toml`, its name the entry of its kind in each language's `mails`
    (domain/words/).

    Attributes:
        when: what else must be true.
        about: the deadline it speaks of; it is left out if that does not run.
        facts: the fields of the event that it may say, by their names in `MailFacts`.
        to_former: it goes to the partner that had the order before.
        discreet: whether it names neither the customer nor the firm that has the order now.
        since, until: the versions of the rules under which it goes out (domain/rules.py).
    """

    kind: MailKind
    audience: Audience
    cause: type[Value]
    when: Callable[[Cause], bool] = lambda cause: True
    about: Callable[[Cause], DeadlineKind | None] = lambda cause: None
    facts: tuple[str, ...] = ()
    to_former: bool = False
    discreet: Callable[[Cause], bool] = lambda cause: False
    since: int = 1
    until: int | None = None


def _first_step(cause: Cause) -> DeadlineKind:
    """The deadline that a partner who has just been given the order has to keep first."""
    return "accept" if cause.after.status is Status.NEW else "check_requirements"


def _its_own(cause: Cause) -> DeadlineKind:
    """The deadline that the event is about."""
    kind: DeadlineKind = cause.event.kind
    return kind


def _for_new_appointment(cause: Cause) -> DeadlineKind | None:
    return "set_appointment" if cause.event.decision == "new_appointment" else None


MAILS: tuple[MailRule, ...] = (
    MailRule("new_order", "partner", TransmissionStarted),
    MailRule(
        "goods_shipped",
        "partner",
        ShippingStarted,
        when=lambda c: c.before.status is Status.REQUIREMENTS_MET,  # the first parcel
        facts=("tracking",),
    ),
    MailRule(
        "goods_received",
        "partner",
        ShippingEnded,
        when=lambda c: c.after.status is Status.SET_APPOINTMENT,
        about=lambda c: "set_appointment",
    ),
    MailRule(
        "cancelled",
        "partner",
        Cancelled,
        when=lambda c: c.after.transmitted_at is not None,
        facts=("reason",),
    ),
    MailRule(
        "cancelled",
        "partner",
        Transmitted,
        # Cancelled while its first mail was on its way: the partner must hear of the end, too.
        when=lambda c: c.after.status is Status.CANCELLED,
    ),
    MailRule("reassigned", "partner", Reassigned, to_former=True, discreet=lambda c: True),
    MailRule("new_order", "partner", Reassigned, about=_first_step),
    MailRule("reminder", "partner", ReminderDue, about=_its_own),
    MailRule(
        "escalation",
        "partner",
        Escalated,
        when=lambda c: owner_of(c.event.kind) == "partner",
        about=_its_own,
        facts=("level",),
    ),
    MailRule(
        "escalation",
        "operations",
        Escalated,
        when=lambda c: c.event.kind != "transmit",
        about=_its_own,
        facts=("level",),
    ),
    MailRule(
        "transmission_failed",
        "operations",
        Escalated,
        when=lambda c: c.event.kind == "transmit",
        about=_its_own,
        facts=("level",),
    ),
    MailRule(
        "review_needed",
        "operations",
        NotExecuted,
        about=lambda c: "review",
        facts=("reason", "note"),
    ),
    MailRule(
        "cancelled",
        "partner",
        ReviewDecided,
        when=lambda c: c.event.decision == "cancel",
        facts=("note",),
    ),
    MailRule(
        "review_decided",
        "partner",
        ReviewDecided,
        when=lambda c: c.event.decision != "cancel",
        about=_for_new_appointment,
        facts=("decision", "note"),
    ),
    MailRule(
        "command_refused",
        "sender",
        CommandRefused,
        discreet=lambda c: c.event.code == "not_yours",
        facts=("action", "code"),
    ),
)
"""All mails about an order, in the order in which those of one event go out. The authority for their kinds."""


def mail_kinds() -> tuple[MailKind, ...]:
    """The kinds of every version."""
    return tuple(dict.fromkeys(rule.kind for rule in MAILS))


def _of_event(before: Order, recorded: Recorded, after: Order) -> list[Effect]:
    cause = Cause(before, recorded, after)
    out: list[Effect] = [
        _mail(rule, cause)
        for rule in rules.holding(MAILS, after.rules)
        if isinstance(recorded.event, rule.cause) and rule.when(cause)
    ]
    if _asks_to_ship(recorded.event):
        out.append(_shipping_request(after))
    return out


def _asks_to_ship(event: Event) -> bool:
    return isinstance(event, RequirementsConfirmed) or (
        isinstance(event, ReviewDecided) and event.decision == "reship"
    )


def _mail(rule: MailRule, cause: Cause) -> Mail:
    order, recorded = cause.after, cause.recorded
    placement = order.intake.placement
    partner = cause.before.partner if rule.to_former else order.partner
    discreet = rule.discreet(cause)
    kind = rule.about(cause)
    deadline = next((d for d in order.deadlines if d.kind == kind and d.is_open), None)
    receiver = partner.partner_id if rule.audience == "partner" else rule.audience
    return Mail(
        key=f"{order.sp_id}/{recorded.seq}/{rule.kind}/{receiver}",
        kind=rule.kind,
        audience=rule.audience,
        partner_id=partner.partner_id,
        sender=cause.event.sender if rule.audience == "sender" else None,
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
            partner="" if discreet and not rule.to_former else partner.name,
            deadline=explain(order, deadline) if deadline else None,
            **{name: getattr(cause.event, name) for name in rule.facts},
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
