"""What operations read of an order in the Temporal UI. No personal data: summaries are not encrypted everywhere."""

from datetime import datetime

from contracts.messages import Desk
from domain import words
from domain.orders import deadlines, lifecycle
from domain.orders.explanation import explain
from domain.orders.order import Order


def title(order: Order) -> str:
    """One line for the list: what is done by whom."""
    placement = order.intake.placement
    return f"{placement.service.code} · {order.partner.partner_id} · {order.partner.canton}"


def wake_summary(order: Order, wake: datetime) -> str:
    """What a timer waits for, in a line."""
    local = words.format_instant(order.calendar.local(wake), "en")
    for deadline in order.open_deadlines:
        kind = words.deadline_label(deadline.kind, "en")
        if deadline.due == wake:
            return f"{kind}: due {local}"
        if not deadline.missed and deadlines.reminder_at(order, deadline) == wake:
            return f"{kind}: reminder {local}"
        if deadline.missed and wake in (at for _, at in deadlines.escalations(order, deadline)):
            return f"{kind}: overdue, next mail {local}"
    if deadlines.hold_until(order) == wake:
        return f"held back until {local}"
    return f"calendar to be renewed {local}"


def details(order: Order, now: datetime, desk: Desk) -> str:
    """The order's state in words: what is due and why, whose turn it is, what can be done, where its page is.

    Markdown, in the operations' language.
    """
    language = desk.language
    lines = [f"## {words.status_label(order.status, language)} (`{order.status.value}`)", ""]
    party = lifecycle.ball(order, now)
    if party is not None:
        lines += [f"**{words.ball_text(party, language)}**", ""]
    for deadline in order.open_deadlines:
        mark = "⚠ " if deadline.missed else ""
        label = words.deadline_label(deadline.kind, language)
        lines.append(
            f"- {mark}**{label}**: {words.explanation_text(explain(order, deadline), language)}"
        )
    actions = lifecycle.actions(order)
    lines += ["", words.allowed_text(actions, language), "", f"`{' '.join(actions)}`"]
    lines += ["", f"[{order.sp_id}]({desk.public_url}/orders/{order.sp_id})"]
    return "\n".join(lines)
