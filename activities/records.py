"""Writes orders to the records: the read model and the timeline."""

from temporalio import activity

from activities import names
from activities.failures import without_contents
from records.orders import Orders


class RecordActivities:
    """The records, as workflows write them."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    @activity.defn(name=names.SAVE_ORDER)
    async def save_order(self, snapshot: names.Snapshot) -> int:
        """Keep an order and its events; the version that the records hold now, this one or a newer one.

        Twice is once. An error, such as that the database is away, is worth another attempt and shows no contents.
        """
        with without_contents(f"records of {snapshot.order.sp_id}"):
            return await self._orders.save(snapshot)
