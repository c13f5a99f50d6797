"""Examples for the OpenAPI document: request bodies about settlements, and a settlement as the API answers it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from fastapi.openapi.models import Example

from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.months import Month
from domain.orders.placement import Assignee
from domain.policy import Policy
from domain.settlements.account import SettlementAccount
from domain.settlements.commands import TakeClaims, TakeStatement
from domain.settlements.lifecycle import handle, open_settlement
from domain.settlements.lines import VAT_RATES, LeftOut, Line
from domain.settlements.settlement import Opening, Statement
from web.api.examples import NOTHING as NOTHING
from web.api.examples import Examples, one
from words.settlement_view import SettlementView, settlement_view

OPENING: Examples = {
    "partner": Example(summary="A partner", value={"sp_ids": ["SP-1048213", "SP-1048377"]}),
    "operations": Example(
        summary="Operations in its place",
        value={"sp_ids": ["SP-1048213"], "partner_id": "elektro-huber"},
    ),
}
SELECTION = one("One of them only", {"sp_ids": ["SP-1048213"]})
VOID = one("A wrong fee", {"reason": "The fee of SP-1048213 was wrong."})
RECEIVED = one("By post", {"note": "By post, on 12 November."})
DECISION: Examples = {
    "accept": Example(summary="The account is right", value={"decision": "accept"}),
    "return": Example(
        summary="It is not",
        value={"decision": "return", "reason": "The account is not yours."},
    ),
}
TO_MAKE = one("An invoice", {"invoice_number": "R-2026-117", "invoice_date": "2026-12-01"})
RETURN = one("A wrong address", {"reason": "The address of the recipient is an old one."})
PAID = one("By bank transfer", {"paid_on": "2026-12-14", "reference": "2026-4711"})
PAYMENTS_FILE = (
    "settlement_id;amount;paid_on;reference\r\n"
    "V202611-Q93Q3BS6;278.90;2026-12-14;2026-4711\r\nV202611-7KQ4MXBP;80,5;14.12.2026;\r\n"
)
IMPORTED: dict[str, Any] = {
    "counts": {"paid": 1, "amount_differs": 1},
    "rows": [
        {
            "line": 2,
            "settlement_id": "V202611-Q93Q3BS6",
            "result": "paid",
            "column": None,
            "text": "Recorded as paid.",
        },
        {
            "line": 3,
            "settlement_id": "V202611-7KQ4MXBP",
            "result": "amount_differs",
            "column": "amount",
            "text": "The amount is not the total of the settlement, CHF 80.05.",
        },
    ],
}
CORRECTION: Examples = {
    "plus": Example(
        summary="An amount more",
        value={"sp_id": "SP-1048213", "amount": "35.00", "reason": "Second trip"},
    ),
    "minus": Example(
        summary="An amount less",
        value={"sp_id": "SP-1048213", "amount": "-20.00", "reason": "Fee agreed by telephone"},
    ),
}
UPLOAD: dict[str, Any] = {
    "requestBody": {"content": {"multipart/form-data": {"example": {"file": "%PDF-1.7 …"}}}}
}
PAPERS = {
    "application/pdf": "%PDF-1.7 …",
    "text/csv": "sp_id,sales_order_id,executed_on,…\r\nSP-1048213,48392011,2026-11-09,…\r\n",
}
INVOICE: dict[str, Any] = {
    "accepted": False,
    "missing": ["SP-1048377"],
    "foreign": [],
    "problems": ["The total of CHF 278.90 is not on the invoice."],
}
CORRECTED: dict[str, Any] = {
    "correction_id": "cor_5d1e0c9a7b2f4e63",
    "partner_id": "elektro-huber",
    "sp_id": "SP-1048213",
    "amount": "-20.00",
    "reason": "Fee agreed by telephone",
    "by": "operations:Anna Meier",
    "at": "2026-12-02T09:12:00+01:00",
    "settlement_id": None,
}


def settlement() -> SettlementView:
    """A settlement whose statement is issued, as its partner sees it."""
    opened_at = datetime(2026, 11, 30, 15, 12, tzinfo=UTC)
    policy = Policy()
    lines = tuple(
        Line(
            sp_id=sp_id,
            sales_order_id=sales_order_id,
            executed_on=date(2026, 11, day),
            service="Waschmaschine anschliessen",
            customer_place="8004 Zürich",
            fee=Decimal("129.00"),
        )
        for sp_id, sales_order_id, day in (
            ("SP-1048213", "48392011", 9),
            ("SP-1048377", "48392544", 16),
        )
    )
    opening = Opening(
        partner=Assignee(
            partner_id="elektro-huber", name="Elektro Huber AG", canton="ZH", language="de"
        ),
        month=Month(2026, 11),
        policy=policy,
        calendar=pin_calendar("ZH", policy, opened_at.date()),
        vat_rates=VAT_RATES,
        picked=tuple(line.sp_id for line in lines),
        left_out=(LeftOut(sp_id="SP-1048401", reason="not_completed"),),
        automatic=False,
    )
    partner = Actor(role="partner", name="Elektro Huber", partner_id="elektro-huber")
    settlement, events = open_settlement(opening, partner, opened_at)
    account = SettlementAccount(
        settlement_id=settlement.settlement_id,
        partner_id="elektro-huber",
        month=opening.month,
        lines=lines,
        vat_rates=VAT_RATES,
        opened_at=opened_at,
    )
    statement = Statement(
        paper_id="",
        sha256="5f1d7a84db00d2fce00b31a7fc73224f8a4b5cdb3d7ea5c1f6a2b3d4e5f60718",
        template_version="1",
        input_checksum="0c9a7b2f4e635d1e91c04b7de2a85f360c9a7b2f4e635d1e91c04b7de2a85f36",
        pages=1,
        net=account.net,
        vat=account.vat,
        total=account.total,
    )
    now = opened_at
    for command in (
        TakeClaims(refused=(), corrections=()),
        TakeStatement(statement=statement),
    ):
        now += timedelta(seconds=1)
        settlement, more = handle(settlement, command, SYSTEM, now)
        events += more
    return settlement_view(settlement, account, events, now, "en", "partner")
