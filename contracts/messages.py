"""Inputs, updates, answers and results of the workflows."""

import hashlib
import json
from datetime import date, datetime, timedelta
from typing import Literal, Self, TypedDict, Unpack

from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.activities import StoredAsSettling
from domain.actors import SYSTEM, Actor
from domain.errors import InvalidCommand
from domain.months import Month
from domain.orders.errors import Refused
from domain.orders.events import Recorded
from domain.orders.order import Order, Status
from domain.orders.outgoing import Effect
from domain.orders.placement import Intake
from domain.settlements.errors import SettlementRefused
from domain.settlements.events import SettlementRecorded
from domain.settlements.invoicing import OwnInvoice, Verdict
from domain.settlements.lines import Amount, LeftOut, Line
from domain.settlements.mails import SettlementMail
from domain.settlements.settlement import Opening, SettlementStatus
from domain.values import Language, Value

REMEMBERED_REQUESTS = 50
"""How many of its last requests a workflow recognises when they are repeated."""
EVENTS_CARRIED = 200
"""How many of its last events an order carries into its next run."""


class DisplaySettings(Value):
    """What a workflow needs to describe itself in the Temporal UI: the address of the pages, the language."""

    public_url: str
    language: Language = "de"


class Carried(Value):
    """What an order's workflow carries into its next run."""

    order: Order
    events: tuple[Recorded, ...]
    unsaved: tuple[Recorded, ...]
    outbox: tuple[Effect, ...]
    answered: dict[str, str]


class Start(Value):
    """The input of an order's workflow: a new order's intake and first event, or what an earlier run carried.

    `desk`: the display settings; histories have this key. `shell`: `names.SHELL` when the run began; 1 if that was
    before the field existed. `placed_at`: when the order was placed; releases that do not know `placed` write and read
    it instead.
    """

    desk: DisplaySettings
    shell: int = 1
    intake: Intake | None = None
    placed_at: datetime | None = None
    placed: Recorded | None = None
    carried: Carried | None = None


class Answer(Value):
    """The answer to a command: the order's version and state after it, and the digest of its events
    (domain/digest.py). The records hold the rest.

    `line`: what a settlement bills, if the order is billed now. A settlement takes its money from here, not from the
    records.
    """

    version: int
    status: Status
    digest: str = ""
    line: Line | None = None


class PassCounts(Value):
    """What a pass of the reconciler has done so far: orders and settlements compared, rows repaired, differences found,
    and workflows that gave no answer."""

    compared: int = 0
    repaired: int = 0
    found: int = 0
    unanswered: int = 0


class RetentionRunChanges(TypedDict, total=False):
    """The fields of a `RetentionRun` that change."""

    at: datetime | None
    after: str
    erased: int
    deleted: int


class RetentionRun(Value):
    """The input of the daily retention. `at`: the instant for which it runs; None: when it was scheduled."""

    at: datetime | None = None
    after: str = ""
    erased: int = 0
    deleted: int = 0

    def replace(self, **changes: Unpack[RetentionRunChanges]) -> Self:
        """The run with other values for these fields."""
        return self.model_copy(update=changes)


class Pass(Value):
    """The input of the reconciler: a new pass, or what an earlier run of the same pass carried.

    `min_age`: a younger workflow may not be recorded yet, which is no finding.
    """

    min_age: timedelta = timedelta(minutes=10)
    began: datetime | None = None
    tally: PassCounts = PassCounts()
    orders_done: bool = False
    settlements_done: bool = False
    position: str | None = None


class SettlementCarried(Value):
    """What a settlement's workflow carries into its next run.

    `asked`: how many of its orders have answered; `fees`: the sum of the fees of those that it has billed.
    """

    settlement: StoredAsSettling
    unsaved: tuple[SettlementRecorded, ...]
    outbox: tuple[SettlementMail, ...]
    answered: dict[str, str]
    asked: int = 0
    refused: tuple[LeftOut, ...] = ()
    fees: Amount | None = None


class SettlementStart(Value):
    """The input of a settlement's workflow: the opening of a new one, by whom and when, or what an earlier run carried.

    `desk`, `shell`: as in `Start`.
    """

    desk: DisplaySettings
    shell: int = 1
    opening: Opening | None = None
    opened_by: Actor = SYSTEM
    opened_at: datetime | None = None
    carried: SettlementCarried | None = None


class SettlementAnswer(Value):
    """The answer to a command: the settlement's version and state after it, and the digest of its events."""

    version: int
    status: SettlementStatus
    digest: str = ""


