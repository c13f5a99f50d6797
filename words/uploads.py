"""Uploaded invoices in words: what became of each, which limit a partner has reached, and that a file is deleted."""

from collections.abc import Mapping
from datetime import datetime

from domain.settlements.uploads import Excess, Kind
from domain.values import Language
from words.dates import format_instant
from words.translations import mark, say

OUTCOMES: Mapping[str, str] = {
    "accepted": mark("bei der Buchhaltung"),
    "held": mark("die Buchhaltung entscheidet über das Konto"),
    "returned": mark("von der Buchhaltung zurückgewiesen"),
    "refused": mark("bei der Prüfung zurückgewiesen"),
    "no_result": mark("ohne Ergebnis"),
}
_LIMITS: Mapping[Kind, str] = {
    "files": mark(
        "In 24 Stunden lassen sich höchstens %(limit)s Rechnungen hochladen. Die nächste ist ab %(when)s möglich."
    ),
    "megabytes": mark(
        "In 24 Stunden lassen sich höchstens %(limit)s MB hochladen. Diese Datei ist ab %(when)s möglich."
    ),
    "checks": mark(
        "Von Ihnen werden schon %(limit)s Rechnungen geprüft. Die nächste ist möglich, sobald eine davon geprüft ist, "
        "spätestens ab %(when)s."
    ),
}


def upload_outcome_text(outcome: str, language: Language) -> str:
    """What became of an uploaded invoice. An unknown outcome is shown as it is."""
    text = OUTCOMES.get(outcome)
    return say(language, text) if text else outcome


def quota_text(excess: Excess, frees_at: datetime, language: Language) -> str:
    """Which limit an upload would exceed, and when there is room: `frees_at`, in local time."""
    when = format_instant(frees_at, language)
    return say(language, _LIMITS[excess.kind], limit=excess.limit, when=when)


def file_deleted_text(deleted_at: datetime, language: Language) -> str:
    """That the file of an invoice is not kept any more. `deleted_at` is in local time."""
    return say(
        language,
        "Die Datei wurde am %(when)s gelöscht, weil die Buchhaltung die Rechnung nicht erhalten hat. Prüfsumme und "
        "Ergebnis der Prüfung sind aufbewahrt.",
        when=format_instant(deleted_at, language),
    )
