"""Settlements in words: states, actions, refusals, why an order is left out, the entries of a timeline."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import partial

from domain.orders.events import UnknownEvent
from domain.settlements.events import (
    Announced,
    InvoiceAccepted,
    InvoiceApproved,
    InvoiceHeld,
    InvoiceNoted,
    InvoicePaid,
    InvoiceReminded,
    InvoiceReturned,
    InvoiceSentBack,
    MailUndelivered,
    NothingToBill,
    Opened,
    OrdersClaimed,
    OrdersReleased,
    RulesAdopted,
    Selected,
    SelectionClosed,
    SettlementEvent,
    SettlementRecorded,
    StatementIssued,
    Voided,
)
from domain.settlements.invoicing import OwnInvoice
from domain.settlements.settlement import SettlementStatus
from domain.values import Language
from words.dates import format_day, format_instant
from words.labels import mail_label
from words.sentences import nothing_allowed_text, possible_text
from words.timeline import quoted, unknown_event_text
from words.translations import Meaning, mark, pmark, say

STATUSES: Mapping[SettlementStatus, str | Meaning] = {
    SettlementStatus.OPEN: mark("Auswahl offen"),
    SettlementStatus.CLOSING: mark("Wird abgeschlossen"),
    SettlementStatus.ISSUED: mark("Beleg erstellt, Rechnung erwartet"),
    SettlementStatus.INVOICED: mark("Rechnung angenommen"),
    SettlementStatus.APPROVED: mark("Zur Zahlung freigegeben"),
    SettlementStatus.PAID: mark("Bezahlt"),
    SettlementStatus.VOID: pmark("Verrechnung", "Storniert"),
}
ACTIONS: Mapping[str, str] = {
    "select": mark("Auswahl ändern"),
    "close": mark("Verrechnung abschliessen"),
    "invoice": mark("Rechnung hochladen"),
    "note_invoice": mark("Rechnung als erhalten vermerken"),
    "approve": mark("Rechnung freigeben"),
    "return": mark("Rechnung zurückweisen"),
    "pay": mark("Zahlung erfassen"),
    "accept_invoice": mark("Rechnung trotz anderem Konto annehmen"),
    "refuse_invoice": mark("Rechnung wegen des Kontos zurückweisen"),
    "void": mark("Verrechnung stornieren"),
    "adopt_rules": mark("Auf neuere Regeln umstellen"),
}
REFUSALS: Mapping[str, str | Meaning] = {
    "wrong_state": mark(
        "«%(action)s» ist nicht möglich: Die Verrechnung hat den Status «%(status)s»."
    ),
    "too_late": mark("Die Frist für die Auswahl ist abgelaufen."),
    "role": pmark("Verrechnung", "Sie sind zu «%(action)s» nicht berechtigt."),
    "not_yours": mark("Diese Verrechnung gehört einem anderen Servicepartner."),
    "other_invoice": mark(
        "Inzwischen ist eine andere Rechnung da, oder es ist schon entschieden. Bitte sehen Sie noch "
        "einmal nach."
    ),
    "no_iban": mark(
        "Für eine Rechnung mit Einzahlungsschein fehlt Ihre IBAN. Bitte lassen Sie sie vom "
        "Servicepartner-Team hinterlegen."
    ),
    "unusable_iban": mark(
        "Mit der hinterlegten IBAN lässt sich kein Einzahlungsschein erstellen: Es braucht die IBAN "
        "eines Kontos in der Schweiz oder in Liechtenstein, keine QR-IBAN. Bitte wenden Sie sich an "
        "das Servicepartner-Team."
    ),
    "nothing_to_pay": mark("Zu dieser Verrechnung ist nichts in Rechnung zu stellen."),
    "older_rules": mark("Für die Verrechnung gelten schon neuere Regeln."),
    "too_many_files": mark(
        "Zu dieser Verrechnung wurden schon so viele Dateien hochgeladen, wie möglich sind (20, "
        "zusammen 60 MB). Bitte wenden Sie sich an das Servicepartner-Team."
    ),
    "not_made": mark(
        "Der Entwurf konnte nicht erstellt werden. Bitte versuchen Sie es später noch einmal, oder "
        "senden Sie Ihre eigene Rechnung."
    ),
}
LEFT_OUT: Mapping[str, str | Meaning] = {
    "not_yours": mark("Der Auftrag ist einem anderen Servicepartner zugeteilt."),
    "not_completed": mark("Der Auftrag ist nicht abgeschlossen."),
    "taken_back": mark("Der Abschluss wurde nach der Auswahl zurückgenommen."),
    "cancelled": pmark("nicht verrechnet", "Der Auftrag ist storniert."),
    "billed": mark("Der Auftrag ist bereits verrechnet."),
    "unknown": mark("Diesen Auftrag gibt es nicht."),
    "unavailable": mark(
        "Der Auftrag antwortet im Moment nicht. Er bleibt für die nächste Verrechnung."
    ),
}


def settlement_status_label(status: SettlementStatus, language: Language) -> str:
    """The name of a settlement's state on screen. An unknown state is shown by its code."""
    text = STATUSES.get(status)
    return say(language, text) if text else status.value


def settlement_action_label(action: str, language: Language) -> str:
    """The text of the button for an action of `access.ROLES`. An unknown action is shown by its code."""
    text = ACTIONS.get(action)
    return say(language, text) if text else action


