"""The Temporal Schedules: what runs by the clock. `starter.py schedules` brings the server's up to date."""

from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from contracts import names
from contracts.messages import Billing, DigestRun, Pass
from domain.policy import OfficePolicy

BILLING_HOUR = ScheduleRange(6)
"""On the first of each month at 06:00 (docs/rules.md, "Settlement")."""


def schedules(office: OfficePolicy) -> dict[str, Schedule]:
    """All of them by their ids; what goes by office hours goes by these."""
    return {
        names.RECONCILER_SCHEDULE: Schedule(
            action=ScheduleActionStartWorkflow(
                names.RECONCILER,
                Pass(),
                id=names.RECONCILER_ID,
                task_queue=names.ORDERS_QUEUE,
                static_summary="open orders and their workflows",
            ),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=15))]),
            policy=SchedulePolicy(
                # The next pass sees what this one sees: there is nothing to make up for.
                overlap=ScheduleOverlapPolicy.SKIP,
                catchup_window=timedelta(minutes=1),
            ),
        ),
        names.DAILY_DIGEST_SCHEDULE: Schedule(
            action=ScheduleActionStartWorkflow(
                names.DAILY_DIGEST,
                DigestRun(),
                id=names.DAILY_DIGEST_ID,
                task_queue=names.ORDERS_QUEUE,
                static_summary="the partners' open orders, by mail",
            ),
            spec=ScheduleSpec(
                calendars=[
                    ScheduleCalendarSpec(
                        hour=[ScheduleRange(office.opens.hour)],
                        minute=[ScheduleRange(office.opens.minute)],
                        day_of_week=[ScheduleRange(1, 5)],
                    )
                ],
                time_zone_name=office.timezone,
            ),
            policy=SchedulePolicy(
                overlap=ScheduleOverlapPolicy.BUFFER_ONE,
                # Late is better than not at all; the workflow drops what comes after closing time.
                catchup_window=_hours(office),
            ),
        ),
        names.MONTHLY_BILLING_SCHEDULE: Schedule(
            action=ScheduleActionStartWorkflow(
                names.MONTHLY_BILLING,
                Billing(),
                id=names.MONTHLY_BILLING_ID,
                task_queue=names.ORDERS_QUEUE,
                static_summary="the settlements of the month before",
            ),
            spec=ScheduleSpec(
                calendars=[
                    ScheduleCalendarSpec(hour=[BILLING_HOUR], day_of_month=[ScheduleRange(1)])
                ],
                time_zone_name=office.timezone,
            ),
            policy=SchedulePolicy(
                # A month that is settled late, or made up for, is settled all the same: none is dropped.
                overlap=ScheduleOverlapPolicy.BUFFER_ALL,
                catchup_window=timedelta(days=365),
            ),
        ),
    }


def _hours(office: OfficePolicy) -> timedelta:
    opens, closes = office.opens, office.closes
    return timedelta(hours=closes.hour - opens.hour, minutes=closes.minute - opens.minute)


async def put_schedules(client: Client, office: OfficePolicy) -> dict[str, bool]:
    """Create the schedules, or bring those that are there up to date; whether each is new. Twice is once.

    One that operations have paused stays paused.

    Raises:
        RPCError: Temporal is away.
    """
    return {name: await _put(client, name, wanted) for name, wanted in schedules(office).items()}


async def _put(client: Client, schedule_id: str, wanted: Schedule) -> bool:
    def update(there: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(replace(wanted, state=there.description.schedule.state))

    try:
        await client.create_schedule(schedule_id, wanted)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(update)
        return False
    return True
