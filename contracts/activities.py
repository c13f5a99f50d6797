"""The names of the activities, their arguments and results, and the names of their failures."""

from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field

from domain.months import Month
from domain.orders.events import Recorded
from domain.orders.order import Order
from domain.policy import Policy
from domain.settlements.events import SettlementRecorded
from domain.settlements.ids import settlement_id
from domain.settlements.invoicing import OwnInvoice
from domain.settlements.lines import Amount, LeftOut
from domain.settlements.settlement import Opening, Settlement
from domain.values import Value

SEND_MAIL = "send_mail"  # (Mail) -> None
REQUEST_SHIPPING = "request_shipping"  # (ShippingRequest) -> None
STOP_SHIPPING = "stop_shipping"  # (ShippingStop) -> None
NOTIFY_SHOP = "notify_shop"  # (ShopNotice) -> None
SAVE_ORDER = "save_order"  # (Snapshot) -> int, the version in the records: this one or a newer one
PIN_CALENDAR = "pin_calendar"  # (CalendarWanted) -> Calendar
COMPARE_ORDERS = "compare_orders"  # (OpenBatch) -> Compared
COMPARE_SETTLEMENTS = "compare_settlements"  # (OpenBatch) -> Compared
FIND_UNRECORDED = "find_unrecorded"  # (WorkflowBatch) -> Compared
REPORT_FINDINGS = (
    "report_findings"  # (datetime, when the pass began) -> int, how many findings stand
)

# Settlements. Those marked "documents" or "invoices" run on those queues: they need memory and time.
SAVE_SETTLEMENT = "save_settlement"  # (SettlementSnapshot) -> int, the version in the records: this one or a newer one
CLAIM_ORDERS = "claim_orders"  # (OrdersOf) -> Claims
TAKE_CORRECTIONS = "take_corrections"  # (SettlementOf) -> tuple[CorrectionLine, ...]
MAKE_STATEMENT = "make_statement"  # documents: (StatementWanted) -> Statement
MAKE_DRAFT = "make_draft"  # documents: (SettlementOf) -> str, the paper's id
MAKE_INVOICE = "make_invoice"  # documents: (InvoiceToMake) -> str, the paper's id
CHECK_INVOICE = "check_invoice"  # invoices: (InvoiceToCheck) -> Verdict
SEND_SETTLEMENT_MAIL = "send_settlement_mail"  # (SettlementMail) -> None
RELEASE_ORDERS = "release_orders"  # (OrdersOf) -> None
RELEASE_CORRECTIONS = "release_corrections"  # (SettlementOf) -> None
PARTNERS_TO_SETTLE = (
    "partners_to_settle"  # (PartnersWanted) -> tuple[str, ...], in order, at most `limit`
)
OPEN_SETTLEMENT = "open_settlement"  # (SettlementOf) -> bool, whether it is new

DIGEST_PARTNERS = "digest_partners"  # (DigestPage) -> DigestPartners
SEND_DIGEST = "send_digest"  # (DigestWanted) -> DigestOutcome

KEEP_RETENTION = "keep_retention"  # (RetentionBatch) -> RetentionDone
FINISH_ERASURE = "finish_erasure"  # (ErasureOf) -> None

MAIL_GIVEN_UP = "MailGivenUp"
"""Type of the failure of a mail that was refused for days. It is not retried."""


class Snapshot(Value):
    """An order and its last events, without a gap. To be saved, it has the events that the records may lack.

    `shell`: the version of its run's shell (`contracts.names.SHELL`).
    """

    order: Order
    events: tuple[Recorded, ...]
    shell: int = 1


class RetentionBatch(Value):
    """A batch of what is older than its retention at `at`. `after`: the erased order after which the batch begins."""

    at: datetime
    after: str = ""


class RetentionDone(Value):
    """How much a batch erased or deleted. `next`: what the next batch begins after; None: nothing is left."""

    erased: int = 0
    deleted: int = 0
    next: str | None = None


class ErasureOf(Value):
    """An order whose customer's data were erased in the records, and may still be in Temporal and in files."""

    sp_id: str


