"""What a mail says: the phrases of `templates/mail/` in the reader's language, as plain text and as HTML.

A file `<kind>.<audience>.toml` holds one mail about an order in all languages, `account/<purpose>.toml` one about a
login, `operations/<kind>.toml` one about the running of the CMI; `digest/daily.toml` is the morning's
(`digest_texts.py`); `common.toml` has what all share. Phrases are rendered as
plain text alone, and the HTML layout escapes them: no value can become markup.
"""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contracts.activities import FindingKind
from domain import words
from domain.actors import Actor
from domain.orders.effects import Mail, MailFacts
from domain.values import Language

FOLDER = Path(__file__).resolve().parent.parent / "templates" / "mail"
_SERVICE_IN_SUBJECT = 60  # characters
_MANY_LINES = frozenset({"note", "reason"})


class Reader(NamedTuple):
    """Who is written to: a partner, or somebody of ours (`staff`; without a name, the whole service-partner team).

    A `stranger` is a partner whose order it is not.
    """

    name: str
    language: Language
    staff: bool = False
    stranger: bool = False


class MailText(NamedTuple):
    """A mail's words. The subject is one printable line."""

    subject: str
    text: str
    html: str


def one_line(text: str) -> str:
    """The text without line breaks, control characters and invisible marks, in one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _lines(text: str) -> str:
    return "\n".join(one_line(line) for line in text.splitlines()).strip()


class MailTexts:
    """The templates, read once. `public_url` is where the links lead."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        options: dict[str, Any] = {
            "undefined": StrictUndefined,
            "trim_blocks": True,
            "lstrip_blocks": True,
        }
        self._plain = Environment(
            loader=FileSystemLoader(FOLDER), keep_trailing_newline=True, **options
        )
        # Phrases are a few and ours: each is compiled once.
        self._phrase = cache(self._plain.from_string)
        self._html = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, **options)
        self._phrases = phrases_in(FOLDER)
        self._account_phrases = phrases_in(FOLDER / "account")
        self._operations_phrases = phrases_in(FOLDER / "operations")

    def compose(self, mail: Mail, reader: Reader) -> MailText:
        """The words of a mail for one reader."""
        template = self._phrases[f"{mail.kind}.{'stranger' if reader.stranger else mail.audience}"]
        phrases, common = template[reader.language], self._phrases["common"][reader.language]
        facts = _clean(mail.facts)
        values = self._values(mail, facts, reader.language)

        def say(phrase: str, **more: str) -> str:
            return self._phrase(phrase).render(values, **more)

        suffix = "_staff" if reader.staff else ""
        greeting = common["greeting"] if reader.name else common["greeting_team"]
        subject = one_line(f"{mail.sp_id}: {say(phrases['subject'])}")
        rows = _rows(mail, facts, values, reader.language)
        parts: dict[str, Any] = {
            "language": reader.language,
            "subject": subject,
            "greeting": say(greeting, name=one_line(reader.name)),
            "paragraphs": [say(phrase) for phrase in phrases["text"].strip().split("\n\n")],
            "why": values.get("why", ""),
            "rows": [(common["rows"][row], rows[row]) for row in template["rows"] if rows[row]],
            "link": values["link"] if template.get("link", True) else "",
            "button": phrases.get("button", common["button"]),
            "button_missing": common["button_missing"],
            "closing": common["closing"],
            "signature": common[f"signature{suffix}"],
            "footer": common[f"footer{suffix}"],
        }
        return self._laid_out(parts)

    def compose_account(
        self, purpose: str, reader: Reader, email: str, link: str, until: datetime
    ) -> MailText:
        """The words of a mail about a login: `purpose` is `invitation` or `reset`, the link works until then."""
        phrases = self._account_phrases[purpose][reader.language]
        common = self._phrases["common"][reader.language]
        values = {
            "name": one_line(reader.name),
            "email": one_line(email),
            "until": words.format_instant(until, reader.language),
        }
        said = {
            name: self._phrase(phrase).render(values)
            for name, phrase in {**phrases, "greeting": common["greeting"]}.items()
        }
        suffix = "_staff" if reader.staff else ""
        return self._laid_out(
            {
                "language": reader.language,
                "subject": one_line(said["subject"]),
                "greeting": said["greeting"],
                "paragraphs": said["text"].strip().split("\n\n"),
                "why": "",
                "rows": [],
                "link": link,
                "button": said["button"],
                "button_missing": common["button_missing"],
                "closing": common["closing"],
                "signature": common[f"signature{suffix}"],
                "footer": common[f"footer{suffix}"],
            }
        )

    def compose_findings(
        self,
        language: Language,
        rows: Sequence[tuple[str, FindingKind]],
        new: int,
        standing: int,
        link: str,
    ) -> MailText:
        """The words of a mail to operations about orders and settlements whose workflows are in trouble: by SP-ID or
        number, and how, the first of the `new` ones; `standing` are those of earlier mails with them."""
        phrases = self._operations_phrases["reconciliation"][language]
        common = self._phrases["common"][language]
        values = {"new": new, "standing": standing, "shown": len(rows), "more": new - len(rows)}
        text = self._phrase(phrases["text"]).render(values)
        return self._laid_out(
            {
                "language": language,
                "subject": one_line(self._phrase(phrases["subject"]).render(values)),
                "greeting": common["greeting_team"],
                "paragraphs": text.strip().split("\n\n"),
                "why": "",
                "rows": [(about, phrases["kinds"][kind]) for about, kind in rows],
                "link": link,
                "button": phrases["button"],
                "button_missing": common["button_missing"],
                "closing": common["closing"],
                "signature": common["signature_staff"],
                "footer": common["footer_staff"],
            }
        )

    def _laid_out(self, parts: Mapping[str, Any], layout: str = "layout") -> MailText:
        return MailText(
            subject=parts["subject"],
            text=self._plain.get_template(f"{layout}.txt").render(parts),
            html=self._html.get_template(f"{layout}.html").render(parts),
        )

    def _values(self, mail: Mail, facts: MailFacts, language: Language) -> dict[str, Any]:
        """What phrases may speak of. Without a deadline, a phrase that names one is an error and no gap in a text."""
        values: dict[str, Any] = {
            "sp_id": mail.sp_id,
            "link": f"{self._public_url}/orders/{quote(mail.sp_id, safe='')}",
            "facts": facts,
            "service": _shortened(facts.service),
            "status": words.status_label(facts.status, language),
            "reason": words.reason_label(facts.reason, language),
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


def phrases_in(folder: Path) -> dict[str, Any]:
    """The TOML files of a folder by their names."""
    return {
        path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.toml")
    }


def _clean(facts: MailFacts) -> MailFacts:
    """The facts as they may stand in a line; notes and reasons keep their line breaks."""
    return facts.model_copy(
        update={
            name: _lines(value) if name in _MANY_LINES else one_line(value)
            for name, value in facts
            if type(value) is str  # and not the status, which is one, too
        }
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _shortened(text: str) -> str:
    return text if len(text) <= _SERVICE_IN_SUBJECT else text[: _SERVICE_IN_SUBJECT - 1] + "…"


def _rows(
    mail: Mail, facts: MailFacts, values: Mapping[str, Any], language: Language
) -> dict[str, str]:
    """The table of facts; what is not known of this mail is empty."""
    return {
        "sp_id": mail.sp_id,
        "sales_order": facts.sales_order_id,
        "partner": facts.partner,
        "service": facts.service,
        "product": f"{facts.quantity} × {facts.product}",
        "customer": ", ".join(filter(None, (facts.customer_name, facts.customer_place))),
        "deadline": f"{values['deadline_label']}, {values['due']}" if facts.deadline else "",
        "status": values["status"],
        "tracking": facts.tracking,
        "reason": values["reason"],
        "note": facts.note,
        "asked_by": _asked_by(mail.sender, language) if mail.sender else "",
    }


def _asked_by(sender: Actor, language: Language) -> str:
    return ", ".join(filter(None, (words.role_label(sender.role, language), one_line(sender.name))))
