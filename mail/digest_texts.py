"""What the morning's digest says: a partner's open orders, in the words of `templates/mail/digest/daily.toml`."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from domain import words
from domain.values import Language
from mail.texts import FOLDER, MailText, MailTexts, Reader, one_line, phrases_in
from records.digest import OpenWork
from records.worklist import Job, Section

Clock = Callable[[datetime], datetime]
"""Shows an instant as clocks in the partner's office do (naive)."""

_Part = Literal["overdue", "today", "later"]
_PARTS: tuple[_Part, ...] = ("overdue", "today", "later")


class DigestTexts(MailTexts):
    """The digest's words, laid out as those of all mails."""

    def __init__(self, public_url: str) -> None:
        super().__init__(public_url)
        self._daily = phrases_in(FOLDER / "digest")["daily"]

    def compose_digest(self, reader: Reader, work: OpenWork, day: date, clock: Clock) -> MailText:
        """The words of a digest of this day for one reader. There must be something open."""
        language = reader.language
        phrases, common = self._daily[language], self._phrases["common"][language]
        sections = dict(zip(_PARTS, work, strict=True))
        shown = {part: section for part, section in sections.items() if section.total}
        counts = (self._say(phrases["counts"][part], n=shown[part].total) for part in shown)
        values: dict[str, Any] = {
            "day": words.format_short_day(day, language),
            "open": ", ".join(counts),
            "overdue": work.overdue.total,
        }
        return self._laid_out(
            {
                "language": language,
                "subject": one_line(self._say(phrases["subject"], **values)),
                "greeting": self._say(common["greeting"], name=one_line(reader.name)),
                "paragraphs": self._say(phrases["text"], **values).strip().split("\n\n"),
                "why": "",
                "sections": [
                    self._section(part, section, day, clock, language)
                    for part, section in shown.items()
                ],
                "link": f"{self._public_url}/",
                "button": phrases["button"],
                "button_missing": common["button_missing"],
                "closing": common["closing"],
                "signature": common["signature"],
                "footer": common["footer"],
            },
            layout="digest/layout",
        )

    def _section(
        self, part: _Part, section: Section, day: date, clock: Clock, language: Language
    ) -> dict[str, Any]:
        phrases = self._daily[language]
        more = section.total - len(section.jobs)
        return {
            "heading": self._say(phrases["headings"][part], n=section.total),
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
            "more": self._say(phrases["more"], more=more) if more else "",
        }

    def _what(self, part: _Part, job: Job, day: date, clock: Clock, language: Language) -> str:
        """What has to be done by when, and the appointment that it is about."""
        assert job.due is not None
        phrases, due = self._daily[language], clock(job.due)
        when = "tomorrow" if due.date() == day + timedelta(days=1) else part
        task = (
            words.deadline_label(job.kind, language)
            if job.kind
            else words.status_label(job.status, language)
        )
        said = self._say(
            phrases["due"][when],
            task=task,
            due=words.format_instant(due, language),
            time=f"{due:%H:%M}",
        )
        if job.appointment is None:
            return said
        start, end = clock(job.appointment.start), clock(job.appointment.end)
        period = words.format_period(start, end, language)
        return f"{said} ({self._say(phrases['appointment'], period=period)})"

    def _say(self, phrase: str, **values: Any) -> str:
        return self._phrase(phrase).render(values)
