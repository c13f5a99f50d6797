"""What goes into workflows and comes out of them."""

import hashlib
import json
from datetime import date, datetime, timedelta

from temporalio.exceptions import ApplicationError

from contracts import names
from domain.actors import SYSTEM, Actor
from domain.months import Month
from domain.orders.effects import Effect
from domain.orders.errors import Refused
from domain.orders.events import Recorded
from domain.orders.order import Intake, Order, Status
from domain.settlements.commands import Opening
from domain.settlements.errors import SettlementRefused
from domain.settlements.events import SettlementRecorded
from domain.settlements.invoicing import Verdict
from domain.settlements.lifecycle import Settling
from domain.settlements.mails import SettlementMail
from domain.settlements.settlement import Amount, LeftOut, Line, SettlementStatus
from domain.values import Language, Value

REMEMBERED_REQUESTS = 50
EVENTS_CARRIED = 200
"""How many of its last events an order takes along into its next run."""


class Desk(Value):
    """What an order's workflow must know of its surroundings to be readable in the Temporal UI."""

    public_url: str
    language: Language = "de"


class Carried(Value):
    """What an order's workflow hands to its next run."""

    order: Order
    events: tuple[Recorded, ...]
    unsaved: tuple[Recorded, ...]
    outbox: tuple[Effect, ...]
    answered: dict[str, str]


class Start(Value):
    """The input of an order's workflow: a new order's intake and when it was placed, or what an earlier run carried.

    `shell`: `names.SHELL` when the run began. Runs that began before there was such a number have the first one.
    """

    desk: Desk
    shell: int = 1
    intake: Intake | None = None
    placed_at: datetime | None = None
    carried: Carried | None = None


class Answer(Value):
    """What a command's sender is told: the order's version and state after it, and the digest of its events
    (domain/digest.py). The records hold the rest.

    `line`: what a settlement bills, if the order is billed now. Money comes from the order itself.
    """

    version: int
    status: Status
    digest: str = ""
    line: Line | None = None


class Tally(Value):
    """What a pass of the reconciler has done so far: how many orders and settlements it has compared, how many rows
    repaired, how many differences found, and how many gave no answer."""

    compared: int = 0
    repaired: int = 0
    found: int = 0
    unanswered: int = 0


class Pass(Value):
    """The input of the reconciler: a new pass, or what an earlier run of the same pass carried.

    `min_age`: how old a workflow must be to be missed in the records; the server's list is not always up to date.
    """

    min_age: timedelta = timedelta(minutes=10)
    began: datetime | None = None
    tally: Tally = Tally()
    orders_done: bool = False
    settlements_done: bool = False
    position: str | None = None


class SettlementCarried(Value):
    """What a settlement's workflow hands to its next run.

    `asked`: how many of its orders have answered already; `fees`: what those that it has billed come to.
    """

    settling: Settling
    unsaved: tuple[SettlementRecorded, ...]
    outbox: tuple[SettlementMail, ...]
    answered: dict[str, str]
    asked: int = 0
    refused: tuple[LeftOut, ...] = ()
    fees: Amount | None = None


class SettlementStart(Value):
    """The input of a settlement's workflow: an opening, by whom and when, or what an earlier run carried.

    `shell`: as in `Start`.
    """

    desk: Desk
    shell: int = 1
    opening: Opening | None = None
    opened_by: Actor = SYSTEM
    opened_at: datetime | None = None
    carried: SettlementCarried | None = None


class SettlementAnswer(Value):
    """What a command's sender is told: the settlement's version and state after it, and the digest of its events."""

    version: int
    status: SettlementStatus
    digest: str = ""


class Upload(Value):
    """An invoice that was uploaded, by whom, and where it is kept."""

    paper_id: str
    actor: Actor


class Checked(Value):
    """What came of an uploaded invoice, and the settlement's version after it."""

    version: int
    verdict: Verdict


class Billing(Value):
    """The input of the monthly workflow: which month (the one before the scheduled time if it is not said), or what an
    earlier run carried. `waiting` are partners whose settlement could not be opened yet."""

    month: Month | None = None
    after: str | None = None
    all_seen: bool = False
    waiting: tuple[str, ...] = ()
    rounds: int = 0
    opened: int = 0
    there: int = 0


class Billed(Value):
    """What a monthly run came to: settlements opened, and those that were there already."""

    month: Month
    opened: int
    there: int


class DigestTally(Value):
    """What a digest came to so far, in partners; `failed` ones could not be sent before the offices closed."""

    sent: int = 0
    nothing_open: int = 0
    resting: int = 0
    refused: int = 0
    failed: int = 0


class DigestRun(Value):
    """The input of the daily digest: of which instant (the scheduled one if it is not said), or what an earlier run
    carried.

    `waiting`: partners whose mail did not get out yet, for the day and until the instant that were found out before.
    """

    at: datetime | None = None
    after: str | None = None
    all_seen: bool = False
    waiting: tuple[str, ...] = ()
    day: date | None = None
    closes: datetime | None = None
    tally: DigestTally = DigestTally()


def fingerprint(command: Value) -> str:
    """Tells whether a request that comes once more asks for the same as before.

    What has its standard value does not count: a process that does not know the field yet says the same.
    """
    asked = {
        "type": getattr(command, "type", None),
        **command.model_dump(mode="json", exclude_defaults=True),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def remember(answered: dict[str, str], request_id: str, outcome: str) -> None:
    """Note what came of a request, among the newest so many, so that the same request once more is known."""
    answered.pop(request_id, None)
    answered[request_id] = outcome
    while len(answered) > REMEMBERED_REQUESTS:
        del answered[next(iter(answered))]


def come_again() -> ApplicationError:
    """What an update is told that can be asked again soon, of the workflow's next run."""
    return ApplicationError("the workflow goes over into its next run", type=names.COME_AGAIN)


def refusal(error: Refused | SettlementRefused) -> ApplicationError:
    """What the sender of a command that is not allowed is told: what, why, in which state, and what is allowed."""
    facts = {
        "action": error.action,
        "code": error.code,
        "status": error.status.value,
        "allowed": list(error.allowed),
    }
    return ApplicationError(str(error), facts, type=names.REFUSED)
