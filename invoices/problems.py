"""The texts of what is wrong with an invoice, for the partner."""

from collections.abc import Mapping

from domain.settlements.invoicing import Problem, ProblemCode
from domain.values import Language
from words.translations import mark, say

PROBLEMS: Mapping[ProblemCode, str] = {
    "not_a_pdf": mark("Die Datei ist kein PDF."),
    "statement": mark("Das ist der Verrechnungsbeleg, keine Rechnung."),
    "draft": mark("Das ist ein Entwurf, keine Rechnung."),
    "returned": mark("Diese Rechnung hat die Buchhaltung zurückgewiesen: %(detail)s"),
    "too_large": mark("Die Datei ist grösser als %(detail)s."),
    "too_many_pages": mark("Das PDF hat mehr als %(detail)s Seiten."),
    "encrypted": mark("Das PDF ist verschlüsselt. Bitte senden Sie es ohne Passwort."),
    "unreadable": mark("Das PDF kann nicht gelesen werden."),
    "no_text": mark(
        "Das PDF enthält keinen Text, vermutlich ist es ein Scan. Bitte senden Sie die Datei aus "
        "Ihrem Rechnungsprogramm."
    ),
    "no_settlement_id": mark("Die Verrechnungs-ID %(detail)s fehlt."),
    "other_settlement": mark("Die Rechnung nennt eine andere Verrechnungs-ID: %(detail)s."),
    "bad_reference": mark("Die Referenz %(detail)s ist falsch."),
    "no_total": mark("Das Total von CHF %(detail)s kommt nicht vor."),
    "other_total": mark("Die Rechnung nennt ein höheres Total: CHF %(detail)s."),
    "qr_amount": mark("Der QR-Code nennt einen anderen Betrag: %(detail)s."),
    "qr_currency": mark("Der QR-Code nennt eine andere Währung: %(detail)s."),
    "qr_reference": mark(
        "Der QR-Code nennt eine Referenz, die nicht zu dieser Verrechnung gehört: %(detail)s."
    ),
    "qr_pages": mark(
        "Nur %(detail)s Seiten konnten auf einen QR-Code geprüft werden, weil das PDF zu viele Bilder hat. Bitte "
        "senden Sie es mit kleineren oder weniger Bildern."
    ),
    "other_iban": mark("Die Rechnung nennt ein anderes Konto als das hinterlegte: %(detail)s."),
    "no_registered_iban": mark("Die Rechnung nennt ein Konto, hinterlegt ist keines: %(detail)s."),
    "active_content": mark(
        "Das PDF hat aktive Inhalte (%(detail)s). Bitte senden Sie es ohne, am besten als PDF/A."
    ),
    "attachment": mark(
        "Das PDF hat einen Anhang, der keine elektronische Rechnung ist: %(detail)s. Bitte senden Sie es ohne."
    ),
    "virus": mark("Der Virenscanner weist die Datei zurück: %(detail)s."),
}
"""The text of each problem for the partner."""


def problem_text(problem: Problem, language: Language) -> str:
    """The text of a problem for the partner. An unknown code is shown as it is."""
    text = PROBLEMS.get(problem.code)
    return say(language, text, detail=problem.detail) if text else problem.code
