"""The entries of an order's timeline in words."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from domain.orders.deadline_events import DeadlineMissed, DeadlinesStretched, Escalated, ReminderDue
from domain.orders.events import (
    Accepted,
    AppointmentMoved,
    AppointmentSet,
    Billed,
    CalendarRenewed,
    Cancelled,
    CommandRefused,
    ContactLogged,
    Declined,
    Event,
    ExecutionConfirmed,
    ExecutionTakenBack,
    GoodsUnexpected,
    HoldEnded,
    MailUndelivered,
    NotExecuted,
    NoticeKept,
    OrderSeen,
    Paid,
    PartnerNotified,
    Placed,
    ProblemReported,
    ProblemWithdrawn,
    Reassigned,
    Recorded,
    Released,
    RequirementsConfirmed,
    RequirementsRejected,
    ReviewDecided,
    RulesAdopted,
    ShippingEnded,
    ShippingStarted,
    TransmissionStarted,
    Transmitted,
    Unassigned,
    UnknownEvent,
)
from domain.orders.shipment import GoodsShipped
from domain.values import Language
from words.dates import format_day, format_instant, format_period
from words.labels import action_label, deadline_label, mail_label, reason_label, role_label
from words.sentences import reason_of
from words.translations import pmark, say

# Codes whose sentence names the state, which the event does not have.
_NAMING_THE_STATE = ("wrong_state", "final")


def event_text(
    recorded: Recorded,
    language: Language,
    local: Callable[[datetime], datetime],
    names: Mapping[str, str] | None = None,
) -> str:
    """An event in words. A text that somebody wrote follows in quotation marks.

    `local` gives the wall-clock time (naive) at an instant: `Calendar.local` of the order. `names`: partners' names by
    their ids; a partner that is not among them is named by its id.
    """
    event = recorded.event
    sentence = _sentence(event, language, local, names or {})
    written = _written(event)
    return f"{sentence}. {quoted(written, language)}" if written else sentence


def quoted(text: str, language: Language) -> str:
    """What somebody wrote, in quotation marks."""
    return say(language, "«%(text)s»", text=text)


def _written(event: Event) -> str:
    """The free text of an event; empty if it has none."""
    match event:
        case (
            ContactLogged(note=text)
            | RequirementsConfirmed(note=text)
            | RequirementsRejected(note=text)
            | AppointmentMoved(reason=text)
            | ExecutionConfirmed(note=text)
            | NotExecuted(note=text)
            | ProblemReported(note=text)
            | Declined(note=text)
            | ExecutionTakenBack(reason=text)
            | ReviewDecided(note=text)
            | Cancelled(reason=text)
            | Reassigned(reason=text)
        ):
            return text
        case _:
            return ""


def _sentence(
    event: Event,
    language: Language,
    local: Callable[[datetime], datetime],
    names: Mapping[str, str],
) -> str:
    """An event in words, without what somebody wrote."""
    _ = partial(say, language)

    def clock(instant: datetime) -> str:
        return format_instant(local(instant), language)

    def period(event: AppointmentSet | AppointmentMoved) -> str:
        return format_period(local(event.start), local(event.end), language)

    match event:
        case Placed(prepaid=True):
            return _("Auftrag eingegangen, wartet auf die Zahlung")
        case Placed():
            return _("Auftrag eingegangen")
        case Paid():
            return _("Zahlung eingegangen")
        case TransmissionStarted():
            return _("Übermittlung an den Servicepartner begonnen")
        case Transmitted():
            return _(
                "Auftrag an %(partner)s übermittelt",
                partner=names.get(event.partner_id, event.partner_id),
            )
        case PartnerNotified():
            return _("Servicepartner per E-Mail benachrichtigt")
        case OrderSeen():
            return _("Auftrag vom Servicepartner angesehen, bevor die E-Mail versandt war")
        case Declined():
            return _("Auftrag abgelehnt: %(reason)s", reason=reason_label(event.reason, language))
        case Unassigned():
            return _(
                "Auftrag ohne Servicepartner: %(reason)s",
                reason=reason_label(event.reason, language),
            )
        case Accepted():
            return _("Auftrag akzeptiert")
        case ContactLogged(outcome="reached"):
            return _("Kundschaft erreicht")
        case ContactLogged():
            return _("Kundschaft nicht erreicht")
        case RequirementsConfirmed():
            return _("Anforderungen erfüllt, Versand der Ware angefordert")
        case RequirementsRejected():
            reason = reason_label(event.reason, language)
            return _("Anforderungen nicht erfüllt: %(reason)s", reason=reason)
        case NoticeKept(notice=notice):
            if isinstance(notice, GoodsShipped):
                return _(
                    "Meldung zum Versand der Ware vorgemerkt (Sendung %(tracking)s)",
                    tracking=notice.tracking,
                )
            if notice.received_at is None:
                return _("Meldung zum Erhalt der Ware vorgemerkt")
            return _(
                "Meldung zum Erhalt der Ware vorgemerkt (%(at)s)", at=clock(notice.received_at)
            )
        case GoodsUnexpected(notice=notice):
            if isinstance(notice, GoodsShipped):
                return _(
                    "Ware unterwegs, obwohl der Auftrag beendet ist (Sendung %(tracking)s)",
                    tracking=notice.tracking,
                )
            return _("Ware eingetroffen, obwohl der Auftrag beendet ist")
        case ShippingStarted():
            return _("Ware unterwegs (Sendung %(tracking)s)", tracking=event.tracking)
        case ShippingEnded():
            received, since = clock(event.received_at), clock(event.counts_from)
            if received == since:
                return _("Ware eingetroffen am %(at)s", at=received)
            return _(
                "Ware eingetroffen am %(at)s, die Frist zählt ab der Meldung am %(since)s",
                at=received,
                since=since,
            )
        case AppointmentSet():
            return _("Kundentermin gesetzt: %(period)s", period=period(event))
        case AppointmentMoved(moved_by="customer"):
            return _(
                "Kundentermin auf Wunsch der Kundschaft verschoben auf %(period)s",
                period=period(event),
            )
        case AppointmentMoved(moved_by="partner"):
            return _(
                "Kundentermin vom Servicepartner verschoben auf %(period)s", period=period(event)
            )
        case AppointmentMoved():
            return _("Kundentermin verschoben auf %(period)s", period=period(event))
        case ExecutionConfirmed(early=True):
            return _(
                "Vor dem Termin ausgeführt am %(day)s", day=format_day(event.executed_on, language)
            )
        case ExecutionConfirmed():
            executed = pmark("Verlauf", "Ausgeführt am %(day)s")
            return _(executed, day=format_day(event.executed_on, language))
        case NotExecuted():
            return _("Nicht ausgeführt: %(reason)s", reason=reason_label(event.reason, language))
        case ExecutionTakenBack():
            return _("Bestätigung der Ausführung zurückgenommen")
        case ProblemReported():
            if event.until is None:
                return _(
                    "Problem gemeldet: %(reason)s", reason=reason_label(event.reason, language)
                )
            return _(
                "Problem gemeldet: %(reason)s (bis %(day)s)",
                reason=reason_label(event.reason, language),
                day=format_day(event.until, language),
            )
        case ProblemWithdrawn():
            return _("Meldung zurückgezogen, der Auftrag geht weiter")
        case HoldEnded():
            return _("Zurückstellung beendet, der Auftrag geht weiter")
        case DeadlinesStretched():
            return _(
                "Das CMI war von %(begin)s bis %(end)s nicht erreichbar: Fristen verlängert",
                begin=clock(event.begin),
                end=clock(event.end),
            )
        case ReviewDecided(until=day) if day is not None:
            return _(
                "Entscheid zur Abklärung: zurückgestellt bis %(day)s", day=format_day(day, language)
            )
        case ReviewDecided():
            decision = action_label(event.decision, language)
            if event.executed_on is None:
                return _("Entscheid zur Abklärung: %(decision)s", decision=decision)
            return _(
                "Entscheid zur Abklärung: %(decision)s (ausgeführt am %(day)s)",
                decision=decision,
                day=format_day(event.executed_on, language),
            )
        case Cancelled():
            return _("Auftrag storniert")
        case Reassigned():
            return _(
                "Auftrag neu %(partner)s zugeteilt (bisher %(previous)s)",
                partner=event.partner.name,
                previous=names.get(event.from_partner_id, event.from_partner_id),
            )
        case Billed():
            return _("Verrechnet mit %(settlement)s", settlement=event.settlement_id)
        case Released():
            return _(
                "Wieder frei: Verrechnung %(settlement)s wurde storniert",
                settlement=event.settlement_id,
            )
        case ReminderDue():
            return _(
                "Erinnerung an die Frist «%(deadline)s», fällig %(due)s",
                deadline=deadline_label(event.kind, language),
                due=clock(event.due),
            )
        case DeadlineMissed():
            return _(
                "Frist «%(deadline)s» verpasst, fällig war %(due)s",
                deadline=deadline_label(event.kind, language),
                due=clock(event.due),
            )
        case Escalated():
            return _(
                "%(level)s. Mahnung zur Frist «%(deadline)s», fällig war %(due)s",
                level=event.level,
                deadline=deadline_label(event.kind, language),
                due=clock(event.due),
            )
        case MailUndelivered():
            return _(
                "E-Mail «%(mail)s» war nicht zustellbar", mail=mail_label(event.mail, language)
            )
        case CommandRefused():
            return _refused(event, language)
        case CalendarRenewed():
            return _("Feiertagskalender verlängert")
        case RulesAdopted():
            return _("Neuere Regeln gelten (Version %(version)s)", version=event.version)
        case UnknownEvent():
            return unknown_event_text(language)


def unknown_event_text(language: Language) -> str:
    """The sentence for an event that only a newer release can describe."""
    return say(language, "Weiteres Ereignis, das diese Version noch nicht anzeigen kann")


def _refused(event: CommandRefused, language: Language) -> str:
    """A command that was refused. The code may be of `Refused` or of `InvalidCommand`."""
    sender = role_label(event.sender.role, language)
    action = action_label(event.action, language)
    why = reason_of(event.code)
    if why is None or event.code in _NAMING_THE_STATE:
        return say(
            language,
            "%(sender)s: «%(action)s» war nicht mehr möglich und wurde nicht ausgeführt",
            sender=sender,
            action=action,
        )
    return say(
        language,
        "%(sender)s: «%(action)s» wurde nicht ausgeführt. %(why)s",
        sender=sender,
        action=action,
        why=say(language, why, action=action),
    )