def settlement_refusal_text(
    action: str, code: str, status: SettlementStatus, allowed: Iterable[str], language: Language
) -> str:
    """Why a settlement refuses, and what is allowed now. The arguments are the attributes of `SettlementRefused`."""
    text = REFUSALS.get(code) or REFUSALS["wrong_state"]
    why = say(
        language,
        text,
        action=settlement_action_label(action, language),
        status=settlement_status_label(status, language),
    )
    possible = possible_text(
        (settlement_action_label(each, language) for each in allowed), language
    )
    if possible:
        return f"{why} {possible}"
    return f"{why} {nothing_allowed_text(language)}" if code == "wrong_state" else why


def paper_not_made_text(language: Language) -> str:
    """The sentence that a draft cannot be made now."""
    text = REFUSALS["not_made"]
    return say(language, text)


def month_runs_text(last_day: date, language: Language) -> str:
    """The sentence that a settlement's month still runs, until its last day."""
    text = mark(
        "Der Monat läuft noch: Was bis zum %(day)s noch ausgeführt wird, kommt erst in die nächste "
        "Verrechnung."
    )
    return say(language, text, day=format_day(last_day, language))


def left_out_text(reason: str, language: Language) -> str:
    """Why an order is not in a settlement. An unknown reason is shown by its code."""
    text = LEFT_OUT.get(reason)
    return say(language, text) if text else reason


def settlement_event_text(
    recorded: SettlementRecorded, language: Language, local: Callable[[datetime], datetime]
) -> str:
    """An event in words. A text that somebody wrote follows in quotation marks.

    `local` gives the wall-clock time (naive) at an instant: `Calendar.local` of the settlement.
    """
    event = recorded.event
    sentence = _sentence(event, language, local)
    written = ""
    if isinstance(event, Voided):
        written = event.reason
    elif isinstance(event, InvoiceNoted):
        written = event.note
    elif isinstance(event, InvoiceSentBack):
        written = event.reason
    return f"{sentence}. {quoted(written, language)}" if written else sentence


def _sentence(
    event: SettlementEvent, language: Language, local: Callable[[datetime], datetime]
) -> str:
    _ = partial(say, language)

    def clock(instant: datetime) -> str:
        return format_instant(local(instant), language)

    match event:
        case Opened(selectable_until=until):
            orders = len(event.sp_ids)
            if until is None:
                return _("Verrechnung eröffnet, Anzahl Aufträge: %(orders)s", orders=orders)
            return _(
                "Verrechnung eröffnet, Anzahl Aufträge: %(orders)s; Auswahl offen bis %(until)s",
                orders=orders,
                until=clock(until),
            )
        case Announced():
            return _("Servicepartner benachrichtigt")
        case Selected():
            return _("Auswahl geändert, Anzahl Aufträge: %(orders)s", orders=len(event.sp_ids))
        case SelectionClosed():
            return _("Auswahl abgeschlossen")
        case OrdersClaimed():
            if not event.left_out:
                return _("Anzahl verrechneter Aufträge: %(orders)s", orders=event.claimed)
            return _(
                "Anzahl verrechneter Aufträge: %(orders)s; nicht verrechnet: %(left_out)s",
                orders=event.claimed,
                left_out=len(event.left_out),
            )
        case NothingToBill():
            return _("Nichts zu verrechnen, die Verrechnung ist storniert")
        case StatementIssued(invoice_due=due):
            total = event.statement.total
            if due is None:
                return _("Verrechnungsbeleg erstellt: CHF %(total)s", total=total)
            return _(
                "Verrechnungsbeleg erstellt: CHF %(total)s; Rechnung erwartet bis %(due)s",
                total=total,
                due=clock(due),
            )
        case InvoiceReminded():
            return _("%(level)s. Erinnerung an die Rechnung", level=event.level)
        case InvoiceReturned():
            return _("Rechnung zurückgewiesen")
        case InvoiceAccepted(invoice=OwnInvoice(number=number)):
            return _(
                "Rechnung %(number)s erstellt, geprüft und an die Buchhaltung weitergeleitet",
                number=number,
            )
        case InvoiceAccepted():
            return _("Rechnung geprüft und an die Buchhaltung weitergeleitet")
        case InvoiceNoted():
            return _("Rechnung auf anderem Weg erhalten")
        case InvoiceHeld(accounts=accounts):
            return _(
                "Rechnung nennt ein anderes Konto als das hinterlegte (%(accounts)s); die Buchhaltung "
                "entscheidet",
                accounts=", ".join(accounts),
            )
        case InvoiceApproved():
            return _("Rechnung zur Zahlung freigegeben")
        case InvoiceSentBack(invoice_due=due):
            return _(
                "Rechnung von der Buchhaltung zurückgewiesen; neue Rechnung erwartet bis %(due)s",
                due=clock(due),
            )
        case InvoicePaid(paid_on=paid_on):
            return _("Bezahlt am %(day)s", day=format_day(paid_on, language))
        case Voided():
            return _("Verrechnung storniert")
        case OrdersReleased():
            return _("Anzahl wieder freigegebener Aufträge: %(orders)s", orders=event.orders)
        case MailUndelivered():
            undelivered = pmark("Verrechnung", "E-Mail «%(mail)s» war nicht zustellbar")
            return _(undelivered, mail=mail_label(event.mail, language))
        case RulesAdopted():
            return _("Neuere Regeln gelten (Version %(version)s)", version=event.version)
        case UnknownEvent():
            return unknown_event_text(language)
