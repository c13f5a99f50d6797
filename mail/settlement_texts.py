"""What a mail about a settlement says, in the words of `templates/mail/settlement/<kind>.<audience>.toml`."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from babel.dates import format_date

from documents.formats import money
from domain import words
from domain.months import Month
from domain.settlements.ids import creditor_reference
from domain.settlements.mails import SettlementMail
from domain.values import Language
from mail.texts import FOLDER, MailText, MailTexts, Reader, one_line, phrases_in

Clock = Callable[[datetime], datetime]
"""Shows an instant as clocks in the office do (naive)."""


class SettlementTexts(MailTexts):
    """The words about settlements, laid out as those of all mails. `accounting`: where invoices are mailed to."""

    def __init__(self, public_url: str, accounting: str, clock: Clock) -> None:
        super().__init__(public_url)
        self._of_settlements = phrases_in(FOLDER / "settlement")
        self._accounting = accounting
        self._clock = clock

    def compose_settlement(
        self, mail: SettlementMail, reader: Reader, *, attached: bool
    ) -> MailText:
        """The words of a mail for one reader; `attached`: its PDF goes with it."""
        language = reader.language
        template = self._of_settlements[f"{mail.kind}.{mail.audience}"]
        phrases, common = template[language], self._phrases["common"][language]
        of_settlements = self._of_settlements["common"][language]
        values = self._facts(mail, language) | {"attached": attached}
        rows = _rows(mail, values, language)
        suffix = "_staff" if reader.staff else ""
        greeting = common["greeting"] if reader.name else common["greeting_team"]
        said = (
            self._phrase(paragraph).render(values).strip()
            for paragraph in phrases["text"].strip().split("\n\n")
        )
        subject = self._phrase(phrases["subject"]).render(values)
        return self._laid_out(
            {
                "language": language,
                "subject": one_line(f"{mail.settlement_id}: {subject}"),
                "greeting": self._phrase(greeting).render(name=one_line(reader.name)),
                "paragraphs": [paragraph for paragraph in said if paragraph],
                "why": "",
                "rows": [
                    (of_settlements["rows"][row], rows[row])
                    for row in template["rows"]
                    if rows[row]
                ],
                "link": values["link"],
                "button": of_settlements["button"],
                "button_missing": common["button_missing"],
                "closing": common["closing"],
                "signature": common[f"signature{suffix}"],
                "footer": common[f"footer{suffix}"],
            }
        )

    def _facts(self, mail: SettlementMail, language: Language) -> dict[str, Any]:
        """What phrases may speak of."""

        def clock(instant: datetime | None) -> str:
            return words.format_instant(self._clock(instant), language) if instant else ""

        number, month = mail.settlement_id, _month(mail.month, language)
        return {
            "number": number,
            "link": f"{self._public_url}/settlements/{quote(number, safe='')}",
            "accounting": self._accounting,
            "partner": one_line(mail.partner_name),
            "month": month,
            "of_month": _of(month),
            "orders": mail.orders,
            "total": _francs(mail.total),
            "until": clock(mail.selectable_until),
            "due": clock(mail.invoice_due),
            "left_out_count": mail.left_out_count,
            "level": mail.level,
            "had_statement": mail.total is not None,
        }


def _rows(mail: SettlementMail, values: dict[str, Any], language: Language) -> dict[str, str]:
    """The table of facts; what is not known of this mail is empty."""
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
        "selectable_until": values["until"],
        "invoice_due": values["due"],
        "left_out": "\n".join(map(one_line, left_out)),
        "reason": "\n".join(map(one_line, mail.reason.splitlines())).strip(),
    }


def _francs(amount: Decimal | None) -> str:
    return "" if amount is None else f"CHF\u00a0{money(amount)}"


def _month(month: Month, language: Language) -> str:
    """Its name and year: "Oktober 2026"."""
    return format_date(month.first_day, "LLLL y", locale=language)


def _of(month: str) -> str:
    """The same after "décompte", in French: "d'octobre 2026"."""
    return f"d'{month}" if month[0] in "ao" else f"de {month}"
