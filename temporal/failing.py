"""Whether the tasks of a workflow fail, and why. Read from the end of its history, which needs no worker."""

from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client

_EVENTS_READ: Final = 200
"""Events from the end. There are rarely more after a failed task: only signals that no worker has taken."""
_LONGEST_TEXT: Final = 500
_NOT_A_FAILURE_OF_THE_CODE: Final = (
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FAILOVER_CLOSE_COMMAND,
)


async def why_it_fails(client: Client, workflow_id: str) -> str | None:
    """Why the workflow's last task failed, shortened. None if that task succeeded, or none has failed.

    Raises:
        RPCError: the server does not know the workflow, or is unavailable.
    """
    found = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id),
            maximum_page_size=_EVENTS_READ,
        )
    )
    for event in found.history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return None
        failed = event.workflow_task_failed_event_attributes
        if (
            event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
            and failed.cause not in _NOT_A_FAILURE_OF_THE_CODE
        ):
            # With encryption on, the text is encrypted, too.
            error = await client.data_converter.decode_failure(failed.failure)
            return str(error)[:_LONGEST_TEXT]
    return None
