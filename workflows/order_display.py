"""How the Temporal UI shows an order to operations. No personal data: not all of these texts are encrypted."""

from datetime import datetime
from typing import Any

from temporalio.common import SearchAttributeUpdate, TypedSearchAttributes

import words
from contracts import names
from contracts.messages import DisplaySettings
from domain.orders import access, deadlines
from domain.orders.ball import ball
from domain.orders.explanation import explain
from domain.orders.order import Order


def title(order: Order) -> str:
    """One line for the list: the service and the partner."""
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


def search_attributes(
    order: Order, shown: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:
    """What the lists of the Temporal UI have to show now; nothing if `shown` is the same."""
    due = deadlines.next_due(order)
    late = any(d.missed for d in order.open_deadlines)
    same = (
        shown.get(names.SP_STATUS) == order.status.value
        and shown.get(names.PARTNER_ID) == order.partner.partner_id
        and shown.get(names.OVERDUE) == late
        and shown.get(names.DEADLINE) == due
    )
    if same:
        return []
    return [
        names.SP_STATUS.value_set(order.status.value),
        names.PARTNER_ID.value_set(order.partner.partner_id),
        names.CANTON.value_set(order.partner.canton),
        names.OVERDUE.value_set(late),
        names.DEADLINE.value_set(due) if due else names.DEADLINE.value_unset(),
    ]


def details(order: Order, now: datetime, display: DisplaySettings) -> str:
    """The order's state: who has the ball, what is due and why, which actions are allowed, a link to its page.

    Markdown, in the operations' language.
    """
    language = display.language
    lines = [f"## {words.status_label(order.status, language)} (`{order.status.value}`)", ""]
    party = ball(order, now)
    if party is not None:
        lines += [f"**{words.ball_text(party, language)}**", ""]
    for deadline in order.open_deadlines:
        mark = "⚠ " if deadline.missed else ""
        label = words.deadline_label(deadline.kind, language)
        explanation = explain(order, deadline)
        due = words.format_instant(explanation.due, language)
        lines.append(f"- {mark}**{label}**, {due}: {words.explanation_text(explanation, language)}")
    actions = access.actions(order)
    lines += ["", words.allowed_text(actions, language), "", f"`{' '.join(actions)}`"]
    lines += ["", f"[{order.sp_id}]({display.public_url}/orders/{order.sp_id})"]
    return "\n".join(lines)
