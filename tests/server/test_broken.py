"""What must not happen, and what then: a part of the workflow that works beside its main loop breaks."""

from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from contracts import activities as activity_names
from contracts import names
from contracts.activities import CalendarWanted
from domain.calendar import Calendar
from domain.cantons import pin_calendar
from domain.policy import Policy
from tests.server.surroundings import eventually
from tests.support.builders import intake
from tests.support.temporal_servers import dev_server
from tests.support.workers import bounded_worker
from tests.workflows.life import Life, Lives
from tests.workflows.outside import Outside
from workflows.service_order import ServiceOrder


class WithoutCalendars(Outside):
    """An outside that has no calendars to give, and says so for good."""

    @property
    def activities(self) -> list[object]:
        return [self.send_mail, self.request_shipping, self.save_order, self.no_calendar]

    @activity.defn(name=activity_names.PIN_CALENDAR)
    async def no_calendar(self, wanted: CalendarWanted) -> Calendar:
        raise ApplicationError("no calendars", non_retryable=True)


async def failures(life: Life) -> list[str]:
    """Why tasks of an order's workflow failed."""
    history = await life.handle.fetch_history()
    return [
        event.workflow_task_failed_event_attributes.failure.message
        for event in history.events
        if event.HasField("workflow_task_failed_event_attributes")
    ]


async def test_it_is_seen_as_a_failed_task_at_once_and_the_workflow_lives() -> None:
    outside = WithoutCalendars()
    today = datetime.now(UTC).date()
    # A calendar that ends so soon that it is to be renewed already; nothing else would happen to this order for months.
    begun = intake(day=today, prepaid=True).model_copy(
        update={"calendar": pin_calendar("ZH", Policy(), today, months=1)}
    )
    async with dev_server() as env:
        lives = Lives(env, outside)
        async with bounded_worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[ServiceOrder],
            activities=outside.activities,
        ):
            life = await lives.start(begun)
            found = await eventually(lambda: failures(life))
            assert "a background task of the workflow failed" in found[0]
            description = await life.handle.describe()
            assert description.status is WorkflowExecutionStatus.RUNNING
