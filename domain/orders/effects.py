"""Which mails and shipping requests follow from the events of an order."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from domain import rules
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
from domain.orders.evolve import evolve
from domain.orders.explanation import explain
from domain.orders.lifecycle import begin
from domain.orders.order import DeadlineKind, Order, Status
from domain.orders.outgoing import Audience, Effect, Mail, MailFacts, MailKind, ShippingRequest
from domain.values import Value, mark


def effects(before: Order, events: Iterable[Recorded]) -> tuple[Effect, ...]:
    """The mails and shipping requests that follow from these events, in order. `before`: the order before them."""
    out: list[Effect] = []
    order = before
    for recorded in events:
        previous, order = order, evolve(order, recorded)
        out.extend(_of_event(previous, recorded, order))
    if any(isinstance(e, Mail) and e.kind == "goods_received" for e in out):
        # Shipped and received in one step: only the mail about the receipt, which asks for the appointment.
        out = [e for e in out if not (isinstance(e, Mail) and e.kind == "goods_shipped")]
    return tuple(out)


def is_obsolete(effect: Effect, order: Order) -> bool:
    """Whether an effect that has not been sent must not be sent any more.

    An order's first mail is obsolete after the order's end or its reassignment, a shipping request after its
    cancellation.
    """
    if isinstance(effect, ShippingRequest):
        return order.status is Status.CANCELLED
    return effect.kind == "new_order" and (
        order.status.is_final or effect.partner_id != order.partner.partner_id
    )


def obsolete_mails(order: Order, events: Iterable[Recorded]) -> frozenset[str]:
    """The keys of the mails that are obsolete if they have not been sent. `events`: all of the order's."""
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
    """A mail: its kind, its audience, the event that causes it, and the rules under which it is sent.

    Its text is `templates/mail/<kind>.<audience>.txt`.

    Attributes:
        name: the name of the kind, in German; only the first rule of a kind has it.
        when: a further condition on the event and the order.
        about: the deadline that it mentions, if that is open.
        facts: the fields of the event that the mail takes, by their names in `MailFacts`.
        to_former: whether it is sent to the partner that had the order before the event.
        discreet: whether it names neither the customer nor the firm that has the order now.
        since, until: the versions of the rules under which it is sent (domain/rules.py).
    """

    kind: MailKind
    audience: Audience
    cause: type[Value]
    name: str = ""
    when: Callable[[Cause], bool] = lambda cause: True
    about: Callable[[Cause], DeadlineKind | None] = lambda cause: None
    facts: tuple[str, ...] = ()
    to_former: bool = False
    discreet: Callable[[Cause], bool] = lambda cause: False
    since: int = 1
    until: int | None = None


def _first_step(cause: Cause) -> DeadlineKind:
    """The first deadline of a partner that has just been given the order."""
    return "accept" if cause.after.status is Status.NEW else "check_requirements"


def _deadline_of_event(cause: Cause) -> DeadlineKind:
    """The deadline that the event is about."""
    kind: DeadlineKind = cause.event.kind
    return kind


def _for_new_appointment(cause: Cause) -> DeadlineKind | None:
    return "set_appointment" if cause.event.decision == "new_appointment" else None


MAILS: tuple[MailRule, ...] = (
    MailRule("new_order", "partner", TransmissionStarted, name=mark("Neuer Auftrag")),
    MailRule(
        "goods_shipped",
        "partner",
        ShippingStarted,
        name=mark("Ware unterwegs"),
        when=lambda c: c.before.status is Status.REQUIREMENTS_MET,  # the first parcel
        facts=("tracking",),
    ),
    MailRule(
        "goods_received",
        "partner",
        ShippingEnded,
        name=mark("Ware eingetroffen"),
        when=lambda c: c.after.status is Status.SET_APPOINTMENT,
        about=lambda c: "set_appointment",
    ),
    MailRule(
        "cancelled",
        "partner",
        Cancelled,
        name=mark("Auftrag storniert"),
        when=lambda c: c.after.transmitted_at is not None,
        facts=("reason",),
    ),
    MailRule(
        "cancelled",
        "partner",
        Transmitted,
        # Cancelled while its first mail was being sent: the partner must be told of the cancellation, too.
        when=lambda c: c.after.status is Status.CANCELLED,
    ),
    MailRule(
        "reassigned",
        "partner",
        Reassigned,
        name=mark("Auftrag anders zugeteilt"),
        to_former=True,
        discreet=lambda c: True,
    ),
    MailRule("new_order", "partner", Reassigned, about=_first_step),
    MailRule("reminder", "partner", ReminderDue, name=mark("Erinnerung"), about=_deadline_of_event),
    MailRule(
        "escalation",
        "partner",
        Escalated,
        name=mark("Verpasste Frist"),
        when=lambda c: owner_of(c.event.kind) == "partner",
        about=_deadline_of_event,
        facts=("level",),
    ),
    MailRule(
        "escalation",
        "operations",
        Escalated,
        when=lambda c: c.event.kind != "transmit",
        about=_deadline_of_event,
        facts=("level",),
    ),
    MailRule(
        "transmission_failed",
        "operations",
        Escalated,
        name=mark("Übermittlung fehlgeschlagen"),
        when=lambda c: c.event.kind == "transmit",
        about=_deadline_of_event,
        facts=("level",),
    ),
    MailRule(
        "review_needed",
        "operations",
        NotExecuted,
        name=mark("Abklärung nötig"),
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
        name=mark("Entscheid zur Abklärung"),
        when=lambda c: c.event.decision != "cancel",
        about=_for_new_appointment,
        facts=("decision", "note"),
    ),
    MailRule(
        "command_refused",
        "sender",
        CommandRefused,
        name=mark("Aktion abgelehnt"),
        discreet=lambda c: c.event.code == "not_yours",
        facts=("action", "code"),
    ),
)
"""All mails about an order. Those of one event are sent in this order. Nothing else lists the kinds of mails."""


def mail_kinds() -> tuple[MailKind, ...]:
    """The kinds of all versions of the rules."""
    return tuple(dict.fromkeys(rule.kind for rule in MAILS))


def mail_names() -> dict[MailKind, str]:
    """The name of each kind, marked for translation."""
    return {rule.kind: rule.name for rule in MAILS if rule.name}


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
    # The last shipment is the requested one, even if kept notices have changed it already.
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
