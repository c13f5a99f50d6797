"""Whether the tasks of a workflow fail, and with what: read from the end of its history, which needs no worker."""

from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client

_LOOKED_AT: Final = 200
"""Events from the end. More than these after a failure would be signals that nobody has taken."""
_LONGEST: Final = 500
_NO_FAULT_OF_THE_CODE: Final = (
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FAILOVER_CLOSE_COMMAND,
)


async def why_it_fails(client: Client, workflow_id: str) -> str | None:
    """The failure of the workflow's last task, shortened; None if that task succeeded, or none has failed.

    Raises:
        RPCError: the server does not know the workflow, or Temporal is away.
    """
    found = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id),
            maximum_page_size=_LOOKED_AT,
        )
    )
    for event in found.history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return None
        failed = event.workflow_task_failed_event_attributes
        if (
            event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
            and failed.cause not in _NO_FAULT_OF_THE_CODE
        ):
            # With encryption on, the text is encrypted, too.
            error = await client.data_converter.decode_failure(failed.failure)
            return str(error)[:_LONGEST]
    return None
