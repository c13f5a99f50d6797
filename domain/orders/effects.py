"""Which mails, shipping requests and notices to the shop follow from the events of an order."""

from collections.abc import Iterable
from typing import TypeGuard

from domain import rules
from domain.orders import mails
from domain.orders.events import (
    Cancelled,
    Event,
    ProblemReported,
    Recorded,
    RequirementsConfirmed,
    RequirementsRejected,
    ReviewDecided,
)
from domain.orders.evolve import evolve
from domain.orders.lifecycle import begin
from domain.orders.mail_facts import mail_of
from domain.orders.mails import Cause
from domain.orders.order import Order, Status
from domain.orders.outgoing import (
    Effect,
    Mail,
    ShippingRequest,
    ShippingStop,
    ShopNotice,
    ShopNoticeKind,
)
from domain.orders.shipment import GoodsReceived


def effects(before: Order, events: Iterable[Recorded]) -> tuple[Effect, ...]:
    """The mails and shipping requests that follow from these events, in order. `before`: the order before them."""
    out: list[Effect] = []
    order = before
    reported_at = set()
    for recorded in events:
        previous, order = order, evolve(order, recorded)
        out.extend(_of_event(previous, recorded, order))
        if isinstance(recorded.event, ProblemReported):
            reported_at.add(recorded.at)
    # Goods that were received damaged ask for no appointment.
    out = [e for e in out if not (_is_receipt(e) and e.at in reported_at)]
    if any(_is_receipt(e) for e in out):
        # Shipped and received in one step: only the mail about the receipt, which asks for the appointment.
        out = [e for e in out if not (isinstance(e, Mail) and e.kind == "goods_shipped")]
    return tuple(out)


def _is_receipt(effect: Effect) -> TypeGuard[Mail]:
    return isinstance(effect, Mail) and effect.kind == "goods_received"


def is_obsolete(effect: Effect, order: Order) -> bool:
    """Whether an effect that has not been sent must not be sent any more.

    An order's first mail is obsolete after the order's end or its reassignment, a shipping request after its
    cancellation.
    """
    if isinstance(effect, ShippingRequest):
        return order.status is Status.CANCELLED
    if not isinstance(effect, Mail):
        return False
    return effect.kind == "new_order" and (
        order.status.is_final
        or order.status is Status.UNASSIGNED
        or effect.partner_id != order.partner.partner_id
    )


def obsolete_mails(order: Order, events: Iterable[Recorded]) -> frozenset[str]:
    """The keys of the mails that are obsolete if they have not been sent. `events`: all of the order's."""
    caused = effects(begin(order.intake), events)
    return frozenset(each.key for each in caused if is_obsolete(each, order))


def _of_event(before: Order, recorded: Recorded, after: Order) -> list[Effect]:
    cause = Cause(before, recorded, after)
    out: list[Effect] = [
        mail_of(rule, cause)
        for rule in rules.holding(mails.MAILS, after.rules)
        if isinstance(recorded.event, rule.cause) and rule.when(cause)
    ]
    if _asks_to_ship(recorded.event):
        out.append(_shipping_request(after))
    if after.rules >= 2:
        out.extend(_shipping_stop(before, recorded, after))
        out.extend(_shop_notice(recorded, after))
    return out


def _asks_to_ship(event: Event) -> bool:
    return isinstance(event, RequirementsConfirmed) or (
        isinstance(event, ReviewDecided) and event.decision == "reship"
    )


def _shipping_request(order: Order) -> ShippingRequest:
    # The last shipment is the requested one, even if kept notices have changed it already.
    placement, shipment = order.intake.placement, order.shipments[-1]
    customer, product = placement.customer, placement.product
    return ShippingRequest(
        key=_request_key(order, shipment.attempt),
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
        deliver_to=placement.deliver_to if order.rules >= 2 else "customer",
        partner_id=order.partner.partner_id,
        sales_order_line=placement.sales_order_line,
    )


def _request_key(order: Order, attempt: int) -> str:
    """The key of a shipping request. Orders of one line of a sales order have the same: its goods are shipped once."""
    placement = order.intake.placement
    if order.rules < 2 or placement.sales_order_line is None:
        return f"{order.sp_id}-{attempt}"
    return f"{placement.sales_order_id}-{placement.sales_order_line}-{attempt}"


def _shipping_stop(before: Order, recorded: Recorded, after: Order) -> list[Effect]:
    """The stop of a cancelled order's goods, if they were requested and nobody has received them.

    The goods of a line may have been requested by another order, so an order with a line always withdraws from them.
    """
    if after.status is not Status.CANCELLED or before.status is Status.CANCELLED:
        return []
    placement, shipment = after.intake.placement, before.shipment
    if shipment is None and placement.sales_order_line is None:
        return []
    if shipment is None and any(isinstance(kept, GoodsReceived) for kept in before.kept):
        return []
    if shipment is not None and shipment.received_at is not None:
        return []
    attempt = shipment.attempt if shipment is not None else 1
    return [
        ShippingStop(
            key=f"{after.sp_id}-{attempt}-stop",
            request_key=_request_key(before, attempt),
            sp_id=after.sp_id,
            attempt=attempt,
            sales_order_id=placement.sales_order_id,
            sales_order_line=placement.sales_order_line,
            at=recorded.at,
        )
    ]


def _shop_notice(recorded: Recorded, after: Order) -> list[Effect]:
    """The notice to the shop: of rejected requirements, or of a cancellation by somebody else."""
    event = recorded.event
    kind: ShopNoticeKind = "cancelled"
    reason, note = "", ""
    match event:
        case RequirementsRejected():
            kind, reason, note = "requirements_rejected", event.reason, event.note
        case Cancelled() if recorded.by != "shop" and not recorded.by.startswith("shop:"):
            reason = event.reason
        case ReviewDecided(decision="cancel"):
            note = event.note
        case _:
            return []
    return [
        ShopNotice(
            key=f"{after.sp_id}/{recorded.seq}/{kind}/shop",
            kind=kind,
            sp_id=after.sp_id,
            sales_order_id=after.intake.placement.sales_order_id,
            status=after.status,
            reason=reason,
            note=note,
            at=recorded.at,
        )
    ]
