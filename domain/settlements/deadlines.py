"""When time alone changes a settlement: the selection closes, reminders are due."""

from datetime import datetime

from domain.settlements.settlement import Settlement, SettlementStatus


def next_instant(settlement: Settlement) -> datetime | None:
    """The next instant at which time alone changes the settlement; None if there is no such instant."""
    match settlement.status:
        case SettlementStatus.OPEN:
            instants = [settlement.selectable_until]
            if not settlement.told:
                instants.append(announce_at(settlement))
            return min((at for at in instants if at is not None), default=None)
        case SettlementStatus.ISSUED:
            return settlement.next_reminder
        case _:
            return None


def announce_at(settlement: Settlement) -> datetime:
    """When the partner is told, in office hours, of a settlement that the month's end opened."""
    return in_office(settlement, settlement.opened_at)


def invoice_due(settlement: Settlement, since: datetime) -> datetime | None:
    """When an invoice that is awaited since an instant is overdue; None if the policy has no such deadline."""
    within = settlement.policy.settlement.invoice_within
    return None if within is None else settlement.opening.calendar.due(since, within)


def most_reminders(settlement: Settlement) -> int:
    """How many reminders of a missing invoice there are: one when it is overdue, then the repetitions."""
    return settlement.policy.escalation.repeats + 1


def in_office(settlement: Settlement, instant: datetime) -> datetime:
    """The instant, or the next one in office hours if mails go out in office hours only."""
    if not settlement.policy.escalation.office_hours_only:
        return instant
    return settlement.opening.calendar.next_office(instant)