class CalendarWanted(Value):
    """The calendar of a canton from a day on, by an order's policy or, without one, by the configured policy."""

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
"""How an order or a settlement in the records can differ from its workflow.

It is open in the records, but its workflow was `terminated`, has `failed`, has `timed_out`, was `canceled`, is
`missing` on the server, or has `ended` normally; or the workflow is running, but its tasks fail (`stuck`).

Or the records differed from the workflow and were repaired: they were behind a running workflow (`stale`) or behind one
that has ended (`unclosed`), were ahead of it (`reset`: somebody reset it in Temporal), held other events or another
state of the same version (`different`), or lacked it (`unrecorded`).
"""


class OpenBatch(Value):
    """A batch of open orders or settlements to compare: those after an id. `began` is when the pass began."""

    began: datetime
    after: str | None = None


class WorkflowBatch(Value):
    """A batch of open workflows to look up: a page of the server's list, those older than `min_age`."""

    began: datetime
    min_age: timedelta
    page: str | None = None


class Compared(Value):
    """The result of a batch. `next`: what the next batch begins with; None after the last one."""

    next: str | None
    compared: int
    repaired: int
    found: int
    unanswered: int = 0


StoredAsSettling = Annotated[
    Settlement,
    Field(validation_alias=AliasChoices("settlement", "settling"), serialization_alias="settling"),
]
"""A settlement whose JSON key is `settling`, because histories have this key."""


class SettlementSnapshot(Value):
    """A settlement and its last events, like `Snapshot` for an order."""

    settlement: StoredAsSettling
    events: tuple[SettlementRecorded, ...]
    shell: int = 1


class SettlementOf(Value):
    """One settlement, by its partner, its month, and its number in the month."""

    partner_id: str
    month: Month
    number: int = 1

    @classmethod
    def opened_by(cls, opening: Opening) -> Self:
        """The settlement with this opening."""
        partner_id = opening.partner.partner_id
        return cls(partner_id=partner_id, month=opening.month, number=opening.number)

    @property
    def settlement_id(self) -> str:
        """Its id."""
        return settlement_id(self.partner_id, self.month, self.number)


class OrdersOf(Value):
    """A batch of a settlement's orders, to claim or to release."""

    settlement: SettlementOf
    sp_ids: tuple[str, ...]


class Claims(Value):
    """The orders of a batch that refused. The settlement has billed all others; `fees` is the sum of their fees, None
    from a worker that did not know the field."""

    refused: tuple[LeftOut, ...]
    fees: Amount | None = None


class StatementWanted(Value):
    """The statement of a settlement, made from records of this version or newer, dated this local day."""

    settlement: SettlementOf
    version: int
    created: date


class InvoiceToCheck(Value):
    """An uploaded invoice to check against its settlement."""

    settlement: SettlementOf
    paper_id: str


class InvoiceToMake(Value):
    """A partner's invoice to make, with its own number and date."""

    settlement: SettlementOf
    invoice: OwnInvoice


class PartnersWanted(Value):
    """A page of the partners that have unbilled orders executed by the end of a month, and no settlement of it."""

    month: Month
    after: str | None = None
    limit: int = 200


class DigestPage(Value):
    """A page of the partners with something to do. `at`: the instant that the digest describes."""

    at: datetime
    after: str | None = None
    limit: int = 100


class DigestPartners(Value):
    """The partners of a page that work on the day; `resting`: how many do not. `next`: what the next page begins with.

    `day` is the local day, and `closes` the end of its office hours: a later digest is of no use.
    """

    day: date
    closes: datetime
    partner_ids: tuple[str, ...]
    resting: int
    next: str | None


class DigestWanted(Value):
    """One partner's digest of a day, to be sent until `closes`."""

    partner_id: str
    day: date
    closes: datetime


DigestOutcome = Literal["sent", "nothing_open", "too_late", "refused"]
"""The result of sending a digest. `refused`: the mail server refused the firm's address and those of its logins."""
