"""What goes into an order's workflow and comes out of it."""

from datetime import datetime, timedelta

from domain.effects import Effect
from domain.events import Recorded
from domain.order import Intake, Order, Status
from domain.values import Language, Value


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
    """The input of an order's workflow: a new order's intake and when it was placed, or what an earlier run carried."""

    desk: Desk
    intake: Intake | None = None
    placed_at: datetime | None = None
    carried: Carried | None = None


class Answer(Value):
    """What a command's sender is told: the order's version and state after it. The records hold the rest."""

    version: int
    status: Status


class Tally(Value):
    """What a pass of the reconciler has done so far: orders compared, rows repaired, differences found, no answers."""

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
    position: str | None = None
