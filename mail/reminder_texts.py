"""The text of a reminder that operations ask for, from `templates/mail/partner/asked_reminder.txt`."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

import words
from domain.orders.deadline import DeadlineKind
from domain.orders.placement import Placement
from domain.values import Language
from mail.texts import MailText, MailTexts, Reader, one_line
from words.translations import mark, say

_WAS_DUE = mark("%(task)s, war fällig %(due)s")
_IS_DUE = mark("%(task)s bis %(due)s")


class WaitingOrder(NamedTuple):
    """An order that waits for its partner: what is to be done, and by when (local time of its calendar)."""

    placement: Placement
    kind: DeadlineKind
    due: datetime
    is_late: bool


class ReminderTexts(MailTexts):
    """Composes the reminders that operations ask for."""

    def compose_reminder(self, reader: Reader, waiting: Sequence[WaitingOrder]) -> MailText:
        """One mail about at least one order, in the order given."""
        first = waiting[0].placement.sp_id
        path = f"orders/{quote(first, safe='')}" if len(waiting) == 1 else ""
        values = {
            "orders": len(waiting),
            "what": words.deadline_label(waiting[0].kind, reader.language),
        }
        said = self._said("partner/asked_reminder", reader, values)
        subject = said["subject"] if len(waiting) > 1 else f"{first}: {said['subject']}"
        return self._laid_out(
            reader,
            subject,
            said,
            rows=[(each.placement.sp_id, _told(each, reader.language)) for each in waiting],
            link=f"{self._public_url}/{path}",
        )


def _told(each: WaitingOrder, language: Language) -> str:
    placement = each.placement
    customer = placement.customer
    task = say(
        language,
        _WAS_DUE if each.is_late else _IS_DUE,
        task=words.deadline_label(each.kind, language),
        due=words.format_instant(each.due, language),
    )
    what = f"{placement.service.name}, {customer.postal_code} {customer.city}"
    return f"{one_line(what)}\n{task}"
