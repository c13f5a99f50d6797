"""What the reconciler compares with its workflows: orders and settlements, as far as they are alike."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, Protocol

from temporalio.client import Client

from contracts import names
from contracts.activities import SettlementOf
from domain.settlements.ids import settlement_id
from records.heads import Diverged
from records.orders import Orders
from records.reconciliation import Reconciliation, Row
from records.settlements import Settlements
from temporal import orders as workflow_client
from temporal.settlements import settlement_snapshot


class Told(NamedTuple):
    """What a workflow says of itself.

    Attributes:
        version: how many events it has.
        is_over: nothing can follow.
        shell: that of its run (`contracts.names.SHELL`).
        is_recorded: whether the records hold just what it says.
        keep: has the records hold what it says, and nothing else; whether they can.
    """

    version: int
    is_over: bool
    shell: int
    is_recorded: Callable[[], Awaitable[bool]]
    keep: Callable[[], Awaitable[bool]]


class Things(Protocol):
    """Things of one kind. Each has a name, which people know it by, and a workflow."""

    @property
    def workflow_type(self) -> str:
        """The type of their workflows."""

    def name(self, workflow_id: str) -> str:
        """Whose workflow this is."""

    def workflow_id(self, row: Row) -> str:
        """The id of its workflow."""

    async def to_compare(
        self, after: str | None, limit: int, closed_since: datetime
    ) -> Sequence[Row]:
        """Those to compare, by name, those after one: open ones, and closed ones not compared since they changed."""

    async def rows(self, names: Collection[str]) -> Sequence[Row]:
        """These, as the records know them; those they do not know are missing."""

    async def ask(self, workflow_id: str) -> Told:
        """What a workflow says by a query, also after its end while the server remembers it."""


class ServiceOrders:
    """Orders, by their SP-IDs."""

    workflow_type = names.SERVICE_ORDER

    def __init__(self, client: Client, orders: Orders, records: Reconciliation) -> None:
        self._client = client
        self._orders = orders
        self._records = records

    def name(self, workflow_id: str) -> str:
        """Its SP-ID."""
        return workflow_id

    def workflow_id(self, row: Row) -> str:
        """Of its workflow."""
        return names.order_id(row.name)

    async def to_compare(
        self, after: str | None, limit: int, closed_since: datetime
    ) -> Sequence[Row]:
        """Orders in no final state, and closed ones."""
        return await self._records.orders_to_compare(after, limit, closed_since)

    async def rows(self, names: Collection[str]) -> Sequence[Row]:
        """Orders in the records."""
        return await self._records.orders(names)

    async def ask(self, workflow_id: str) -> Told:
        """The order's workflow."""
        head = await self._orders.head(workflow_id)
        snapshot = await workflow_client.snapshot(self._client, workflow_id)
        order = snapshot.order

        async def is_recorded() -> bool:
            return await self._orders.holds(snapshot)

        async def keep() -> bool:
            with suppress(Diverged):  # somebody has written meanwhile: the next pass looks again
                await self._orders.save(snapshot, replaces=head)
            return True

        return Told(order.version, order.status.is_final, snapshot.shell, is_recorded, keep)


class PartnersSettlements:
    """Settlements, by their numbers."""

    workflow_type = names.SETTLEMENT

    def __init__(self, client: Client, settlements: Settlements, records: Reconciliation) -> None:
        self._client = client
        self._settlements = settlements
        self._records = records

    def name(self, workflow_id: str) -> str:
        """Its number."""
        return settlement_id(*names.settlement_in(workflow_id))

    def workflow_id(self, row: Row) -> str:
        """Of its workflow."""
        assert row.settled is not None
        return names.settlement_workflow_id(*row.settled)

    async def to_compare(
        self, after: str | None, limit: int, closed_since: datetime
    ) -> Sequence[Row]:
        """Settlements that are not over (void ones, too, while they bill orders yet), and those that are."""
        return await self._records.settlements_to_compare(after, limit)

    async def rows(self, names: Collection[str]) -> Sequence[Row]:
        """Settlements in the records."""
        return await self._records.settlements(names)

    async def ask(self, workflow_id: str) -> Told:
        """The settlement's workflow."""
        partner_id, month = names.settlement_in(workflow_id)
        head = await self._settlements.head(settlement_id(partner_id, month))
        snapshot = await settlement_snapshot(
            self._client, SettlementOf(partner_id=partner_id, month=month)
        )
        settling = snapshot.settling

        async def is_recorded() -> bool:
            return await self._settlements.holds(snapshot)

        async def keep() -> bool:
            with suppress(Diverged):
                return await self._records.keep_settlement(snapshot, head)
            return True

        return Told(settling.version, settling.is_over, snapshot.shell, is_recorded, keep)
