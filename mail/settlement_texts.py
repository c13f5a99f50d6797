"""The texts of mails about settlements. A text is `templates/mail/settlement/<kind>.<audience>.txt`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from babel.dates import format_date

import words
from documents.formats import money
from domain.months import Month
from domain.settlements.ids import creditor_reference
from domain.settlements.mails import SettlementMail
from domain.values import Language
from mail.texts import MailText, MailTexts, Reader, one_line
from words.translations import Meaning, mark, pmark, say

ROWS: Mapping[str, str | Meaning] = {
    "settlement": pmark("Mail", "Verrechnungs-ID"),
    "reference": mark("Referenz (ISO 11649)"),
    "partner": pmark("Mail", "Servicepartner"),
    "month": mark("Monat"),
    "orders": mark("Aufträge"),
    "net": mark("Netto"),
    "vat": mark("MWST"),
    "total": mark("Rechnungstotal"),
    "invoice_number": mark("Rechnungsnummer"),
    "selectable_until": mark("Auswahl möglich bis"),
    "invoice_due": mark("Rechnung erwartet bis"),
    "accounts": mark("Konto auf der Rechnung"),
    "left_out": pmark("Mail", "Nicht verrechnet"),
    "reason": mark("Grund"),
}
"""The labels in the table of facts of a mail about a settlement."""
_ORDINALS = {2: mark("2."), 3: mark("3.")}

Clock = Callable[[datetime], datetime]
"""Converts an instant to the local time of the office (naive)."""


class SettlementTexts(MailTexts):
    """Composes mails about settlements, in the layout of all mails. `accounting` is the address for invoices."""

    def __init__(self, public_url: str, accounting: str, clock: Clock, company: str = "") -> None:
        super().__init__(public_url, company)
        self._accounting = accounting
        self._clock = clock

    def compose_settlement(
        self, mail: SettlementMail, reader: Reader, *, attached: bool
    ) -> MailText:
        """The mail for one reader; `attached`: whether its PDF is attached."""
        language = reader.language
        values = self._facts(mail, language) | {"attached": attached}
        said = self._said(f"settlement/{mail.kind}.{mail.audience}", reader, values)
        rows = _rows(mail, values, language)
        return self._laid_out(
            reader,
            f"{mail.settlement_id}: {said['subject']}",
            said | {"button": say(language, "Verrechnung öffnen")},
            rows=[(say(language, ROWS[row]), rows[row]) for row in said["rows"] if rows[row]],
            link=values["link"],
        )

    def _facts(self, mail: SettlementMail, language: Language) -> dict[str, Any]:
        """The values that a template may use."""

        def clock(instant: datetime | None) -> str:
            return words.format_instant(self._clock(instant), language) if instant else ""

        number, month = mail.settlement_id, _month(mail.month, language)
        return {
            "number": number,
            "link": f"{self._public_url}/settlements/{quote(number, safe='')}",
            "accounting": self._accounting,
            "partner": one_line(mail.partner_name),
            "month": month,
            "for_month": _for(month, language),
            "orders": mail.orders,
            "total": _francs(mail.total),
            "to_pay": mail.total is not None and mail.total > 0,
            "until": clock(mail.selectable_until),
            "due": clock(mail.invoice_due),
            "left_out_count": mail.left_out_count,
            "level": mail.level,
            "ordinal": _ordinal(mail.level, language),
            "invoice_number": one_line(mail.invoice_number),
            "to_approve": mail.to_approve,
            "had_statement": mail.total is not None,
        }


def _rows(mail: SettlementMail, values: dict[str, Any], language: Language) -> dict[str, str]:
    """The table of facts; unknown values are empty."""
    left_out = [
        f"{each.sp_id}: {words.left_out_text(each.reason, language)}" for each in mail.left_out
    ]
    if mail.left_out_count > len(left_out):
        left_out.append(f"… (+{mail.left_out_count - len(left_out)})")
    return {
        "settlement": mail.settlement_id,
        "reference": creditor_reference(mail.settlement_id),
        "partner": values["partner"],
        "month": values["month"],
        "orders": str(mail.orders),
        "net": _francs(mail.net),
        "vat": _francs(mail.vat) if mail.vat else "",
        "total": values["total"],
        "invoice_number": values["invoice_number"],
        "selectable_until": values["until"],
        "invoice_due": values["due"],
        "accounts": "\n".join(map(one_line, mail.accounts)),
        "left_out": "\n".join(map(one_line, left_out)),
        "reason": "\n".join(map(one_line, mail.reason.splitlines())).strip(),
    }


def _francs(amount: Decimal | None) -> str:
    return "" if amount is None else f"CHF\u00a0{money(amount)}"


def _month(month: Month, language: Language) -> str:
    """The name and year of a month: "Oktober 2026"."""
    return format_date(month.first_day, "LLLL y", locale=language)


def _for(month: str, language: Language) -> str:
    """The phrase "für Oktober 2026". French elides before a vowel: "d'octobre 2026"."""
    if month[0].lower() in "aeiou":
        text = pmark("vor einem Vokal", "für %(month)s")
        return say(language, text, month=month)
    return say(language, "für %(month)s", month=month)


def _ordinal(number: int, language: Language) -> str:
    """The ordinal of a number: "2.", "2nd"."""
    text = _ORDINALS.get(number) or mark("%(number)s.")
    return say(language, text, number=number)
