"""The texts of mails, from `templates/mail/` in the reader's language, as plain text and as HTML.

A file `<kind>.<audience>.txt` holds one mail about an order, `account/<purpose>.txt` one about a login,
`partner/<kind>.txt` one about a partner's IBAN, `operations/<kind>.txt` one about the running of the CMI,
`shop/<kind>.txt` a notice to the shop. It is a Jinja template in German; the catalogues in `locale/` have the other
languages. It sets:

- `subject`;
- `text`: paragraphs with empty lines between them;
- `rows`: the rows of the table of facts, if there is one;
- `button`: the label of the link, if not "Auftrag öffnen"; `has_link = false` for a mail without a link.

The templates produce plain text, and the HTML layout escapes it, so that no value can become markup.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import words
from contracts.activities import FindingKind
from domain.actors import Actor
from domain.orders.command_rules import COMMANDS
from domain.orders.commands import DecideReview
from domain.orders.outgoing import Mail, MailFacts, ShopNotice
from domain.values import LANGUAGES, Language
from words.translations import Meaning, mark, pmark, say, translate

FOLDER = Path(__file__).resolve().parent.parent / "templates" / "mail"
ROWS: Mapping[str, str | Meaning] = {
    "sp_id": mark("SP-ID"),
    "sales_order": pmark("Mail", "Verkaufsauftrag"),
    "partner": pmark("Mail", "Servicepartner"),
    "former_partner": mark("Bisheriger Servicepartner"),
    "phone": mark("Telefon Servicepartner"),
    "service": pmark("Mail", "Dienstleistung"),
    "product": mark("Produkt"),
    "customer": mark("Kundschaft"),
    "deadline": pmark("Mail", "Frist"),
    "appointment": mark("Kundentermin"),
    "status": mark("Status"),
    "tracking": pmark("Mail", "Sendung"),
    "reason": mark("Grund"),
    "until": pmark("Mail", "Bis"),
    "note": mark("Bemerkung"),
    "asked_by": mark("Gemeldet von"),
}
"""The labels in the table of facts of a mail about an order."""
_SERVICE_IN_SUBJECT = 60  # characters
_DECISIONS = frozenset({"reassign"}).union(
    *(rule.choices for rule in COMMANDS if rule.command is DecideReview)
)
_MANY_LINES = frozenset({"note", "reason"})


class Reader(NamedTuple):
    """The reader of a mail: a partner, or a member of staff (`staff`). Staff without a name is the whole team.

    `stranger`: a partner who does not have the order (any more).
    """

    name: str
    language: Language
    staff: bool = False
    stranger: bool = False


class MailText(NamedTuple):
    """The composed mail. The subject is one printable line."""

    subject: str
    text: str
    html: str


class _Environments(NamedTuple):
    """The templates in one language: as plain text, and as HTML."""

    plain: Environment
    html: Environment


def one_line(text: str) -> str:
    """The text in one line, without control characters and invisible marks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _lines(text: str) -> str:
    return "\n".join(one_line(line) for line in text.splitlines()).strip()


