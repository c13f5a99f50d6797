"""How the Temporal UI shows a settlement to operations. No personal data: not all of these texts are encrypted."""

from datetime import datetime
from typing import Any

from temporalio.common import SearchAttributeUpdate, TypedSearchAttributes

import words
from contracts import names
from contracts.messages import DisplaySettings
from domain.settlements.access import actions
from domain.settlements.deadlines import next_instant
from domain.settlements.settlement import Settlement, SettlementStatus
from domain.values import Language
from words.translations import mark, say

_REMINDER = mark("Rechnung: %(number)s. Erinnerung %(when)s")
_CLOSES = mark("Auswahl endet %(when)s")
_TOLD = mark("Servicepartner wird benachrichtigt %(when)s")
_NEXT = mark("als Nächstes: %(what)s")
_NEXT_STATEMENT = mark("als Nächstes: der Beleg")
_PICKED = mark("Aufträge ausgewählt: %(orders)s")
_ASKED = mark("Aufträge gefragt: %(asked)s von %(orders)s")
_BILLED = mark("Aufträge verrechnet: %(orders)s, ausgelassen: %(left_out)s")
_SET_FREE = mark("Aufträge freigegeben: %(asked)s von %(orders)s")
_NOTHING = mark("nichts zu verrechnen, ausgelassen: %(left_out)s")
_TAKEN_BACK = mark("zurückgenommen")
_TOTAL = mark("Total CHF %(total)s")


def title(settlement: Settlement) -> str:
    """One line for the list: the month and the partner, and the number in the month if it is not the first."""
    opening = settlement.opening
    further = f" · {opening.number}" if opening.number > 1 else ""
    return f"{opening.month} · {opening.partner.partner_id}{further}"


def wake_summary(settlement: Settlement, wake: datetime, language: Language) -> str:
    """What a timer waits for, in one line in the operations' language."""
    when = words.format_instant(settlement.opening.calendar.local(wake), language)
    if settlement.status is SettlementStatus.ISSUED:
        return say(language, _REMINDER, number=settlement.reminders + 1, when=when)
    if settlement.told or wake == settlement.selectable_until:
        return say(language, _CLOSES, when=when)
    return say(language, _TOLD, when=when)


def is_late(settlement: Settlement) -> bool:
    """Whether its invoice is overdue."""
    return settlement.reminders > 0 and not (settlement.is_over or settlement.awaits_payment)


def search_attributes(
    settlement: Settlement, shown: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:
    """The updates that bring the lists of the Temporal UI up to date; empty if `shown` is."""
    due, late = next_instant(settlement), is_late(settlement)
    partner_id = settlement.opening.partner.partner_id
    same = (
        shown.get(names.SETTLEMENT_STATUS) == settlement.status.value
        and shown.get(names.PARTNER_ID) == partner_id
        and shown.get(names.OVERDUE) == late
        and shown.get(names.DEADLINE) == due
    )
    if same:
        return []
    return [
        names.SETTLEMENT_STATUS.value_set(settlement.status.value),
        names.PARTNER_ID.value_set(partner_id),
        names.OVERDUE.value_set(late),
        names.DEADLINE.value_set(due) if due else names.DEADLINE.value_unset(),
    ]


def details(settlement: Settlement, asked: int, display: DisplaySettings) -> str:
    """The settlement's state: its progress, what comes next, which actions are allowed, a link to its page.

    Markdown. `asked`: how many of its orders have answered the current step, the claim or the release.
    """
    language: Language = display.language
    label = words.settlement_status_label(settlement.status, language)
    lines = [f"## {label} (`{settlement.status.value}`)", ""]
    lines += [f"- {line}" for line in _progress(settlement, asked, language)]
    wake = next_instant(settlement)
    if wake is not None:
        following = wake_summary(settlement, wake, language)
        lines.append(f"- {say(language, _NEXT, what=following)}")
    possible = actions(settlement)
    if possible:
        labels = ", ".join(words.settlement_action_label(each, language) for each in possible)
        lines += ["", labels, "", f"`{' '.join(possible)}`"]
    name = settlement.settlement_id
    return "\n".join([*lines, "", f"[{name}]({display.public_url}/settlements/{name})"])


def _progress(settlement: Settlement, asked: int, language: Language) -> list[str]:
    orders, left_out = len(settlement.picked), len(settlement.left_out)
    billed = say(language, _BILLED, orders=orders, left_out=left_out)
    statement = say(language, _NEXT_STATEMENT)
    match settlement.status:
        case SettlementStatus.OPEN:
            return [say(language, _PICKED, orders=orders)]
        case SettlementStatus.CLOSING if not settlement.claimed:
            return [say(language, _ASKED, asked=asked, orders=orders), statement]
        case SettlementStatus.CLOSING:
            return [billed, statement]
        case SettlementStatus.VOID if not settlement.released:
            return [say(language, _SET_FREE, asked=asked, orders=orders)]
        case SettlementStatus.VOID if not settlement.voided:
            return [say(language, _NOTHING, left_out=left_out)]
        case SettlementStatus.VOID:
            return [say(language, _TAKEN_BACK)]
        case _:
            assert settlement.statement is not None
            return [billed, say(language, _TOTAL, total=settlement.statement.total)]
