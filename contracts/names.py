"""Names that clients and workers share: task queues, workflow ids, search attributes, messages."""

import re
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.common import SearchAttributeKey

from domain.months import Month

ORDERS_QUEUE: Final = "orders"
DOCUMENTS_QUEUE: Final = "documents"
INVOICES_QUEUE: Final = "invoices"
"""The queue for checks of uploaded invoices, so that a flood of them does not delay statements."""

SERVICE_ORDER: Final = "ServiceOrder"
SETTLEMENT: Final = "Settlement"
MONTHLY_BILLING: Final = "MonthlyBilling"
MONTHLY_BILLING_ID: Final = "monthly-billing"
MONTHLY_BILLING_SCHEDULE: Final = "monthly-billing"
DAILY_DIGEST: Final = "DailyDigest"
DAILY_DIGEST_ID: Final = "daily-digest"
DAILY_DIGEST_SCHEDULE: Final = "daily-digest"
RETENTION: Final = "Retention"
RETENTION_ID: Final = "data-retention"
RETENTION_SCHEDULE: Final = "data-retention"
ERASURE: Final = "Erasure"
COMMAND: Final = "command"
CHECK_INVOICE: Final = "check_invoice"
MAKE_DRAFT: Final = "make_draft"
MAKE_INVOICE: Final = "make_invoice"

RECONCILER: Final = "Reconciler"
RECONCILER_ID: Final = "reconciler"
RECONCILER_SCHEDULE: Final = "reconciler"
VIEW: Final = "view"
SNAPSHOT: Final = "snapshot"
NEXT_RUN: Final = "next_run"
"""The signal that makes an order or a settlement continue as new, with today's `SHELL`."""

REFUSED: Final = "Refused"
INVALID: Final = "Invalid"
ID_REUSED: Final = "RequestIdReused"
UNREADABLE: Final = "Unreadable"
NOT_MADE: Final = "NotMade"
"""The requested paper could not be made."""
NUMBER_USED: Final = "InvoiceNumberUsed"
"""Type of the failure of `make_invoice`: the partner has used the number for another settlement."""
NO_IBAN: Final = "NoIban"
"""Type of the failure of `make_invoice`: the partner has no IBAN, or one with which no payment part can be made."""
TOO_MANY_PAPERS: Final = "TooManyPapers"
"""Type of the failure of `make_invoice`: the settlement has as many invoices as it may have."""
TRY_AGAIN: Final = "ComeAgain"
"""Nothing was decided: the workflow continues in a new run. The caller sends the update again."""

SP_STATUS: Final = SearchAttributeKey.for_keyword("SpStatus")
PARTNER_ID: Final = SearchAttributeKey.for_keyword("PartnerId")
DEADLINE: Final = SearchAttributeKey.for_datetime("Deadline")
OVERDUE: Final = SearchAttributeKey.for_bool("Overdue")
SETTLEMENT_STATUS: Final = SearchAttributeKey.for_keyword("SettlementStatus")
CANTON: Final = SearchAttributeKey.for_keyword("Canton")
SCHEDULED_START: Final = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Set by the server: the scheduled time of a workflow, however late it starts."""

SHELL: Final = 2
"""The version of the workflows' shell (`workflows/entity.py`). A run keeps the one that it began with (`Start.shell`).

1: the records are written by local activities, and a workflow task may end without a command.
2: the records are written by ordinary activities, and every workflow task has a command.
"""

SEARCH_ATTRIBUTES: Final[dict[str, IndexedValueType.ValueType]] = {
    SP_STATUS.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    PARTNER_ID.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    DEADLINE.name: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    OVERDUE.name: IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    SETTLEMENT_STATUS.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    CANTON.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
}
"""Must be registered in the namespace before the first workflow starts."""

_SETTLEMENT_PREFIX: Final = "settlement-"
_FURTHER: Final = re.compile(r"-[2-9]$")


def is_taken(sp_id: str) -> bool:
    """Whether an SP-ID cannot be used, because it is the workflow id of a settlement or of a scheduled workflow.

    A scheduled run has the id of its workflow, followed by its time.
    """
    scheduled = (
        MONTHLY_BILLING_ID,
        MONTHLY_BILLING_SCHEDULE,
        DAILY_DIGEST_ID,
        DAILY_DIGEST_SCHEDULE,
        RECONCILER_ID,
        RECONCILER_SCHEDULE,
        RETENTION_ID,
        RETENTION_SCHEDULE,
    )
    return sp_id.startswith(_SETTLEMENT_PREFIX) or any(
        sp_id == each or sp_id.startswith(f"{each}-") for each in scheduled
    )


def order_id(sp_id: str) -> str:
    """The id of an order's workflow: its SP-ID."""
    return sp_id


def settlement_workflow_id(partner_id: str, month: Month, number: int = 1) -> str:
    """The id of a settlement's workflow. `number` is above 1 if it follows a voided settlement of the month."""
    further = f"-{number}" if number > 1 else ""
    return f"{_SETTLEMENT_PREFIX}{partner_id}-{month}{further}"


def settlement_in(workflow_id: str) -> tuple[str, Month, int]:
    """The partner, the month and the number in the month of a settlement's workflow, by its id.

    Raises:
        ValueError: it is not the id of a settlement's workflow.
    """
    if not workflow_id.startswith(_SETTLEMENT_PREFIX):
        raise ValueError(f"{workflow_id} is not the workflow of a settlement")
    name, number = workflow_id.removeprefix(_SETTLEMENT_PREFIX), 1
    if _FURTHER.search(name):  # a month has two digits
        name, number = name[:-2], int(name[-1])
    partner_id, _, month = name.rpartition("-")
    partner_id, _, year = partner_id.rpartition("-")
    return partner_id, Month.parse(f"{year}-{month}"), number