class MailTexts:
    """Composes mails from the templates, which are read once. Links begin with `public_url`."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._templates = {
            language: _Environments(_environment(language), _environment(language, html=True))
            for language in LANGUAGES
        }

    def compose(
        self, mail: Mail, reader: Reader, now: datetime | None = None, phone: str = ""
    ) -> MailText:
        """The mail for one reader.

        Args:
            now: when it is sent; a deadline that a late notice of a new order has put off is not named.
            phone: the partner's telephone number, for operations.
        """
        facts = _clean(mail.facts)
        late = now is not None and facts.notify_by is not None and now > facts.notify_by
        if late:
            facts = facts.model_copy(update={"deadline": None})
        values = self._values(mail, facts, reader.language) | {"late": late}
        said = self._said(
            f"{mail.kind}.{'stranger' if reader.stranger else mail.audience}", reader, values
        )
        rows = _rows(mail, facts, values, one_line(phone), reader.language)
        return self._laid_out(
            reader,
            f"{mail.sp_id}: {said['subject']}",
            said,
            rows=[
                (say(reader.language, ROWS[row]), rows[row]) for row in said["rows"] if rows[row]
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
            "reason": _lines(words.reason_label(notice.reason, reader.language)),
            "note": _lines(notice.note),
        }
        said = self._said(f"shop/{notice.kind}", reader, {})
        return self._laid_out(
            reader,
            f"{notice.sp_id}: {said['subject']}",
            said,
            rows=[(say(reader.language, ROWS[row]), text) for row, text in facts.items() if text],
            link="",
        )

    def compose_account(
        self, purpose: str, reader: Reader, email: str, link: str, until: datetime
    ) -> MailText:
        """A mail about a login. `purpose` is `invitation` or `reset`; the link works until `until`."""
        values = {
            "email": one_line(email),
            "until": words.format_instant(until, reader.language),
        }
        said = self._said(f"account/{purpose}", reader, values)
        return self._laid_out(reader, said["subject"], said, link=link)

    def compose_iban(
        self, kind: str, reader: Reader, *, before: str | None, after: str | None
    ) -> MailText:
        """A mail to a partner about its IBAN. `before`, `after`: the account, masked; None: there is none."""
        said = self._said(f"partner/{kind}", reader, {"removed": after is None})
        none = say(reader.language, "keines")
        rows = [
            (say(reader.language, "Bisheriges Konto"), before or none),
            (say(reader.language, "Neues Konto"), after or none),
        ]
        return self._laid_out(reader, said["subject"], said, rows=rows, link="")

    def compose_findings(
        self,
        language: Language,
        rows: Sequence[tuple[str, FindingKind]],
        new: int,
        standing: int,
        link: str,
    ) -> MailText:
        """A mail to operations about findings of the reconciler.

        `rows` are the first of the `new` findings, each with the SP-ID or number and the kind. `standing` is the number
        of open findings, including those of earlier mails.
        """
        reader = Reader("", language, staff=True)
        values = {"new": new, "standing": standing, "shown": len(rows), "more": new - len(rows)}
        said = self._said("operations/reconciliation", reader, values)
        named = [(about, said["kinds"][kind]) for about, kind in rows]
        return self._laid_out(reader, said["subject"], said, rows=named, link=link)

    def _said(self, name: str, reader: Reader, values: Mapping[str, Any]) -> dict[str, Any]:
        """The variables that the template of a mail sets."""
        template = self._templates[reader.language].plain.get_template(f"{name}.txt")
        return vars(template.make_module(dict(values)))

    def _laid_out(
        self,
        reader: Reader,
        subject: str,
        said: Mapping[str, Any],
        *,
        link: str,
        rows: Sequence[tuple[str, str]] = (),
        why: str = "",
        layout: str = "layout",
        **more: Any,
    ) -> MailText:
        """The mail with the variables of its template. `why` explains its deadline; `more` is for the layout."""
        templates = self._templates[reader.language]
        _ = partial(say, reader.language)
        greeting = _("Guten Tag %(name)s", name=one_line(reader.name))
        values: dict[str, Any] = {
            "language": reader.language,
            "subject": one_line(subject),
            "greeting": greeting if reader.name else _("Guten Tag zusammen"),
            "paragraphs": _paragraphs(said["text"]),
            "why": why,
            "rows": rows,
            "link": link if said.get("has_link", True) else "",
            "button": said.get("button") or _("Auftrag öffnen"),
            "button_missing": _("Falls der Knopf nicht geht, öffnen Sie diese Adresse:"),
            "closing": _("Freundliche Grüsse"),
            "signature": _("Ihr CMI") if reader.staff else _("Ihr Servicepartner-Team"),
            "footer": _("Diese Nachricht wurde vom CMI automatisch verschickt.")
            if reader.staff
            else _(
                "Diese Nachricht wurde automatisch verschickt. Haben Sie eine Frage? Antworten Sie "
                "einfach darauf, Ihre Antwort liest ein Mensch."
            ),
            **more,
        }
        return MailText(
            subject=values["subject"],
            text=templates.plain.get_template(f"{layout}.txt").render(values),
            html=templates.html.get_template(f"{layout}.html").render(values),
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
            "short_service": _shortened(facts.service),
            "status": words.status_label(facts.status, language),
            "state": facts.status.value,
            "reason": one_line(words.reason_label(facts.reason, language)),
            "cause": facts.reason,
            "decision": facts.decision,
            "level": facts.level,
            "event": facts.event,
            "choices": facts.choices,
            "possible": ", ".join(
                f"«{words.action_label(each, language)}»"
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


def _environment(language: Language, *, html: bool = False) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=html,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not html,
    )
    translate(environment, language)
    return environment


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a text. `trim_blocks` removes the line break after a tag, but not an empty line."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def _clean(facts: MailFacts) -> MailFacts:
    """The facts, each cleaned to one line; notes and reasons keep their line breaks."""
    return facts.model_copy(
        update={
            name: _lines(value) if name in _MANY_LINES else one_line(value)
            for name, value in facts
            if type(value) is str  # but not the status, which is a subclass
        }
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _shortened(text: str) -> str:
    return text if len(text) <= _SERVICE_IN_SUBJECT else text[: _SERVICE_IN_SUBJECT - 1] + "…"


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
        "product": f"{facts.quantity} × {facts.product}",
        "customer": ", ".join(filter(None, (facts.customer_name, facts.customer_place))),
        "deadline": f"{values['deadline_label']}, {values['due']}" if facts.deadline else "",
        "appointment": values["appointment"],
        "until": values["until"],
        "status": values["status"],
        "tracking": facts.tracking,
        "reason": words.reason_label(facts.reason, language),
        "note": facts.note,
        "asked_by": _asked_by(mail.sender, language) if mail.sender else "",
    }


def _asked_by(sender: Actor, language: Language) -> str:
    return ", ".join(filter(None, (words.role_label(sender.role, language), one_line(sender.name))))
