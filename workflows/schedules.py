"""The Temporal Schedules: what runs by the clock. `starter.py schedules` brings the server's up to date."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows import names
from workflows.messages import Pass

SCHEDULES: Final[Mapping[str, Schedule]] = {
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
}
"""By their ids."""


async def put_schedules(client: Client) -> dict[str, bool]:
    """Create the schedules, or bring those that are there up to date; whether each is new. Twice is once.

    One that operations have paused stays paused.

    Raises:
        RPCError: Temporal is away.
    """
    return {schedule_id: await _put(client, schedule_id) for schedule_id in SCHEDULES}


async def _put(client: Client, schedule_id: str) -> bool:
    wanted = SCHEDULES[schedule_id]

    def update(there: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(replace(wanted, state=there.description.schedule.state))

    try:
        await client.create_schedule(schedule_id, wanted)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(update)
        return False
    return True
