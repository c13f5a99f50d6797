"""The texts of a statement, an invoice and its draft, and an execution protocol."""

from collections.abc import Mapping
from typing import Any, Literal

from babel.dates import get_month_names

from domain.values import Language
from words.translations import Meaning, mark, pmark, say

STATEMENT: Mapping[str, str | Meaning] = {
    "title": pmark("Beleg", "Verrechnungsbeleg"),
    "number": pmark("Beleg", "Verrechnungs-ID"),
    "partner": mark("Servicepartner"),
    "vat_number": mark("MWST-Nr."),
    "period": mark("Zeitraum"),
    "created": mark("Erstellt am"),
    "reference": mark("Referenz"),
    "orders": mark("Aufträge"),
    "not_an_invoice": mark("Dieser Beleg ist keine Rechnung."),
    "invoice_to": mark("Ihre Rechnung senden Sie an: %(address)s"),
    "text": mark(
        "Senden Sie die Rechnung als PDF, mit der Verrechnungs-ID %(number)s als Referenz und "
        "jeder SP-ID als Position, über %(total)s."
    ),
    "nothing_due": mark(
        "Das Total ist %(total)s: Zu dieser Verrechnung ist nichts in Rechnung zu stellen, Sie "
        "müssen nichts weiter tun."
    ),
    "sp_id": mark("SP-ID"),
    "sales_order": pmark("Beleg", "Verkaufsauftrag"),
    "executed_on": mark("Ausgeführt"),
    "service": mark("Dienstleistung"),
    "place": pmark("Beleg", "Ort"),
    "amount": mark("Betrag CHF"),
    "vat": mark("MWST CHF"),
    "vat_short": mark("MWST"),
    "corrections": mark("Korrekturen"),
    "net": mark("Netto"),
    "vat_of": mark("MWST %(percent)s auf %(net)s"),
    "no_vat": mark("Ohne MWST: der Servicepartner ist nicht steuerpflichtig."),
    "vat_since": mark("Mit MWST: Dienstleistungen ab dem %(day)s."),
    "total": mark("Total CHF"),
    "page": pmark("Beleg", "Seite %(page)s von %(pages)s"),
    "footer": mark("Keine Rechnung"),
    "none": mark("In diesem Zeitraum wird kein Auftrag verrechnet."),
    "attached": mark("Die Positionen liegen diesem PDF als CSV und JSON bei."),
    "csv": mark("Positionen als Tabelle"),
    "json": mark("Verrechnung für Programme"),
}
"""The texts of a statement. `text` and `nothing_due` tell the partner about its invoice."""
INVOICE: Mapping[str, str | Meaning] = {
    "title": mark("Rechnung"),
    "number": mark("Rechnungsnummer"),
    "draft": mark(
        "Entwurf zur Prüfung, keine Rechnung. Die Rechnung mit Ihrer Nummer erstellen Sie im CMI, "
        "oder Sie schreiben sie selbst."
    ),
    "footer": mark("Entwurf"),
    "reference": mark("Referenz"),
    "period": mark("Leistungszeitraum"),
    "date": mark("Datum"),
    "please": mark("Bitte geben Sie bei der Zahlung die Referenz %(reference)s an."),
}
"""The texts of an invoice and its draft. It also uses those of a statement."""
PROTOCOL: Mapping[str, str | Meaning] = {
    "title": mark("Ausführungsprotokoll"),
    "order": mark("Auftrag"),
    "sales_order": mark("Verkaufsauftrag"),
    "customer": mark("Kundschaft"),
    "partner": mark("Ausgeführt von"),
    "service": mark("Dienstleistung"),
    "product": mark("Produkt"),
    "on_site": mark("Vor Ort"),
    "checklist": mark("Checkliste"),
    "item": mark("Punkt"),
    "answer": mark("Antwort"),
    "materials": mark("Material"),
    "remarks": mark("Bemerkungen"),
    "signature": mark("Unterschrift"),
    "signed_by": mark("Unterschrift von %(name)s"),
    "unsigned": mark("Ohne Unterschrift"),
    "reason": mark("Grund"),
    "photos": mark("Fotos"),
    "photo": mark("Foto %(number)s"),
    "version": mark("Fassung %(number)s"),
    "written": mark("Erfasst am %(at)s von %(name)s"),
    "checksum": mark("Prüfsumme (SHA-256)"),
    "page": pmark("Beleg", "Seite %(page)s von %(pages)s"),
}
"""The texts of an execution protocol, which is in the customer's language."""
DocumentKind = Literal["statement", "invoice", "protocol"]
_TEXTS: Mapping[DocumentKind, Mapping[str, str | Meaning]] = {
    "statement": STATEMENT,
    "invoice": INVOICE,
    "protocol": PROTOCOL,
}
_PLACEHOLDERS = {
    name: f"{{{name}}}"
    for name in (
        "address",
        "at",
        "day",
        "name",
        "net",
        "number",
        "page",
        "pages",
        "percent",
        "reference",
        "total",
    )
}


def document_words(document: DocumentKind, language: Language) -> dict[str, Any]:
    """The texts of a document by their names, and `months`, January first.

    The values in a text stand in braces and are filled in by `str.format`.
    """
    texts: dict[str, Any] = {
        name: say(language, text, **_PLACEHOLDERS) for name, text in _TEXTS[document].items()
    }
    months = get_month_names("wide", context="stand-alone", locale=language)
    return texts | {"months": [months[month] for month in range(1, 13)]}
