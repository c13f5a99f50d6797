"""Erases from a settlement what people wrote about an order whose customer's data were erased.

Lines, amounts, days and places stay: they are accounting records (OR 958f).
"""

from collections.abc import Collection, Iterable, Mapping

from domain.fields import free_texts
from domain.orders.erasure import ERASED
from domain.settlements.events import (
    InvoiceReturned,
    KnownSettlementEvent,
    OrdersClaimed,
    SettlementRecorded,
)
from domain.settlements.invoicing import Verdict
from domain.settlements.lines import CorrectionLine
from domain.settlements.settlement import Settlement
from domain.values import without_unknown

FREE_TEXTS: Mapping[str, tuple[str, ...]] = free_texts(KnownSettlementEvent)
"""The fields of events that people wrote about the settlement as a whole, by the event's type. The reasons of
corrections, which are in `orders_claimed`, are written about an order."""
NO_FREE_TEXTS: Mapping[str, tuple[str, ...]] = {
    "invoice_returned": ("paper_id",),
    "invoice_accepted": ("paper_id",),
    "invoice_held": ("paper_id",),
    "invoice_paid": ("reference",),
    "mail_undelivered": ("key", "mail"),
}
"""The other text fields of events: identifiers, and the bank's reference of a payment to a partner."""


def erase_settlement(settlement: Settlement, sp_ids: Collection[str]) -> Settlement:
    """The settlement after these of its orders were erased: without the reasons of their corrections.

    Once it is over, the texts about the settlement itself are erased as well. Before, its partner needs them.
    """
    if not sp_ids:
        return settlement
    changed = without_unknown(settlement)
    changed = changed.replace(corrections=_without_reasons(changed.corrections, sp_ids))
    if not settlement.is_over:
        return changed
    verdict = changed.last_verdict
    return changed.replace(
        return_reason="", last_verdict=None if verdict is None else _without_detail(verdict)
    )


def erase_settlement_events(
    events: Iterable[SettlementRecorded], sp_ids: Collection[str], *, is_over: bool
) -> tuple[SettlementRecorded, ...]:
    """The events without these texts. Their digest stays, because it does not cover the contents of events."""
    return tuple(_without_text(each, sp_ids, is_over) if sp_ids else each for each in events)


def hide_reasons(corrections: Iterable[CorrectionLine], text: str) -> tuple[CorrectionLine, ...]:
    """The corrections as papers show them, which cannot be changed later: with this text instead of the reasons."""
    return tuple(line.model_copy(update={"reason": text}) for line in corrections)


def _without_reasons(
    corrections: Iterable[CorrectionLine], sp_ids: Collection[str]
) -> tuple[CorrectionLine, ...]:
    return tuple(
        line.model_copy(update={"reason": ERASED}) if line.sp_id in sp_ids else line
        for line in corrections
    )


def _without_detail(verdict: Verdict) -> Verdict:
    """The verdict without the reason for which accounting returned the same file before."""
    problems = tuple(
        each.model_copy(update={"detail": ""}) if each.code == "returned" else each
        for each in verdict.problems
    )
    return verdict.model_copy(update={"problems": problems})


def _without_text(
    recorded: SettlementRecorded, sp_ids: Collection[str], is_over: bool
) -> SettlementRecorded:
    event = recorded.event
    if isinstance(event, OrdersClaimed):
        known = without_unknown(event)
        changes: dict[str, object] = {"corrections": _without_reasons(known.corrections, sp_ids)}
        return recorded.model_copy(update={"event": known.model_copy(update=changes)})
    if is_over and isinstance(event, InvoiceReturned):
        returned = without_unknown(event)
        changes = {"verdict": _without_detail(returned.verdict)}
        return recorded.model_copy(update={"event": returned.model_copy(update=changes)})
    if is_over and (fields := FREE_TEXTS.get(event.type)):
        erased = without_unknown(event).model_copy(update=dict.fromkeys(fields, ERASED))
        return recorded.model_copy(update={"event": erased})
    return recorded
