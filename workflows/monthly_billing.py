"""On the first of a month, opens last month's settlement of every partner that has unbilled orders."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts import activities, names
    from contracts.messages import Billed, Billing
    from domain.calendar import Calendar
    from domain.months import Month

AT_A_TIME = 10
ATTEMPT_LIMIT = timedelta(minutes=2)
UNTIL_IT_WORKS = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=5),
)
# A settlement that cannot be opened does not hold up the others: it is tried again after all of them.
FEW_ATTEMPTS = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3)
PAUSE = timedelta(minutes=15)
ROUNDS = 96
"""How many times the failed partners are tried again, which takes a day. Then operations have to look into it."""


@workflow.defn(name=names.MONTHLY_BILLING)
class MonthlyBilling:
    """The settlements of one month. It may run late and repeatedly: a settlement that exists stays as it is.

    Without a month in the input it is the month before the scheduled time. A run that is started by hand may name
    another one.
    """

    @workflow.init
    def __init__(self, start: Billing) -> None:
        self._state = start
        self._waiting = list(start.waiting)

    @workflow.run
    async def run(self, start: Billing) -> Billed:
        """Open all settlements.

        Raises:
            ApplicationError: some could not be opened within a day. It names their partners.
        """
        if self._state.month is None:
            self._state = self._state.replace(month=await self._month_before())
        while not self._state.all_seen:
            partner_ids = await self._page()
            self._waiting += await self._open(partner_ids)
            after = partner_ids[-1] if partner_ids else None
            self._state = self._state.replace(after=after, all_seen=after is None)
            self._continue_if_long()
        while self._waiting:
            if self._state.rounds == ROUNDS:
                raise ApplicationError(
                    f"no settlement of {self._month} could be opened for {', '.join(self._waiting)}",
                    type="NotAllOpened",
                )
            self._show("waiting to try again")
            await workflow.sleep(PAUSE, summary=f"then again: {len(self._waiting)} partners")
            self._state = self._state.replace(rounds=self._state.rounds + 1)
            self._waiting = await self._open(self._waiting)
            self._continue_if_long()
        self._show("done")
        return Billed(month=self._month, opened=self._state.opened, there=self._state.there)

    @property
    def _month(self) -> Month:
        assert self._state.month is not None
        return self._state.month

    async def _month_before(self) -> Month:
        """The month before the one in which this run was scheduled, in the office's local time.

        An activity looks up the local time: it knows the policy, and its result stays the same in a replay even if the
        time zone's rules change.
        """
        due = workflow.info().typed_search_attributes.get(names.SCHEDULED_START) or workflow.now()
        calendar: Calendar = await workflow.execute_activity(
            activities.PIN_CALENDAR,
            activities.CalendarWanted(canton="ZH", start=due.date()),
            result_type=Calendar,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=UNTIL_IT_WORKS,
            summary="local time of the month's end",
        )
        return Month.at(due, calendar).previous

    async def _page(self) -> tuple[str, ...]:
        self._show("looking for partners with unbilled orders")
        after = self._state.after
        partner_ids: tuple[str, ...] = await workflow.execute_activity(
            activities.PARTNERS_TO_SETTLE,
            activities.PartnersWanted(month=self._month, after=after),
            result_type=tuple[str, ...],
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=UNTIL_IT_WORKS,
            summary=f"partners after {after or 'the start'}",
        )
        return partner_ids

    async def _open(self, partner_ids: Sequence[str]) -> list[str]:
        """Open settlements, some at a time. Returns the partners whose settlement could not be opened now."""
        turns = asyncio.Semaphore(AT_A_TIME)

        async def attempt(partner_id: str) -> bool:
            async with turns:
                done = await self._attempt(partner_id)
                self._show("opening settlements")
                return done

        done = await asyncio.gather(*(attempt(each) for each in partner_ids))
        return [each for each, is_done in zip(partner_ids, done, strict=True) if not is_done]

    async def _attempt(self, partner_id: str) -> bool:
        try:
            new: bool = await workflow.execute_activity(
                activities.OPEN_SETTLEMENT,
                activities.SettlementOf(partner_id=partner_id, month=self._month),
                result_type=bool,
                start_to_close_timeout=ATTEMPT_LIMIT,
                retry_policy=FEW_ATTEMPTS,
                summary=f"{partner_id}, {self._month}",
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return False
        if new:
            self._state = self._state.replace(opened=self._state.opened + 1)
        else:
            self._state = self._state.replace(there=self._state.there + 1)
        return True

    def _continue_if_long(self) -> None:
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(self._state.replace(waiting=tuple(self._waiting)))

    def _show(self, doing: str) -> None:
        state = self._state
        workflow.set_current_details(
            f"**{doing}**\n\n"
            f"- settlements of {state.month}\n"
            f"- opened: {state.opened}\n"
            f"- existed already: {state.there}\n"
            f"- after: {state.after or 'the start'}\n"
            f"- tried again later: {', '.join(self._waiting) or 'none'}\n"
        )
