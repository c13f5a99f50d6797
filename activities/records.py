"""Writes orders to the records: the read model and the timeline."""

from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client

from activities.failures import without_contents
from contracts import activities
from records.heads import Diverged, take_over
from records.orders import Orders
from telemetry.metrics import RECORDS_LAG
from temporal import orders as workflow_client


class RecordActivities:
    """The activity that writes an order to the records. `client` reaches the order's workflow."""

    def __init__(self, client: Client, orders: Orders) -> None:
        self._client = client
        self._orders = orders

    @activity.defn(name=activities.SAVE_ORDER)
    async def save_order(self, snapshot: activities.Snapshot) -> int:
        """Store an order and its events. Returns the recorded version, this one or a newer one. Idempotent.

        If the recorded events differ from these, the order's workflow is queried, and its answer is stored. Failures
        are retried, for example if the database is away. They contain no personal data.
        """
        sp_id = snapshot.order.sp_id
        with without_contents(f"records of {sp_id}"):
            try:
                version = await self._orders.save(snapshot)
                if snapshot.events:
                    lag = datetime.now(UTC) - snapshot.events[-1].at
                    RECORDS_LAG.labels("order").observe(lag.total_seconds())
                return version
            except Diverged:
                if activity.info().is_local:
                    raise  # a workflow answers no query during its own task; the next attempt is not local
                held = await take_over(
                    self._orders,
                    sp_id,
                    lambda: workflow_client.snapshot(self._client, sp_id),
                )
                return held.order.version
