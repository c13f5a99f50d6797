"""Sends each partner one mail every working-day morning with what is open (docs/mail.md, "The digest")."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts import activities, names
    from contracts.messages import DigestCount, DigestCounts, DigestRun

AT_A_TIME = 8
ATTEMPT_LIMIT = timedelta(seconds=45)
PAGE_LIMIT = timedelta(minutes=1)
PAUSE = timedelta(minutes=5)
HALF_A_DAY = timedelta(hours=12)
UNTIL_IT_WORKS = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=1),
)
# A mail that cannot be sent does not hold up the others: it is tried again after all of them.
ONE_ATTEMPT = RetryPolicy(maximum_attempts=1)


@workflow.defn(name=names.DAILY_DIGEST)
class DailyDigest:
    """One morning: page by page through the partners that have something to do, several at a time.

    On a holiday of its canton a partner gets no mail. A mail that cannot be sent before the offices close is dropped:
    tomorrow's says what is open then. A repetition sends nothing twice: the mails are keyed by partner and day.
    """

    @workflow.init
    def __init__(self, start: DigestRun) -> None:
        scheduled = workflow.info().typed_search_attributes.get(names.SCHEDULED_START)
        self._state = start.replace(at=start.at or scheduled or workflow.now())
        self._counts = start.tally
        self._waiting = list(start.waiting)

    @workflow.run
    async def run(self, start: DigestRun) -> DigestCounts:
        """Send all mails."""
        while not self._state.all_seen:
            page = await self._page()
            self._state = self._state.replace(
                day=page.day, closes=page.closes, after=page.next, all_seen=not page.next
            )
            self._count("resting", page.resting)
            if self._is_late():
                self._state = self._state.replace(all_seen=True)
                break
            self._waiting += await self._send(page.partner_ids)
            self._continue_if_long()
        while self._waiting:
            self._show("waiting for the mail server")
            await workflow.sleep(min(PAUSE, max(self._closes - workflow.now(), timedelta())))
            last = (
                self._is_late()
            )  # in the last round the activity finds that it is too late, and records that
            self._waiting = await self._send(self._waiting)
            if last:
                self._count("failed", len(self._waiting))
                break
            self._continue_if_long()
        self._show("done")
        return self._counts

    @property
    def _closes(self) -> datetime:
        assert self._state.closes is not None
        return self._state.closes

    def _is_late(self) -> bool:
        return workflow.now() >= self._closes

    async def _page(self) -> activities.DigestPartners:
        assert self._state.at is not None
        after = self._state.after
        page: activities.DigestPartners = await workflow.execute_activity(
            activities.DIGEST_PARTNERS,
            activities.DigestPage(at=self._state.at, after=after),
            result_type=activities.DigestPartners,
            start_to_close_timeout=PAGE_LIMIT,
            schedule_to_close_timeout=HALF_A_DAY,
            retry_policy=UNTIL_IT_WORKS,
            summary=f"partners after {after or 'the start'}",
        )
        return page

    async def _send(self, partner_ids: Sequence[str]) -> list[str]:
        """Make one attempt for each partner. Returns those that failed."""
        turns = asyncio.Semaphore(AT_A_TIME)

        async def attempt(partner_id: str) -> bool:
            async with turns:
                done = await self._attempt(partner_id)
                self._show("sending")
                return done

        done = await asyncio.gather(*(attempt(each) for each in partner_ids))
        return [each for each, is_done in zip(partner_ids, done, strict=True) if not is_done]

    async def _attempt(self, partner_id: str) -> bool:
        day = self._state.day
        assert day is not None
        try:
            outcome: activities.DigestOutcome = await workflow.execute_activity(
                activities.SEND_DIGEST,
                activities.DigestWanted(partner_id=partner_id, day=day, closes=self._closes),
                result_type=str,
                start_to_close_timeout=ATTEMPT_LIMIT,
                retry_policy=ONE_ATTEMPT,
                summary=f"{partner_id}, {day}",
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return False
        self._count("failed" if outcome == "too_late" else outcome)
        return True

    def _continue_if_long(self) -> None:
        if workflow.info().is_continue_as_new_suggested():
            waiting = tuple(self._waiting)
            workflow.continue_as_new(self._state.replace(waiting=waiting, tally=self._counts))

    def _count(self, count: DigestCount, more: int = 1) -> None:
        self._counts = self._counts.plus(count, more)

    def _show(self, doing: str) -> None:
        counts, state = self._counts, self._state
        workflow.set_current_details(
            f"**{doing}**\n\n"
            f"- of {state.day}, sent until {state.closes}\n"
            f"- sent: {counts.sent}\n"
            f"- nothing open any more: {counts.nothing_open}\n"
            f"- partners with a holiday: {counts.resting}\n"
            f"- refused by the mail server: {counts.refused}\n"
            f"- tried again later: {len(self._waiting)}\n"
            f"- not sent before the offices closed: {counts.failed}\n"
        )
