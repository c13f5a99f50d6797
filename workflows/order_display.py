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
from domain.orders.order import Order, Status
from domain.values import Language
from words.translations import mark, say

_DUE = mark("%(task)s: fällig %(when)s")
_REMINDER = mark("%(task)s: Erinnerung %(when)s")
_OVERDUE = mark("%(task)s: überfällig, nächste Mahnung %(when)s")
_HELD_BACK = mark("Übermittlung zurückgehalten bis %(when)s")
_ON_HOLD = mark("zurückgestellt bis %(when)s")
_CALENDAR = mark("Kalender wird erneuert am %(when)s")


def title(order: Order) -> str:
    """One line for the list: the service and the partner."""
    placement = order.intake.placement
    return f"{placement.service.code} · {order.partner.partner_id} · {order.partner.canton}"


def wake_summary(order: Order, wake: datetime, language: Language) -> str:
    """What a timer waits for, in one line in the operations' language."""
    when = words.format_instant(order.calendar.local(wake), language)
    for deadline in order.open_deadlines:
        task = words.deadline_label(deadline.kind, language)
        if deadline.due == wake:
            return say(language, _DUE, task=task, when=when)
        if not deadline.missed and deadlines.reminder_at(order, deadline) == wake:
            return say(language, _REMINDER, task=task, when=when)
        if deadline.missed and wake in (at for _, at in deadlines.escalations(order, deadline)):
            return say(language, _OVERDUE, task=task, when=when)
    if deadlines.hold_until(order) == wake:
        return say(language, _HELD_BACK, when=when)
    if order.status is Status.ON_HOLD and order.held_until == wake:
        return say(language, _ON_HOLD, when=when)
    return say(language, _CALENDAR, when=when)


def search_attributes(
    order: Order, shown: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:
    """The updates that bring the lists of the Temporal UI up to date; empty if `shown` is."""
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
