"""The names of the activities and what their failures are called: all that workflows know of them."""

from datetime import date, datetime, timedelta
from typing import Literal

from domain.months import Month
from domain.orders.events import Recorded
from domain.orders.order import Order
from domain.policy import Policy
from domain.settlements.events import SettlementRecorded
from domain.settlements.lifecycle import Settling
from domain.settlements.settlement import Amount, LeftOut
from domain.values import Value

SEND_MAIL = "send_mail"  # (Mail) -> None
REQUEST_SHIPPING = "request_shipping"  # (ShippingRequest) -> None
SAVE_ORDER = "save_order"  # (Snapshot) -> int, the version that the records now hold or a newer one
PIN_CALENDAR = "pin_calendar"  # (CalendarWanted) -> Calendar
COMPARE_ORDERS = "compare_orders"  # (OpenBatch) -> Compared
COMPARE_SETTLEMENTS = "compare_settlements"  # (OpenBatch) -> Compared
FIND_UNRECORDED = "find_unrecorded"  # (WorkflowBatch) -> Compared
REPORT_FINDINGS = (
    "report_findings"  # (datetime, when the pass began) -> int, how many findings stand
)

# Settlements. Those marked "documents" run on that queue: they need memory and time, and slow no order down.
SAVE_SETTLEMENT = "save_settlement"  # (SettlementSnapshot) -> int, the version that the records now hold or a newer one
CLAIM_ORDERS = "claim_orders"  # (OrdersOf) -> Claims
TAKE_CORRECTIONS = "take_corrections"  # (SettlementOf) -> tuple[CorrectionLine, ...]
MAKE_STATEMENT = "make_statement"  # documents: (StatementWanted) -> Statement
MAKE_DRAFT = "make_draft"  # documents: (SettlementOf) -> str, the paper's id
CHECK_INVOICE = "check_invoice"  # documents: (InvoiceToCheck) -> Verdict
SEND_SETTLEMENT_MAIL = "send_settlement_mail"  # (SettlementMail) -> None
RELEASE_ORDERS = "release_orders"  # (OrdersOf) -> None
RELEASE_CORRECTIONS = "release_corrections"  # (SettlementOf) -> None
PARTNERS_TO_SETTLE = (
    "partners_to_settle"  # (PartnersWanted) -> tuple[str, ...], in order, at most `limit`
)
OPEN_SETTLEMENT = "open_settlement"  # (SettlementOf) -> bool, whether it is new

DIGEST_PARTNERS = "digest_partners"  # (DigestPage) -> DigestPartners
SEND_DIGEST = "send_digest"  # (DigestWanted) -> DigestOutcome

MAIL_GIVEN_UP = "MailGivenUp"
"""Type of the failure of a mail that its receiver has refused for days. It is not tried again."""


class Snapshot(Value):
    """An order as it is, and the last of its events, without a gap: to the records go those that they may lack.

    `shell`: that of its run (`contracts.names.SHELL`).
    """

    order: Order
    events: tuple[Recorded, ...]
    shell: int = 1


class CalendarWanted(Value):
    """Whose calendar, and from which day on. `policy` is that of an order that outlives the calendar pinned at its
    start; without one it is the configured policy."""

    canton: str
    policy: Policy | None = None
    start: date


FindingKind = Literal[
    "terminated",
    "failed",
    "timed_out",
    "canceled",
    "missing",
    "ended",
    "stuck",
    "reset",
    "stale",
    "different",
    "unclosed",
    "unrecorded",
]
"""How an order, or a settlement, and its workflow can differ.

It is open, and its workflow was `terminated`, has `failed`, `timed_out`, been `canceled`, is `missing` on the
server, or has `ended` normally although it is not over; or it runs, but its tasks fail (`stuck`). Or the records did
not hold what the workflow says, and were repaired: they were behind a running workflow (`stale`) or one that has ended
(`unclosed`), were ahead of it (`reset`: somebody has reset it in Temporal), told other events or another state at the
same version (`different`), or did not know it at all (`unrecorded`).
"""


class OpenBatch(Value):
    """The open orders or settlements to be compared in one go: those after one. `began` is when the pass began."""

    began: datetime
    after: str | None = None


class WorkflowBatch(Value):
    """The open workflows to be looked up in one go: those of a page of the server's list, older than `min_age`."""

    began: datetime
    min_age: timedelta
    page: str | None = None


class Compared(Value):
    """How a batch came out. `next` is what the next one begins with; none after the last one."""

    next: str | None
    compared: int
    repaired: int
    found: int
    unanswered: int = 0


class SettlementSnapshot(Value):
    """A settlement as it is, and the last of its events, as `Snapshot`."""

    settling: Settling
    events: tuple[SettlementRecorded, ...]
    shell: int = 1


class SettlementOf(Value):
    """One settlement: which partner's, of which month."""

    partner_id: str
    month: Month


class OrdersOf(Value):
    """Some of the orders of a settlement, to be claimed or set free in one go."""

    settlement: SettlementOf
    sp_ids: tuple[str, ...]


class Claims(Value):
    """The orders of a batch that refused. All others are billed by the settlement now, and `fees` is the sum of what
    they have told; none from a worker of before there was such a sum."""

    refused: tuple[LeftOut, ...]
    fees: Amount | None = None


class StatementWanted(Value):
    """The statement of a settlement whose records are of this version or newer, created on this local day."""

    settlement: SettlementOf
    version: int
    created: date


class InvoiceToCheck(Value):
    """An uploaded paper, to be checked against its settlement."""

    settlement: SettlementOf
    paper_id: str


class PartnersWanted(Value):
    """Partners with unbilled orders executed by the end of the month, that have no settlement of it, after one."""

    month: Month
    after: str | None = None
    limit: int = 200


class DigestPage(Value):
    """Partners with something to do, after one; `at` is when the digest is of."""

    at: datetime
    after: str | None = None
    limit: int = 100


class DigestPartners(Value):
    """Those who work on that day, by id; `resting` do not. `next` is what the next page begins with, if there is one.

    `day` is the local day, and `closes` when its office hours end: a digest that comes later is of no use.
    """

    day: date
    closes: datetime
    partner_ids: tuple[str, ...]
    resting: int
    next: str | None


class DigestWanted(Value):
    """One partner's digest of a day, worth sending until `closes`."""

    partner_id: str
    day: date
    closes: datetime


DigestOutcome = Literal["sent", "nothing_open", "too_late", "refused"]
"""What came of a digest. `refused`: neither the firm's address nor a login's takes it."""
