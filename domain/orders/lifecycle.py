"""The life of an order: how it begins, takes commands, and is rebuilt from its events (docs/rules.md)."""

from collections.abc import Iterable
from datetime import datetime

from domain import rules
from domain.actors import SYSTEM, Actor
from domain.authors import Author, author_of
from domain.errors import NotUnderstood
from domain.orders.access import actions, allowed, author, authorise, check_role_in_state
from domain.orders.commands import Command, StretchDeadlines
from domain.orders.decide import decide
from domain.orders.errors import Refused
from domain.orders.events import Event, Placed, Recorded, Released
from domain.orders.evolve import evolve
from domain.orders.goods import take_notice
from domain.orders.internal import PassTime
from domain.orders.order import Order, Status
from domain.orders.placement import Intake
from domain.orders.shipment import Notice


def begin(intake: Intake) -> Order:
    """The order before its first event."""
    prepaid = intake.placement.prepaid
    return Order(
        intake=intake,
        rules=intake.rules,
        partner=intake.partner,
        calendar=intake.calendar,
        status=Status.AWAITING_PAYMENT if prepaid else Status.IN_TRANSMISSION,
    )


def place(intake: Intake, at: datetime) -> Recorded:
    """The first event of an order, which the shop places at `at`.

    Raises:
        NotUnderstood: it is placed under rules that this process does not know.
    """
    rules.check(intake.rules)
    return Recorded(seq=1, at=at, by="shop", event=Placed(prepaid=intake.placement.prepaid))


def check_understood(order: Order) -> None:
    """Check that this process may go on with an order that another process wrote.

    Raises:
        NotUnderstood: it is in a state, or under rules, that only a newer process knows.
    """
    rules.check(order.rules)
    if not order.status.is_known:
        raise NotUnderstood(f"state {order.status}")


def fold(intake: Intake, events: Iterable[Recorded]) -> Order:
    """The order that results from all events of its life, in their order."""
    order = begin(intake)
    for recorded in events:
        order = evolve(order, recorded)
    return order


def handle(
    order: Order, command: Command, actor: Actor, now: datetime
) -> tuple[Order, tuple[Recorded, ...]]:
    """The order after a command, and the events. Those that are due by time alone at `now` come first.

    Raises:
        Refused: not allowed in this state, or not to this actor.
        InvalidCommand: allowed, but not with these values.
        NotUnderstood: the order is under rules, or is to adopt rules, that this process does not know.
    """
    rules.check(order.rules)
    authorise(order, command, actor)
    if isinstance(command, StretchDeadlines):
        # Before time passes: the outage puts off deadlines that would otherwise be missed now.
        order, stretched = _record(order, decide(order, command, now), author_of(SYSTEM), now)
        order, passed = _pass_time(order, now)
        return order, stretched + passed
    order, passed = _pass_time(order, now)
    if isinstance(command, PassTime):
        return order, passed
    who = author(order, command, actor)
    try:
        check_role_in_state(order, command, actor)
        events = decide(order, command, now)
    except Refused as refusal:
        may = allowed(order, actor.role, now)
        raise Refused(order, refusal.action, refusal.code, may) from None
    order, recorded = _record(order, events, who, now)
    return order, passed + recorded


def _pass_time(order: Order, now: datetime) -> tuple[Order, tuple[Recorded, ...]]:
    """The order after everything that is due by time alone. One such event can make the next one due."""
    passed: tuple[Recorded, ...] = ()
    while events := decide(order, PassTime(), now):
        order, recorded = _record(order, events, author_of(SYSTEM), now)
        passed += recorded
        if order.rules < 2:
            break
    return order, passed


def _record(
    order: Order, events: Iterable[Event], who: Author, now: datetime
) -> tuple[Order, tuple[Recorded, ...]]:
    recorded = []
    for event in events:
        entry = Recorded(
            seq=order.version + 1,
            at=now,
            by=who.by,
            on_behalf_of=who.on_behalf_of,
            person=who.person,
            event=event,
        )
        order = evolve(order, entry)
        recorded.append(entry)
    return order, tuple(recorded)


def release(order: Order, settlement_id: str, now: datetime) -> tuple[Order, tuple[Recorded, ...]]:
    """Release an order whose settlement was voided: it is `completed` again. A repetition changes nothing.

    This is not a command: the workflow of a billed order has ended and takes none.

    Raises:
        Refused: it is not billed by this settlement.
    """
    if order.status is Status.COMPLETED and settlement_id in order.freed_from:
        return order, ()
    if order.settlement_id != settlement_id:
        raise Refused(order, "release", "wrong_state", actions(order))
    released = Recorded(
        seq=order.version + 1, at=now, by="system", event=Released(settlement_id=settlement_id)
    )
    return evolve(order, released), (released,)


def note_goods(
    order: Order, notice: Notice, actor: Actor, now: datetime
) -> tuple[Order, tuple[Recorded, ...]]:
    """Note goods that are reported after the order's end. A repetition has no effect, nor has a report under version 1.

    This is not a command: the workflow of such an order has ended and takes none.
    """
    if not order.status.is_final or order.rules < 2:
        return order, ()
    return _record(order, take_notice(order, notice, now), author_of(actor), now)
