"""What the reconciler compares with its workflows: orders and settlements, as far as they are alike."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from temporalio.client import Client

from activities.names import SettlementOf
from domain.settlement_id import settlement_id
from records.orders import Orders
from records.reconciliation import Held, Open, Reconciliation
from workflows import client as workflow_client
from workflows import names
from workflows.settlement_client import settlement_snapshot


class Told(NamedTuple):
    """How far a workflow is, as it says. `keep` has the records hold that, and says whether they do."""

    version: int
    is_over: bool
    keep: Callable[[], Awaitable[bool]]


class Things(Protocol):
    """Things of one kind. Each has a name, which people know it by, and a workflow."""

    @property
    def workflow_type(self) -> str:
        """The type of their workflows."""

    def name(self, workflow_id: str) -> str:
        """Whose workflow this is."""

    def workflow_id(self, row: Open) -> str:
        """The id of its workflow."""

    async def open_ones(self, after: str | None, limit: int) -> Sequence[Open]:
        """Those that are not over by the records, by name, those after one."""

    async def held(self, names: Collection[str]) -> dict[str, Held]:
        """How far the records know them; those they do not know are missing."""

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

    def workflow_id(self, row: Open) -> str:
        """Of its workflow."""
        return names.order_id(row.name)

    async def open_ones(self, after: str | None, limit: int) -> Sequence[Open]:
        """Orders in no final state."""
        rows = await self._orders.open_orders(after, limit)
        return [Open(row.sp_id, row.version) for row in rows]

    async def held(self, names: Collection[str]) -> dict[str, Held]:
        """Orders in the records."""
        return await self._records.held(names)

    async def ask(self, workflow_id: str) -> Told:
        """The order's workflow."""
        snapshot = await workflow_client.snapshot(self._client, workflow_id)

        async def keep() -> bool:
            await self._orders.save(snapshot)
            return True

        return Told(snapshot.order.version, snapshot.order.status.is_final, keep)


class PartnersSettlements:
    """Settlements, by their numbers."""

    workflow_type = names.SETTLEMENT

    def __init__(self, client: Client, records: Reconciliation) -> None:
        self._client = client
        self._records = records

    def name(self, workflow_id: str) -> str:
        """Its number."""
        return settlement_id(*names.settlement_in(workflow_id))

    def workflow_id(self, row: Open) -> str:
        """Of its workflow."""
        assert row.settled is not None
        return names.settlement_workflow_id(*row.settled)

    async def open_ones(self, after: str | None, limit: int) -> Sequence[Open]:
        """Settlements that are not over: also void ones, while they bill orders yet."""
        return await self._records.open_settlements(after, limit)

    async def held(self, names: Collection[str]) -> dict[str, Held]:
        """Settlements in the records."""
        return await self._records.held_settlements(names)

    async def ask(self, workflow_id: str) -> Told:
        """The settlement's workflow."""
        partner_id, month = names.settlement_in(workflow_id)
        snapshot = await settlement_snapshot(
            self._client, SettlementOf(partner_id=partner_id, month=month)
        )

        async def keep() -> bool:
            return await self._records.keep_settlement(snapshot)

        return Told(snapshot.settling.version, snapshot.settling.is_over, keep)
