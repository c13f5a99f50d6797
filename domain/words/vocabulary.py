"""What a language must bring to say all that the domain has to say; each language is one module."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from domain.actors import Role
from domain.orders.commands import ChecklistAnswer, ChecklistItem
from domain.orders.order import DeadlineKind, Party, Status
from domain.settlements.settlement import SettlementStatus

Unit = Literal["working day", "day", "hour", "minute", "second", "weekend"]


class DeadlineWords(NamedTuple):
    """All that is said of a deadline.

    `label`: what has to be done by it. `start`: what it runs from, before the instant. `task`: what it is for, after
    "the deadline for". `please`: asks the partner for it, with `due` in it; empty of a deadline of the retailer.
    """

    label: str
    start: str
    task: str
    please: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words and sentences of one language. Names in braces are filled in; all else is said as it stands.

    `reasons`, `actions`, `outcomes`, `mails`, `refusals` and `invalid` are looked up by codes that travel as data; so
    are those of settlements.
    """

    statuses: Mapping[Status, str]
    deadlines: Mapping[DeadlineKind, DeadlineWords]
    actions: Mapping[str, str]
    parties: Mapping[Party, str]
    ball: str
    roles: Mapping[Role, str]
    named: str
    on_behalf: str
    reasons: Mapping[str, str]
    items: Mapping[ChecklistItem, str]
    answers: Mapping[ChecklistAnswer, str]
    outcomes: Mapping[str, str]
    mails: Mapping[str, str]

    # Monday and January first; `first` is how the first day of a month is written.
    weekdays: tuple[str, str, str, str, str, str, str]
    months: tuple[str, str, str, str, str, str, str, str, str, str, str, str]
    day: str
    first: str
    # One of it in words, then the noun after 1 and after more; `numbers` are two and three in words.
    units: Mapping[Unit, tuple[str, str, str]]
    numbers: tuple[str, str]
    zero: str

    due: str
    adopted: str
    canton: str
    skipped: str
    holiday: str

    refusals: Mapping[str, str]
    allowed: str
    nothing_allowed: str
    invalid: Mapping[str, str]
    invalid_otherwise: str

    events: Mapping[str, str]
    unknown_event: str
    quote: str

    settlement_statuses: Mapping[SettlementStatus, str]
    settlement_actions: Mapping[str, str]
    settlement_refusals: Mapping[str, str]
    left_out: Mapping[str, str]
    settlement_events: Mapping[str, str]
    settlement_mails: Mapping[str, str]
