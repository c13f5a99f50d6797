"""What operations read of a settlement in the Temporal UI. No personal data: summaries are not encrypted everywhere."""

from datetime import datetime
from typing import Any

from temporalio.common import SearchAttributeUpdate, TypedSearchAttributes

from contracts import names
from contracts.messages import Desk
from domain import words
from domain.settlements import lifecycle as life
from domain.settlements.access import actions
from domain.settlements.lifecycle import Settling
from domain.settlements.settlement import SettlementStatus
from domain.values import Language


def title(settling: Settling) -> str:
    """One line for the list: what is settled with whom."""
    return f"{settling.opening.month} · {settling.opening.partner.partner_id}"


def wake_summary(settling: Settling, wake: datetime) -> str:
    """What a timer waits for, in a line."""
    local = words.format_instant(settling.opening.calendar.local(wake), "en")
    if settling.status is SettlementStatus.ISSUED:
        return f"invoice: reminder {settling.reminders + 1} {local}"
    if settling.told or wake == settling.selectable_until:
        return f"selection closes {local}"
    return f"partner is told {local}"


def is_late(settling: Settling) -> bool:
    """Whether its invoice should be there by now."""
    return settling.reminders > 0 and not settling.is_over


def search_attributes(
    settling: Settling, shown: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:
    """What the lists have to show now; nothing if they have `shown` it already."""
    due, late = life.next_instant(settling), is_late(settling)
    partner_id = settling.opening.partner.partner_id
    same = (
        shown.get(names.SETTLEMENT_STATUS) == settling.status.value
        and shown.get(names.PARTNER_ID) == partner_id
        and shown.get(names.OVERDUE) == late
        and shown.get(names.DEADLINE) == due
    )
    if same:
        return []
    return [
        names.SETTLEMENT_STATUS.value_set(settling.status.value),
        names.PARTNER_ID.value_set(partner_id),
        names.OVERDUE.value_set(late),
        names.DEADLINE.value_set(due) if due else names.DEADLINE.value_unset(),
    ]


def details(settling: Settling, asked: int, desk: Desk) -> str:
    """The settlement's state: how far it is, what comes next, what can be done, where its page is.

    Markdown. `asked`: how many of its orders have answered, to be claimed or to be set free.
    """
    language: Language = desk.language
    label = words.settlement_status_label(settling.status, language)
    lines = [f"## {label} (`{settling.status.value}`)", ""]
    lines += [f"- {line}" for line in _progress(settling, asked)]
    wake = life.next_instant(settling)
    if wake is not None:
        lines.append(f"- next: {wake_summary(settling, wake)}")
    possible = actions(settling)
    if possible:
        labels = ", ".join(words.settlement_action_label(each, language) for each in possible)
        lines += ["", labels, "", f"`{' '.join(possible)}`"]
    name = settling.settlement_id
    return "\n".join([*lines, "", f"[{name}]({desk.public_url}/settlements/{name})"])


def _progress(settling: Settling, asked: int) -> list[str]:
    orders, left_out = len(settling.picked), len(settling.left_out)
    match settling.status:
        case SettlementStatus.OPEN:
            return [f"{orders} orders picked"]
        case SettlementStatus.CLOSING if not settling.claimed:
            return [f"asked {asked} of {orders} orders", "next: the statement"]
        case SettlementStatus.CLOSING:
            return [f"billed {orders} orders, left out {left_out}", "next: the statement"]
        case SettlementStatus.VOID if not settling.released:
            return [f"set free {asked} of {orders} orders"]
        case SettlementStatus.VOID if not settling.voided:
            return [f"nothing to bill, left out {left_out}"]
        case SettlementStatus.VOID:
            return ["taken back"]
        case _:
            assert settling.statement is not None
            return [
                f"billed {orders} orders, left out {left_out}",
                f"total CHF {settling.statement.total}",
            ]
