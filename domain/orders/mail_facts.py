"""A mail about an order, made from its row in `mails.MAILS` and its event: to whom it goes, and what it states."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from domain.orders.access import allowed
from domain.orders.deadline import Deadline
from domain.orders.deadlines import ends_assignment, escalations
from domain.orders.events import GoodsUnexpected
from domain.orders.explanation import explain
from domain.orders.mails import Cause, MailRule
from domain.orders.order import Appointment, Order
from domain.orders.outgoing import Goods, Mail, MailFacts
from domain.orders.placement import Assignee
from domain.orders.shipment import GoodsShipped
from domain.orders.standing import removed_appointment


def mail_of(rule: MailRule, cause: Cause) -> Mail:
    """The mail that a row of `MAILS` makes of an event."""
    order, recorded = cause.after, cause.recorded
    placement = order.intake.placement
    partner = cause.before.partner if rule.to_former else order.partner
    discreet = rule.discreet(cause)
    kind = rule.about(cause)
    deadline = next((d for d in order.deadlines if d.kind == kind and d.is_open), None)
    removed = _removed(rule, cause, partner)
    receiver = partner.partner_id if rule.audience == "partner" else rule.audience
    return Mail(
        key=f"{order.sp_id}/{recorded.seq}/{rule.kind}/{receiver}",
        kind=rule.kind,
        audience=rule.audience,
        partner_id=partner.partner_id,
        sender=cause.event.sender if rule.audience == "sender" else None,
        language=placement.customer.language if rule.audience == "customer" else partner.language,
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
            event=cause.event.type,
            fallen_start=removed.start if removed else None,
            fallen_end=removed.end if removed else None,
            seq=recorded.seq,
            deliver_to=placement.deliver_to if order.rules >= 2 else "customer",
            **({} if discreet and not rule.to_former else _of_order(rule, cause, deadline)),
            **{name: getattr(cause.event, name) for name in rule.facts},
        ),
    )


def _of_order(rule: MailRule, cause: Cause, deadline: Deadline | None) -> dict[str, Any]:
    """The facts that a mail takes from the order, by their names in `MailFacts`."""
    order = cause.after
    facts: dict[str, Any] = {"goods": _goods(order)}
    if rule.to_former:
        return facts
    if rule.audience == "partner":
        placement = order.intake.placement
        facts |= {
            "fee": placement.service.fee,
            "customer_phone": placement.customer.phone,
            "order_note": placement.note,
        }
    if rule.audience in ("partner", "operations"):
        facts["choices"] = allowed(order, rule.audience, cause.recorded.at)
    appointment = order.appointment
    if rule.kind == "visit_cancelled":  # the cancelled one: the order may have another by now
        appointment = removed_appointment(cause.before, order, cause.recorded.at)
    if appointment:
        facts |= {
            "appointment_start": order.calendar.local(appointment.start),
            "appointment_end": order.calendar.local(appointment.end),
            "appointment_over": appointment.end <= cause.recorded.at,
            "moves": order.partner_moves,
        }
    if rule.kind == "new_order" and order.rules >= 2:
        alarm = next((d for d in order.deadlines if d.kind == "transmit" and d.is_open), None)
        facts["notify_by"] = alarm.due if alarm else None
    if deadline is not None:
        facts["kept_until"] = _kept_until(order, deadline)
    if "tracking" not in rule.facts:
        facts["tracking"] = ", ".join(_trackings(cause))
    return facts


def _removed(rule: MailRule, cause: Cause, partner: Assignee) -> Appointment | None:
    """The appointment that a mail removes from its receiver's calendar."""
    is_mine = partner.partner_id == cause.before.partner.partner_id
    if rule.audience == "customer" or (rule.audience == "partner" and is_mine):
        return removed_appointment(cause.before, cause.after, cause.recorded.at)
    return None


def _goods(order: Order) -> Goods:
    shipment = order.shipment
    if shipment is None:
        return ""
    if shipment.received_at:
        return "received"
    return "shipped" if shipment.shipped_at else "requested"


def _trackings(cause: Cause) -> Iterator[str]:
    """The tracking numbers of the goods that the mail is about."""
    if isinstance(cause.event, GoodsUnexpected):
        if isinstance(cause.event.notice, GoodsShipped):
            yield cause.event.notice.tracking
    elif cause.after.shipment:
        yield from cause.after.shipment.trackings


def _kept_until(order: Order, deadline: Deadline) -> datetime | None:
    """When the order is taken from a partner that does not accept it (local); None if it never is."""
    return next(
        (
            order.calendar.local(at)
            for level, at in escalations(order, deadline)
            if ends_assignment(order, deadline.kind, level)
        ),
        None,
    )
