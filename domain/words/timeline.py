"""The entries of an order's timeline in words."""

from collections.abc import Callable
from datetime import datetime

from domain.orders.events import (
    Accepted,
    AppointmentMoved,
    AppointmentSet,
    Billed,
    CalendarRenewed,
    Cancelled,
    CommandRefused,
    ContactLogged,
    DeadlineMissed,
    Escalated,
    Event,
    ExecutionConfirmed,
    MailUndelivered,
    NotExecuted,
    NoticeKept,
    Paid,
    Placed,
    Reassigned,
    Recorded,
    Released,
    ReminderDue,
    RequirementsConfirmed,
    RequirementsRejected,
    ReviewDecided,
    RulesAdopted,
    ShippingEnded,
    ShippingStarted,
    TransmissionStarted,
    Transmitted,
    UnknownEvent,
)
from domain.orders.order import GoodsShipped
from domain.values import Language
from domain.words.dates import format_day, format_instant, format_period
from domain.words.labels import action_label, deadline_label, mail_label, reason_label, role_label
from domain.words.languages import VOCABULARIES

# Refusals that name the state, which the event does not know any more.
_OF_THE_STATE = ("wrong_state", "final")


def event_text(
    recorded: Recorded, language: Language, local: Callable[[datetime], datetime]
) -> str:
    """What happened, in words; what somebody wrote follows in quotation marks.

    `local` gives the wall-clock time (naive) at an instant: `Calendar.local` of the order.
    """
    event = recorded.event
    said = _said(event, language, local)
    written = _written(event)
    return f"{said}. {VOCABULARIES[language].quote.format(text=written)}" if written else said


def _written(event: Event) -> str:
    """The free text that came with it."""
    match event:
        case (
            ContactLogged(note=text)
            | RequirementsConfirmed(note=text)
            | RequirementsRejected(note=text)
            | AppointmentMoved(reason=text)
            | ExecutionConfirmed(note=text)
            | NotExecuted(note=text)
            | ReviewDecided(note=text)
            | Cancelled(reason=text)
            | Reassigned(reason=text)
        ):
            return text
        case _:
            return ""


def _said(event: Event, language: Language, local: Callable[[datetime], datetime]) -> str:
    """What happened, without what somebody wrote."""

    def say(key: str, **facts: str | int) -> str:
        return VOCABULARIES[language].events[key].format(**facts)

    def clock(instant: datetime) -> str:
        return format_instant(local(instant), language)

    match event:
        case Placed():
            return say("placed_prepaid" if event.prepaid else "placed")
        case Transmitted():
            return say("transmitted", partner=event.partner_id)
        case ContactLogged():
            return say(f"contact_logged_{event.outcome}")
        case RequirementsRejected() | NotExecuted():
            return say(event.type, reason=reason_label(event.reason, language))
        case NoticeKept(notice=notice):
            if isinstance(notice, GoodsShipped):
                return say("notice_kept_shipped", tracking=notice.tracking)
            at = notice.received_at
            return (
                say("notice_kept_received_at", at=clock(at)) if at else say("notice_kept_received")
            )
        case ShippingStarted():
            return say(event.type, tracking=event.tracking)
        case ShippingEnded():
            received, since = clock(event.received_at), clock(event.counts_from)
            if received == since:
                return say("goods_received", at=received)
            return say("goods_received_late", at=received, since=since)
        case AppointmentSet() | AppointmentMoved():
            period = format_period(local(event.start), local(event.end), language)
            return say(event.type, period=period)
        case ExecutionConfirmed():
            return say(event.type, day=format_day(event.executed_on, language))
        case ReviewDecided():
            decision = action_label(event.decision, language)
            if event.executed_on is None:
                return say("review_decided", decision=decision)
            day = format_day(event.executed_on, language)
            return say("review_decided_executed", decision=decision, day=day)
        case Reassigned():
            return say(event.type, partner=event.partner.name, previous=event.from_partner_id)
        case Billed() | Released():
            return say(event.type, settlement=event.settlement_id)
        case ReminderDue() | DeadlineMissed():
            return say(
                event.type, deadline=deadline_label(event.kind, language), due=clock(event.due)
            )
        case Escalated():
            return say(
                event.type,
                level=event.level,
                deadline=deadline_label(event.kind, language),
                due=clock(event.due),
            )
        case RulesAdopted():
            return say(event.type, version=event.version)
        case MailUndelivered():
            return say(event.type, mail=mail_label(event.mail, language))
        case CommandRefused():
            return _refused(event, language)
        case UnknownEvent():
            return VOCABULARIES[language].unknown_event
        case (
            Paid()
            | TransmissionStarted()
            | Accepted()
            | RequirementsConfirmed()
            | Cancelled()
            | CalendarRenewed()
        ):
            return say(event.type)


def _refused(event: CommandRefused, language: Language) -> str:
    """A command that came late: the code may be of `Refused` or of `InvalidCommand`."""
    vocabulary = VOCABULARIES[language]
    sender = role_label(event.sender.role, language)
    action = action_label(event.action, language)
    why = {**vocabulary.invalid, **vocabulary.refusals}.get(event.code)
    if why is None or event.code in _OF_THE_STATE:
        return vocabulary.events["command_refused"].format(sender=sender, action=action)
    return vocabulary.events["command_refused_why"].format(
        sender=sender, action=action, why=why.format(action=action)
    )
