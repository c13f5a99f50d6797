"""The workflow that finishes an erasure, in its sandbox. What it erases is tested with the web application."""

from temporalio import activity
from temporalio.worker import Worker

from contracts import activities, names
from contracts.activities import ErasureOf
from tests.support.temporal_servers import skipping_server
from workflows.retention import Erasure


async def test_an_erasure_that_fails_is_tried_again() -> None:
    tried = []

    @activity.defn(name=activities.FINISH_ERASURE)
    async def finish_erasure(of: ErasureOf) -> None:
        tried.append(of.sp_id)
        if len(tried) == 1:
            raise RuntimeError("a file cannot be deleted")

    async with (
        skipping_server() as env,
        Worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[Erasure],
            activities=[finish_erasure],
        ),
    ):
        await env.client.execute_workflow(
            names.ERASURE, ErasureOf(sp_id="SP-1"), id="erasure-SP-1", task_queue=names.ORDERS_QUEUE
        )
    assert tried == ["SP-1", "SP-1"]
