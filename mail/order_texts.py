"""The texts of mails about orders, from `templates/mail/<kind>.<audience>.txt`, and of the notices to the shop."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import words
from documents.formats import money
from domain.actors import Actor
from domain.orders.command_rules import COMMANDS
from domain.orders.commands import DecideReview
from domain.orders.outgoing import Mail, MailFacts, ShopNotice
from domain.values import Language
from mail.texts import ROWS, MailText, MailTexts, Reader, Row, lines, one_line
from words.telephone import dialled
from words.timeline import quoted
from words.translations import pmark, say

_SERVICE_IN_SUBJECT = 60  # characters
_PLACE_IN_SUBJECT = 40
_BETWEEN = " · "
_BY, _SINCE = pmark("Betreff", "bis %(when)s"), pmark("Betreff", "seit %(when)s")
_DECISIONS = frozenset({"reassign"}).union(
    *(rule.choices for rule in COMMANDS if rule.command is DecideReview)
)
_MANY_LINES = frozenset({"note", "reason", "order_note"})


class OrderTexts(MailTexts):
    """Composes the mails about orders, and the notices to the shop."""

    def compose(
        self,
        mail: Mail,
        reader: Reader,
        now: datetime | None = None,
        phone: str = "",
        secret: str | None = None,
    ) -> MailText:
        """The mail for one reader.

        Args:
            now: when it is sent; a deadline that a late notice of a new order has put off is not named.
            phone: the partner's telephone number, for operations and customers.
            secret: that of the link in a customer's mail; None: the mail has no link.
        """
        facts = _clean(mail.facts)
        late = now is not None and facts.notify_by is not None and now > facts.notify_by
        if late:
            facts = facts.model_copy(update={"deadline": None})
        values = self._values(mail, facts, reader.language) | {"late": late}
        if reader.customer:
            values["link"] = f"{self._public_url}/visit/{secret}" if secret else ""
        said = self._said(
            f"{mail.kind}.{'stranger' if reader.stranger else mail.audience}", reader, values
        )
        rows = _rows(mail, facts, values, one_line(phone), reader.language)
        number = dialled(facts.customer_phone)
        links = {"customer_phone": f"tel:{number}"} if number else {}
        if reader.customer and (number := dialled(phone)):
            links["phone"] = f"tel:{number}"
        subject = f"{mail.sp_id}: {said['subject']}"
        if reader.customer:
            subject = _BETWEEN.join((one_line(said["subject"]), mail.sp_id))
        elif not reader.staff:
            subject = _subject(mail, facts, said, now or mail.at, reader.language)
            if "accept" in facts.choices and mail.audience == "partner":
                said = {"button": say(reader.language, "Auftrag ansehen und akzeptieren")} | said
        return self._laid_out(
            reader,
            subject,
            said,
            rows=[
                Row(say(reader.language, ROWS[row]), rows[row], links.get(row, ""))
                for row in said["rows"]
                if rows[row]
            ],
            why=values.get("why", ""),
            link=values["link"],
        )

    def compose_shop_notice(self, notice: ShopNotice, reader: Reader) -> MailText:
        """A notice to the shop."""
        facts = {
            "sp_id": notice.sp_id,
            "sales_order": one_line(notice.sales_order_id),
            "status": words.status_label(notice.status, reader.language),
            "reason": lines(words.reason_label(notice.reason, reader.language)),
            "note": lines(notice.note),
        }
        said = self._said(f"shop/{notice.kind}", reader, {})
        return self._laid_out(
            reader,
            f"{notice.sp_id}: {said['subject']}",
            said,
            rows=[(say(reader.language, ROWS[row]), text) for row, text in facts.items() if text],
            link="",
        )

    def _values(self, mail: Mail, facts: MailFacts, language: Language) -> dict[str, Any]:
        """The values that a template may use. A template that uses a missing deadline raises an error.

        A deadline is missing if the policy does not have it, so a template asks whether `due` or `please` is defined.
        """
        values: dict[str, Any] = {
            "sp_id": mail.sp_id,
            "link": f"{self._public_url}/orders/{quote(mail.sp_id, safe='')}",
            "partner": facts.partner,
            "service": facts.service,
            "short_service": _shortened(facts.service, _SERVICE_IN_SUBJECT),
            "product": f"{facts.quantity} × {facts.product}",
            "fee": "" if facts.fee is None else f"CHF\u00a0{money(facts.fee)}",
            "status": words.status_label(facts.status, language),
            "state": facts.status.value,
            "reason": one_line(words.reason_label(facts.reason, language)),
            "cause": facts.reason,
            "decision": facts.decision,
            "level": facts.level,
            "event": facts.event,
            "choices": facts.choices,
            "possible": ", ".join(
                quoted(words.action_label(each, language), language)
                for each in facts.choices
                if each in _DECISIONS
            ),
            "goods": facts.goods,
            "tracking": facts.tracking,
            "deliver_to": facts.deliver_to,
            "moves": facts.moves,
            "appointment": _appointment(facts, language),
            "appointment_over": facts.appointment_over,
            "until": words.format_day(facts.until, language) if facts.until else "",
            "answer_by": words.format_instant(facts.answer_by, language) if facts.answer_by else "",
            "kept_until": words.format_instant(facts.kept_until, language)
            if facts.kept_until
            else "",
        }
        if mail.sender:
            values["action"] = words.action_label(facts.action, language)
            values["refusal"] = words.refusal_reason(
                facts.action, facts.code, facts.status, language
            )
        if facts.deadline:
            due = words.format_instant(facts.deadline.due, language)
            kind = facts.deadline.kind
            values |= {
                "deadline": facts.deadline,
                "deadline_label": words.deadline_label(kind, language),
                "due": due,
                "task": words.deadline_task(kind, language),
                "why": _sentence(words.explanation_text(facts.deadline, language)),
            }
            if please := words.deadline_please(kind, due, language):
                values["please"] = please
        return values


def _clean(facts: MailFacts) -> MailFacts:
    """The facts, each cleaned to one line; notes and reasons keep their line breaks."""
    return facts.model_copy(
        update={
            name: lines(value) if name in _MANY_LINES else one_line(value)
            for name, value in facts
            if type(value) is str  # but not the status, which is a subclass
        }
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _subject(
    mail: Mail, facts: MailFacts, said: Mapping[str, Any], now: datetime, language: Language
) -> str:
    """A partner's subject: where, what, by when, and the SP-ID: "8606 Nänikon · … · bis Mi 18:00 · SP-1048213".

    It never names the customer. A mail whose table does not show the customer does not name the place either.
    """
    place = (
        _shortened(facts.customer_place, _PLACE_IN_SUBJECT) if "customer" in said["rows"] else ""
    )
    parts = (place, one_line(said["subject"]), _when(mail, facts, now, language), mail.sp_id)
    return _BETWEEN.join(filter(None, parts))


def _when(mail: Mail, facts: MailFacts, now: datetime, language: Language) -> str:
    """The deadline of a mail in short form, or since when it is overdue; empty if the mail has none."""
    today = now.astimezone(UTC).date()
    if facts.answer_by is not None:
        return say(language, _BY, when=words.format_near(facts.answer_by, today, language))
    if facts.deadline is None:
        return ""
    due = facts.deadline.due
    if mail.kind == "escalation":
        return say(language, _SINCE, when=words.format_near(due, today, language, past=True))
    return say(language, _BY, when=words.format_near(due, today, language))


def _appointment(facts: MailFacts, language: Language) -> str:
    """The appointment that stands, in words; empty if there is none."""
    if facts.appointment_start is None or facts.appointment_end is None:
        return ""
    return words.format_period(facts.appointment_start, facts.appointment_end, language)


def _rows(
    mail: Mail, facts: MailFacts, values: Mapping[str, Any], phone: str, language: Language
) -> dict[str, str]:
    """The table of facts; unknown values are empty."""
    return {
        "sp_id": mail.sp_id,
        "sales_order": facts.sales_order_id,
        "partner": facts.partner,
        "former_partner": facts.partner,
        "phone": phone,
        "service": facts.service,
        "product": values["product"],
        "fee": say(language, "%(amount)s ohne MWST", amount=values["fee"]) if values["fee"] else "",
        "customer_phone": facts.customer_phone,
        "order_note": facts.order_note,
        "customer": ", ".join(filter(None, (facts.customer_name, facts.customer_place))),
        "deadline": f"{values['deadline_label']}, {values['due']}" if facts.deadline else "",
        "appointment": values["appointment"],
        "visit": values["appointment"],
        "until": values["until"],
        "status": values["status"],
        "tracking": facts.tracking,
        "reason": words.reason_label(facts.reason, language),
        "note": facts.note,
        "asked_by": _asked_by(mail.sender, language) if mail.sender else "",
    }


def _asked_by(sender: Actor, language: Language) -> str:
    return ", ".join(filter(None, (words.role_label(sender.role, language), one_line(sender.name))))
