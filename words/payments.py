"""The results of an imported file of payments in words."""

from collections.abc import Mapping
from decimal import Decimal

from domain.settlements.settlement import SettlementStatus
from domain.values import Language
from words.sentences import INVALID
from words.settlement import settlement_status_label
from words.translations import mark, say

RESULTS: Mapping[str, str] = {
    "paid": mark("Als bezahlt erfasst."),
    "already_paid": mark("War schon als bezahlt erfasst."),
    "unknown_settlement": mark("Diese Verrechnung gibt es nicht."),
    "amount_differs": mark("Der Betrag ist nicht das Total der Verrechnung, CHF %(total)s."),
    "not_approved": mark("Die Verrechnung ist nicht freigegeben. Ihr Status ist «%(status)s»."),
    "no_answer": mark(
        "Das System hat nicht geantwortet. Bitte importieren Sie die Datei noch einmal."
    ),
    "bad_row": mark("Diese Zeile kann nicht gelesen werden."),
}
"""The text of each result. A `bad_row` has a text of its own for each problem."""
PROBLEMS: Mapping[str, str] = {
    "missing": mark("Diese Angabe fehlt."),
    "too_long": mark("Diese Angabe ist zu lang."),
    "not_an_amount": mark("Das ist kein Betrag in Franken, zum Beispiel 1234.50."),
    "not_a_day": mark("Das ist kein Tag, zum Beispiel 2026-11-05 oder 5.11.2026."),
    "not_a_reference": mark(
        "Eine Referenz hat höchstens 140 Zeichen, und nur solche, die man drucken kann."
    ),
    "cells": mark("Die Zeile hat nicht so viele Spalten wie die erste."),
    "quotes": mark("Die Anführungszeichen in der Zeile stimmen nicht."),
}


def payment_result_text(
    result: str,
    code: str,
    language: Language,
    *,
    total: Decimal | None = None,
    status: SettlementStatus | None = None,
) -> str:
    """The result of a line. `code`: what is wrong with a bad one. `total`, `status`: those of its settlement."""
    text = PROBLEMS.get(code) or INVALID.get(code) or RESULTS.get(result)
    if text is None:
        return result
    label = settlement_status_label(status, language) if status is not None else ""
    return say(language, text, total="" if total is None else str(total), status=label)