class Upload(Value):
    """An uploaded invoice: the paper's id, and who uploaded it."""

    paper_id: str
    actor: Actor


class InvoiceWanted(Value):
    """An invoice that CMI is to make and hand in for the partner: its number and date, and who wants it."""

    invoice: OwnInvoice
    actor: Actor


class Checked(Value):
    """The answer to an upload, or to an invoice to make: the verdict, and the settlement's version after it."""

    version: int
    verdict: Verdict


class BillingChanges(TypedDict, total=False):
    """The fields of a `Billing` that change during a run."""

    month: Month | None
    after: str | None
    all_seen: bool
    waiting: tuple[str, ...]
    rounds: int
    opened: int
    there: int


class Billing(Value):
    """The input of the monthly billing: a month (by default the one before the scheduled time), or what an earlier run
    carried.

    `waiting`: partners whose settlement could not be opened yet. `there`: how many settlements existed already.
    """

    month: Month | None = None
    after: str | None = None
    all_seen: bool = False
    waiting: tuple[str, ...] = ()
    rounds: int = 0
    opened: int = 0
    there: int = 0

    def replace(self, **changes: Unpack[BillingChanges]) -> Self:
        """The input with other values for these fields."""
        return self.model_copy(update=changes)


class Billed(Value):
    """The result of the monthly billing: how many settlements it opened, and how many existed already."""

    month: Month
    opened: int
    there: int


DigestCount = Literal["sent", "nothing_open", "resting", "refused", "failed"]


class DigestCounts(Value):
    """What the digest has done so far, in partners. `failed`: could not be sent before the offices closed."""

    sent: int = 0
    nothing_open: int = 0
    resting: int = 0
    refused: int = 0
    failed: int = 0

    def plus(self, count: DigestCount, more: int) -> Self:
        """These counts with `more` added to one of them."""
        return self.model_copy(update={count: getattr(self, count) + more})


class DigestRunChanges(TypedDict, total=False):
    """The fields of a `DigestRun` that change during a run."""

    at: datetime | None
    after: str | None
    all_seen: bool
    waiting: tuple[str, ...]
    day: date | None
    closes: datetime | None
    tally: DigestCounts


class DigestRun(Value):
    """The input of the daily digest: an instant (by default the scheduled time), or what an earlier run carried.

    `waiting`: partners whose mail could not be sent yet. `day`, `closes`: as in `DigestPartners`.
    """

    at: datetime | None = None
    after: str | None = None
    all_seen: bool = False
    waiting: tuple[str, ...] = ()
    day: date | None = None
    closes: datetime | None = None
    tally: DigestCounts = DigestCounts()

    def replace(self, **changes: Unpack[DigestRunChanges]) -> Self:
        """The input with other values for these fields."""
        return self.model_copy(update=changes)


def fingerprint(command: Value) -> str:
    """Identifies what a command asks for, to recognise a request id that comes again with another command.

    Fields with their default value do not count, so that a process that does not know such a field yet agrees.
    """
    asked = {
        "type": getattr(command, "type", None),
        **command.model_dump(mode="json", exclude_defaults=True),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def remember(answered: dict[str, str], request_id: str, outcome: str) -> None:
    """Keep the outcome of a request among the last `REMEMBERED_REQUESTS`, to recognise it when it comes again."""
    answered.pop(request_id, None)
    answered[request_id] = outcome
    while len(answered) > REMEMBERED_REQUESTS:
        del answered[next(iter(answered))]


def try_again() -> ApplicationError:
    """The failure of an update that decided nothing. The caller sends it again, to the workflow's next run."""
    return ApplicationError("the workflow goes on in its next run", type=names.TRY_AGAIN)


REFUSALS = (Refused, SettlementRefused, InvalidCommand)
"""What the domain raises when it refuses a command."""


def refusal(error: Refused | SettlementRefused | InvalidCommand) -> ApplicationError:
    """The answer to a refused command: what was asked, why it is refused, in which state, and what is allowed; or which
    field is invalid.
    """
    if isinstance(error, InvalidCommand):
        return ApplicationError(
            str(error), {"field": error.field, "code": error.code}, type=names.INVALID
        )
    facts = {
        "action": error.action,
        "code": error.code,
        "status": error.status.value,
        "allowed": list(error.allowed),
    }
    return ApplicationError(str(error), facts, type=names.REFUSED)
