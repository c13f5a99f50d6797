"""Makes settlements for tests: an opening, and a settlement with a series of commands."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.activities import SettlementSnapshot
from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.months import Month
from domain.policy import Policy
from domain.settlements.commands import (
    AdoptRules,
    Close,
    Command,
    ExternalCommand,
    NoteReleased,
    TakeClaims,
    TakeStatement,
    TakeVerdict,
    VoidSettlement,
)
from domain.settlements.lifecycle import handle, open_settlement
from domain.settlements.lines import VAT_RATES, CorrectionLine, LeftOut
from domain.settlements.settlement import Opening, Statement
from tests.support.builders import OPERATIONS, assignee, partner_actor

OCTOBER = Month(2026, 10)
FIRST = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
"""06:00 in Zurich on the first working day of November."""

Step = Command | tuple[Command, Actor] | timedelta


def opening(*sp_ids: str, partner_id: str = "elektro-huber", **changes: Any) -> Opening:
    """The opening of a settlement of October, at the month's end."""
    values: dict[str, Any] = {
        "partner": assignee(partner_id),
        "month": OCTOBER,
        "policy": Policy(),
        "calendar": pin_calendar("ZH", Policy(), FIRST.date()),
        "vat_rates": VAT_RATES,
        "picked": sp_ids,
        "automatic": True,
        **changes,
    }
    return Opening.model_validate(values)


def settled(of: Opening, *steps: Step, at: datetime = FIRST) -> SettlementSnapshot:
    """A settlement that took these commands, and its whole timeline. Each comes a minute after the one before."""
    actor = SYSTEM if of.automatic else partner_actor(of.partner.partner_id)
    settlement, events = open_settlement(of, actor, at)
    now = at
    for step in steps:
        if isinstance(step, timedelta):
            now += step
            continue
        now += timedelta(minutes=1)
        command, actor = step if isinstance(step, tuple) else (step, _whoever(of, step))
        settlement, more = handle(settlement, command, actor, now)
        events += more
    return SettlementSnapshot(settlement=settlement, events=events)


def _whoever(of: Opening, command: Command) -> Actor:
    if isinstance(command, VoidSettlement | AdoptRules):
        return OPERATIONS
    if isinstance(command, ExternalCommand | TakeVerdict):
        return partner_actor(of.partner.partner_id)
    return SYSTEM


def claims(*refused: tuple[str, str], corrections: Sequence[CorrectionLine] = ()) -> TakeClaims:
    """The command after all orders have answered; these refused, each with a reason."""
    left_out = [LeftOut.model_validate({"sp_id": sp_id, "reason": why}) for sp_id, why in refused]
    return TakeClaims(refused=tuple(left_out), corrections=tuple(corrections))


def statement(settlement_id: str, total: Decimal | str = "139.45", **changes: Any) -> TakeStatement:
    """The command after the statement was made."""
    return TakeStatement(
        statement=Statement.model_validate(
            {
                "paper_id": f"statement-{settlement_id}",
                "sha256": "0" * 64,
                "template_version": "1",
                "input_checksum": "1" * 64,
                "pages": 1,
                "net": "129.00",
                "vat": "10.45",
                "total": total,
                **changes,
            }
        )
    )


def issued(of: Opening) -> tuple[Step, ...]:
    """The steps from the opening to the statement, with every order claimed."""
    closing = () if not of.automatic else (Close(),)
    return (*closing, claims(), statement(of.settlement_id))


def voided(of: Opening) -> tuple[Step, ...]:
    """The steps of a settlement that is issued and voided, with its orders released."""
    return (*issued(of), VoidSettlement(reason="Falscher Monat"), NoteReleased())
