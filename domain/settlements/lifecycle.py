"""The life of a settlement: how it begins, takes commands, and is rebuilt from its events (docs/rules.md).

Orders are only SP-IDs here, so that thousands of them fit into a workflow; their lines are in the records.
"""

from collections.abc import Iterable
from datetime import datetime

from domain import rules
from domain.actors import SYSTEM, Actor
from domain.authors import Author, author_of
from domain.errors import NotUnderstood
from domain.settlements.access import action_of, author, authorise
from domain.settlements.commands import Command, PassTime
from domain.settlements.decide import decide
from domain.settlements.events import Opened, SelectionClosed, SettlementEvent, SettlementRecorded
from domain.settlements.evolve import evolve
from domain.settlements.settlement import Opening, Settlement, SettlementStatus


def begin(opening: Opening, at: datetime) -> Settlement:
    """The settlement before its first event."""
    return Settlement(
        opening=opening.model_copy(update={"picked": (), "left_out": ()}),
        rules=opening.rules,
        status=SettlementStatus.OPEN,
        picked=(),
        opened_at=at,
    )


def open_settlement(
    opening: Opening, actor: Actor, now: datetime
) -> tuple[Settlement, tuple[SettlementRecorded, ...]]:
    """A new settlement and the first events of its life. One that its partner opens is closed at once.

    Raises:
        NotUnderstood: it is opened under rules that this process does not know.
    """
    rules.check(opening.rules)
    within = opening.policy.settlement.select_within
    until = opening.calendar.due(now, within) if opening.automatic else None
    settlement = begin(opening, now)
    events: list[SettlementEvent] = [
        Opened(sp_ids=opening.picked, left_out=opening.left_out, selectable_until=until)
    ]
    if not opening.automatic:
        events.append(SelectionClosed())
    return _record(settlement, events, author(settlement, None, actor), now)


def check_understood(settlement: Settlement) -> None:
    """Check that this process may go on with a settlement that another process wrote.

    Raises:
        NotUnderstood: it is in a state, or under rules, that only a newer process knows.
    """
    rules.check(settlement.rules)
    if not settlement.status.is_known:
        raise NotUnderstood(f"state {settlement.status}")


def fold(opening: Opening, events: Iterable[SettlementRecorded]) -> Settlement:
    """The settlement that results from all events of its life, in their order."""
    events = tuple(events)
    settlement = begin(opening, events[0].at)
    for recorded in events:
        settlement = evolve(settlement, recorded)
    return settlement


def handle(
    settlement: Settlement, command: Command, actor: Actor, now: datetime
) -> tuple[Settlement, tuple[SettlementRecorded, ...]]:
    """The settlement after a command, and the events. Those that are due by time alone at `now` come first.

    Raises:
        SettlementRefused: not allowed in this state, or not to this actor.
        NotUnderstood: it is under rules, or is to adopt rules, that this process does not know.
    """
    rules.check(settlement.rules)
    settlement, passed = _record(
        settlement, decide(settlement, PassTime(), now), author_of(SYSTEM), now
    )
    if isinstance(command, PassTime):
        return settlement, passed
    action = action_of(command)
    if action is not None:
        authorise(settlement, action, actor, now)
    who = author(settlement, command, actor)
    settlement, recorded = _record(settlement, decide(settlement, command, now), who, now)
    return settlement, passed + recorded


def _record(
    settlement: Settlement, events: Iterable[SettlementEvent], who: Author, now: datetime
) -> tuple[Settlement, tuple[SettlementRecorded, ...]]:
    recorded = []
    for event in events:
        entry = SettlementRecorded(
            seq=settlement.version + 1,
            at=now,
            by=who.by,
            on_behalf_of=who.on_behalf_of,
            event=event,
        )
        settlement = evolve(settlement, entry)
        recorded.append(entry)
    return settlement, tuple(recorded)
