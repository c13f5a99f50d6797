"""The Temporal schedules. `starter.py schedules` creates them on the server and updates them."""

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
from contracts.messages import Billing, DigestRun, Pass, RetentionRun
from domain.policy import OfficePolicy

BILLING_HOUR = ScheduleRange(6)
"""On the first of each month at 06:00 (docs/rules.md, "Settlement")."""

RETENTION_HOUR = ScheduleRange(2)
"""Every night at 02:30, when nobody waits for the database."""


def schedules(office: OfficePolicy) -> dict[str, Schedule]:
    """All schedules by their ids. The digest and the settlements run at times of this office."""
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
                # A missed pass is not made up: the next one compares everything.
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
                # A late digest is still sent; the workflow itself drops it after closing time.
                catchup_window=_hours(office),
            ),
        ),
        names.RETENTION_SCHEDULE: Schedule(
            action=ScheduleActionStartWorkflow(
                names.RETENTION,
                RetentionRun(),
                id=names.RETENTION_ID,
                task_queue=names.ORDERS_QUEUE,
                static_summary="erases and deletes what is older than its retention",
            ),
            spec=ScheduleSpec(
                calendars=[ScheduleCalendarSpec(hour=[RETENTION_HOUR], minute=[ScheduleRange(30)])],
                time_zone_name=office.timezone,
            ),
            policy=SchedulePolicy(
                # A missed night is not made up: the next one does everything.
                overlap=ScheduleOverlapPolicy.SKIP,
                catchup_window=timedelta(hours=3),
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
                # Every month is settled, however late.
                overlap=ScheduleOverlapPolicy.BUFFER_ALL,
                catchup_window=timedelta(days=365),
            ),
        ),
    }


def _hours(office: OfficePolicy) -> timedelta:
    opens, closes = office.opens, office.closes
    return timedelta(hours=closes.hour - opens.hour, minutes=closes.minute - opens.minute)


async def put_schedules(client: Client, office: OfficePolicy) -> dict[str, bool]:
    """Create the schedules, or update those that exist. Returns for each id whether it is new.

    A schedule that operations have paused stays paused.

    Raises:
        RPCError: Temporal is unavailable.
    """
    return {name: await _put(client, name, wanted) for name, wanted in schedules(office).items()}


async def _put(client: Client, schedule_id: str, wanted: Schedule) -> bool:
    def update(existing: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(replace(wanted, state=existing.description.schedule.state))

    try:
        await client.create_schedule(schedule_id, wanted)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(update)
        return False
    return True
