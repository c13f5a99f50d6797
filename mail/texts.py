"""The texts of mails, from `templates/mail/` in the reader's language, as plain text and as HTML.

A file `<kind>.<audience>.txt` holds one mail about an order, `account/<purpose>.txt` one about a login,
`partner/<kind>.txt` one about a partner's IBAN or address, `operations/<kind>.txt` one about the running of the CMI,
`shop/<kind>.txt` a notice to the shop. It is a Jinja template in German; the catalogues in `locale/` have the other
languages. It sets:

- `subject`;
- `text`: paragraphs with empty lines between them;
- `preview`: what an inbox shows beside the subject, if not the first of these paragraphs;
- `rows`: the rows of the table of facts, if there is one;
- `button`: the label of the link, if not "Auftrag öffnen"; `has_link = false` for a mail without a link.

The templates produce plain text, and the HTML layout escapes it, so that no value can become markup.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import words
from contracts.activities import FindingKind
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
    "fee": mark("Vergütung"),
    "product": mark("Produkt"),
    "customer": mark("Kundschaft"),
    "customer_phone": mark("Telefon Kundschaft"),
    "order_note": mark("Bemerkung zum Auftrag"),
    "deadline": pmark("Mail", "Frist"),
    "appointment": mark("Kundentermin"),
    "visit": pmark("Mail", "Termin"),
    "status": mark("Status"),
    "tracking": pmark("Mail", "Sendung"),
    "reason": mark("Grund"),
    "until": pmark("Mail", "Bis"),
    "note": mark("Bemerkung"),
    "asked_by": mark("Gemeldet von"),
}
"""The labels in the table of facts of a mail about an order."""


class Reader(NamedTuple):
    """The reader of a mail: a partner, or a member of staff (`staff`). Staff without a name is the whole team.

    `stranger`: a partner who does not have the order (any more). `customer`: the customer of an order.
    """

    name: str
    language: Language
    staff: bool = False
    stranger: bool = False
    customer: bool = False


class Row(NamedTuple):
    """A row of the table of facts. `href`: where the HTML part links it to."""

    label: str
    text: str
    href: str = ""


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


def lines(text: str) -> str:
    """The text with its line breaks, without other control characters and invisible marks."""
    return "\n".join(one_line(line) for line in text.splitlines()).strip()


class MailTexts:
    """Composes mails from the templates, which a process reads once.

    Links begin with `public_url`. `company` is the retailer's name, which partners know.
    """

    def __init__(self, public_url: str, company: str = "") -> None:
        self._public_url = public_url
        self._company = one_line(company)
        self._templates = {
            language: _Environments(_environment(language), _environment(language, html=True))
            for language in LANGUAGES
        }

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

    def compose_notice(
        self,
        name: str,
        reader: Reader,
        values: Mapping[str, Any],
        rows: Sequence[tuple[str, str]] = (),
        *,
        path: str = "",
    ) -> MailText:
        """A mail from the template with this name and these values. `path`: where its link leads; none: no link."""
        said = self._said(name, reader, values)
        link = f"{self._public_url}{path}" if path else ""
        return self._laid_out(reader, said["subject"], said, rows=rows, link=link)

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

    def _signature(self, reader: Reader) -> str:
        if reader.customer and self._company:
            return self._company
        if reader.staff:
            return say(reader.language, "Ihr CMI")
        return say(reader.language, "Ihr Servicepartner-Team")

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
        rows: Sequence[tuple[str, str] | Row] = (),
        why: str = "",
        layout: str = "layout",
        **more: Any,
    ) -> MailText:
        """The mail with the variables of its template. `why` explains its deadline; `more` is for the layout."""
        templates = self._templates[reader.language]
        _ = partial(say, reader.language)
        greeting = _("Guten Tag %(name)s", name=one_line(reader.name))
        paragraphs = _paragraphs(said["text"])
        values: dict[str, Any] = {
            "language": reader.language,
            "subject": one_line(subject),
            "greeting": greeting if reader.name else _("Guten Tag zusammen"),
            "brand": "CMI" if reader.staff or not self._company else self._company,
            "preview": one_line(said.get("preview") or paragraphs[0]),
            "paragraphs": paragraphs,
            "why": why,
            "rows": [Row(*row) for row in rows],
            "link": link if said.get("has_link", True) else "",
            "button": said.get("button") or _("Auftrag öffnen"),
            "button_missing": _(
                "Falls die Schaltfläche nicht funktioniert, öffnen Sie diese Adresse:"
            ),
            "closing": _("Freundliche Grüsse"),
            "signature": self._signature(reader),
            "company": "" if reader.staff or reader.customer else self._company,
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


@cache
def _environment(language: Language, *, html: bool = False) -> Environment:
    """The templates in one language, each compiled when first used. All objects of a process share them."""
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
