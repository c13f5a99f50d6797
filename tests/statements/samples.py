"""Statements to look at and to test: any number of lines, harmless and otherwise."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.months import Month
from domain.settlements.lines import VAT_RATES, CorrectionLine, LeftOut, Line
from domain.settlements.settlement import SettlementStatus
from domain.values import Language
from statements.data import Accounting, Letterhead, StatementData
from tests.domain.settlements.strategies import settlement_of

NOW = datetime(2026, 11, 1, 5, 0, tzinfo=UTC)
SERVICES = [
    ("Waschmaschine anschliessen", "129.00"),
    ("Geschirrspüler einbauen", "189.00"),
    ("Fernseher an die Wand montieren (bis 75 Zoll)", "149.50"),
    (
        "Kühlschrank, Gefrierschrank oder Kombination liefern, aufstellen und Altgerät mitnehmen",
        "95.00",
    ),
    ("Backofen und Kochfeld anschliessen", "1234.50"),
    ("Wärmepumpentrockner auf Waschmaschine türmen", "79.90"),
]
PLACES = [
    "8004 Zürich",
    "3012 Bern",
    "1470 Estavayer-le-Lac",
    "6900 Lugano",
    "8212 Neuhausen am Rheinfall",
]
ACCOUNTING = Accounting(
    company="Muster Versandhandel AG",
    department="Kreditorenbuchhaltung",
    street="Pfingstweidstrasse 60b",
    postal_code="8005",
    city="Zürich",
    email="kreditoren@example.ch",
)


def lines(number: int) -> tuple[Line, ...]:
    """So many lines of October."""
    return tuple(
        Line(
            sp_id=f"SP-{1048213 + index}",
            sales_order_id=str(48392011 + 7 * index),
            executed_on=date(2026, 10, 1) + timedelta(days=index * 30 // max(number, 1)),
            service=SERVICES[index % len(SERVICES)][0],
            customer_place=PLACES[index % len(PLACES)],
            fee=Decimal(SERVICES[index % len(SERVICES)][1]),
        )
        for index in range(number)
    )


CORRECTION = CorrectionLine(
    sp_id="SP-1040007",
    reason="Im September zu viel verrechnet: Anfahrt war im Preis inbegriffen",
    amount=Decimal("-35.00"),
    executed_on=date(2026, 9, 14),
)


def statement(
    of: int | Sequence[Line] = 1,
    *,
    vat: bool = True,
    language: Language = "de",
    corrections: Sequence[CorrectionLine] = (),
    left_out: Sequence[LeftOut] = (),
    **partner: Any,
) -> StatementData:
    """A statement of so many lines, or of these."""
    letterhead: dict[str, Any] = {
        "partner_id": "elektro-huber",
        "name": "Elektro Huber AG",
        "street": "Langstrasse 12",
        "postal_code": "8004",
        "city": "Zürich",
        "email": "info@elektro-huber.example",
        "phone": "+41 44 555 01 02",
        "vat_number": "CHE-123.456.788 MWST" if vat else None,
        "iban": "CH93 0076 2011 6238 5295 7",
    }
    made = settlement_of(
        "elektro-huber",
        Month(2026, 10),
        lines(of) if isinstance(of, int) else of,
        corrections=corrections,
        vat_rates=VAT_RATES if vat else (),
    )
    made = made.model_copy(
        update={
            "status": SettlementStatus.ISSUED,
            "left_out": tuple(left_out),
            "issued_at": NOW,
            "invoice_due": NOW + timedelta(days=14),
        }
    )
    return StatementData(
        settlement=made,
        partner=Letterhead.model_validate({**letterhead, **partner}),
        accounting=ACCOUNTING,
        language=language,
        created=date(2026, 11, 1),
    )
