"""The runs of a workflow."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from temporal.calls import Closed, NoAnswer, TemporalAway, temporal_call

_LIMIT = timedelta(seconds=2)


async def latest_run(client: Client, workflow_id: str) -> str | None:
    """The id of the latest run of a workflow; None if there is none, or Temporal does not say."""
    try:
        async with temporal_call(_LIMIT):
            described = await client.get_workflow_handle(workflow_id).describe()
    except (Closed, NoAnswer, TemporalAway, RPCError):
        return None
    return described.run_id
