"""Common parts of the pages of operations: the check of the login, use cases, choices, addresses, texts of errors."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request

from domain.people import PartnerRole
from domain.values import Language
from use_cases.account_errors import Fault
from use_cases.principal import Principal
from web.portal.pages import require_login
from words.translations import TRANSLATIONS, mark

PARTNER_ROLES: dict[PartnerRole, str] = {"office": mark("Büro"), "technician": mark("Montage")}
_EMPTY = mark("Bitte ausfüllen.")
_CHOOSE = mark("Bitte wählen.")
_EMAIL = mark("Das ist keine E-Mail-Adresse. Beispiel: auftraege@firma.ch")
_IDENTIFIER = mark("Nur Buchstaben ohne Umlaute, Ziffern, Punkt, Binde- und Unterstrich.")
_ONE_LINE = mark("Hier sind keine Zeilenumbrüche und Steuerzeichen möglich.")
_TOO_LONG = mark("Das ist zu lang.")
_PAST = mark("Der Tag muss in der Zukunft liegen.")
_TOO_LATE = mark("So lange darf ein Token nicht gelten.")
_OTHER = mark("Das ist so nicht möglich.")
_NUMBERS = {
    "vat_number": mark("Das ist keine MWST-Nummer. Beispiel: CHE-109.322.551 MWST"),
    "iban": mark("Das ist keine IBAN: Ihre Prüfziffern stimmen nicht."),
}
_CHOSEN = ("canton", "language", "role", "policy")


async def require_operations(request: Request) -> Principal:
    """The person who is logged in, who must be of operations. Raises `EarlyResponse` as `require_login` does."""
    return await require_login(request, "operations")


def translated(options: Mapping[Any, str], language: Language) -> list[tuple[str, str]]:
    """The options of a choice in the reader's language: pairs of value and text."""
    return [(value, TRANSLATIONS[language].gettext(text)) for value, text in options.items()]


def address(path: str, **query: object) -> str:
    """A path with the query parameters that are not empty."""
    given = {name: str(value) for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def fault_texts(
    faults: Iterable[Fault], typed: Mapping[str, str], language: Language, prefix: str = ""
) -> dict[str, str]:
    """The error of each field in the reader's language, by the id of the field on the page."""
    gettext = TRANSLATIONS[language].gettext
    return {f"{prefix}{fault.field}": gettext(_text(fault, typed)) for fault in faults}


def _text(fault: Fault, typed: Mapping[str, str]) -> str:
    field, code = fault.field, fault.code
    if field in _CHOSEN:
        return _CHOOSE
    if code in ("missing", "string_too_short") or not typed.get(field, "").strip():
        return _EMPTY
    if code == "string_too_long":
        return _TOO_LONG
    if field.endswith("email"):
        return _EMAIL
    if field == "partner_id":
        return _IDENTIFIER
    if code in _NUMBERS:
        return _NUMBERS[code]
    return {"past": _PAST, "too_late": _TOO_LATE, "value_error": _ONE_LINE}.get(code, _OTHER)
