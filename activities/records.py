"""Writes orders to the records: the read model and the timeline."""

from temporalio import activity
from temporalio.client import Client

from activities.failures import without_contents
from contracts import activities
from records.heads import Diverged, take_over
from records.orders import Orders
from temporal import orders as workflow_client


class RecordActivities:
    """The records, as workflows write them. `client` reaches the workflows."""

    def __init__(self, client: Client, orders: Orders) -> None:
        self._client = client
        self._orders = orders

    @activity.defn(name=activities.SAVE_ORDER)
    async def save_order(self, snapshot: activities.Snapshot) -> int:
        """Keep an order and its events; the version that the records hold now, this one or a newer one.

        Twice is once. Where the records hold another life of the order, its workflow is asked which one is true. An
        error, such as that the database is away, is worth another attempt and shows no contents.
        """
        sp_id = snapshot.order.sp_id
        with without_contents(f"records of {sp_id}"):
            try:
                return await self._orders.save(snapshot)
            except Diverged:
                if activity.info().is_local:
                    raise  # within its workflow task a workflow answers no query: the next attempt is not local
                held = await take_over(
                    self._orders,
                    sp_id,
                    lambda: workflow_client.snapshot(self._client, sp_id),
                )
                return held.order.version
