"""The text of the morning digest, from `templates/mail/digest/daily.txt`."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

import words
from domain.values import Language
from mail.texts import MailText, MailTexts, Reader, one_line
from records.digest import OpenWork
from records.worklist import Job, Section
from words.translations import count, mark, nmark, say

Clock = Callable[[datetime], datetime]
"""Converts an instant to the local time of the partner's office (naive)."""

_Part = Literal["overdue", "today", "later"]
_PARTS: tuple[_Part, ...] = ("overdue", "today", "later")
_COUNTS: Mapping[_Part, str] = {
    "overdue": mark("%(n)s überfällig"),
    "today": mark("%(n)s heute fällig"),
    "later": mark("%(n)s später fällig"),
}
_HEADINGS: Mapping[_Part, str] = {
    "overdue": mark("Überfällig (%(n)s)"),
    "today": mark("Heute fällig (%(n)s)"),
    "later": mark("Später fällig (%(n)s)"),
}
_DUE: Mapping[_Part | Literal["tomorrow"], str] = {
    "overdue": mark("%(task)s, war fällig %(due)s"),
    "today": mark("%(task)s bis heute %(time)s"),
    "tomorrow": mark("%(task)s bis morgen %(time)s"),
    "later": mark("%(task)s bis %(due)s"),
}
_MORE = nmark(
    "und %(number)s weiterer Auftrag, im CMI aufgeführt",
    "und %(number)s weitere Aufträge, im CMI aufgeführt",
)


class DigestTexts(MailTexts):
    """Composes the digest, in the layout of all mails."""

    def compose_digest(self, reader: Reader, work: OpenWork, day: date, clock: Clock) -> MailText:
        """The digest of a day for one reader. `work` must not be empty."""
        language = reader.language
        sections = dict(zip(_PARTS, work, strict=True))
        shown = {part: section for part, section in sections.items() if section.total}
        counts = (say(language, _COUNTS[part], n=section.total) for part, section in shown.items())
        values: dict[str, Any] = {
            "day": words.format_short_day(day, language),
            "open": ", ".join(counts),
            "overdue": work.overdue.total,
        }
        said = self._said("digest/daily", reader, values)
        return self._laid_out(
            reader,
            said["subject"],
            said,
            link=f"{self._public_url}/",
            layout="digest/layout",
            sections=[
                self._section(part, section, day, clock, language)
                for part, section in shown.items()
            ],
        )

    def _section(
        self, part: _Part, section: Section, day: date, clock: Clock, language: Language
    ) -> dict[str, Any]:
        more = section.total - len(section.jobs)
        return {
            "heading": say(language, _HEADINGS[part], n=section.total),
            "jobs": [
                {
                    "sp_id": job.placement.sp_id,
                    "service": one_line(job.placement.service.name),
                    "place": one_line(
                        f"{job.placement.customer.postal_code} {job.placement.customer.city}"
                    ),
                    "what": self._what(part, job, day, clock, language),
                    "link": f"{self._public_url}/orders/{quote(job.placement.sp_id, safe='')}",
                }
                for job in section.jobs
            ],
            "more": count(language, _MORE, more) if more else "",
        }

    def _what(self, part: _Part, job: Job, day: date, clock: Clock, language: Language) -> str:
        """The task with its deadline, and the appointment if there is one."""
        assert job.due is not None
        due = clock(job.due)
        task = (
            words.deadline_label(job.kind, language)
            if job.kind
            else words.status_label(job.status, language)
        )
        text = _DUE["tomorrow" if due.date() == day + timedelta(days=1) else part]
        said = say(
            language,
            text,
            task=task,
            due=words.format_instant(due, language),
            time=f"{due:%H:%M}",
        )
        if job.appointment is None:
            return said
        start, end = clock(job.appointment.start), clock(job.appointment.end)
        period = words.format_period(start, end, language)
        appointment = say(language, "Termin %(period)s", period=period)
        return f"{said} ({appointment})"
