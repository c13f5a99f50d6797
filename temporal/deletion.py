"""Deletes the ended runs of a workflow, with their histories, from Temporal."""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode


async def is_running(client: Client, workflow_id: str) -> bool:
    """Whether a run of the workflow is running. False if the server knows none.

    Raises:
        RPCError: Temporal is unavailable.
    """
    try:
        found = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return found.status is WorkflowExecutionStatus.RUNNING


async def delete_ended_runs(client: Client, workflow_id: str) -> bool:
    """Delete all ended runs. Returns whether no run is still running. The server deletes them soon, not at once.

    Raises:
        RPCError: Temporal is unavailable, or does not allow it.
    """
    all_ended = True
    async for run in client.list_workflows(f'WorkflowId = "{workflow_id}"'):
        if run.status is WorkflowExecutionStatus.RUNNING:
            all_ended = False
            continue
        execution = WorkflowExecution(workflow_id=workflow_id, run_id=run.run_id)
        request = DeleteWorkflowExecutionRequest(
            namespace=client.namespace, workflow_execution=execution
        )
        try:
            await client.workflow_service.delete_workflow_execution(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
    return all_ended
