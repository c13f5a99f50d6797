"""Orders and settlements behind one interface for the reconciler: list their rows, query their workflows."""

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


class WorkflowAnswer(NamedTuple):
    """What a workflow answers about its order or settlement.

    Attributes:
        version: the number of its events.
        is_over: whether no event can follow.
        shell: the shell version of its run (`contracts.names.SHELL`).
        is_recorded: whether the records hold exactly this answer.
        keep: write exactly this answer to the records; False if that is not possible.
    """

    version: int
    is_over: bool
    shell: int
    is_recorded: Callable[[], Awaitable[bool]]
    keep: Callable[[], Awaitable[bool]]


class Entities(Protocol):
    """Orders, or settlements. Each has a name that people use and a workflow."""

    @property
    def workflow_type(self) -> str:
        """The type of their workflows."""

    def name(self, workflow_id: str) -> str:
        """The name of the order or settlement with this workflow."""

    def workflow_id(self, row: Row) -> str:
        """The id of the workflow of a row."""

    async def to_compare(
        self, after: str | None, limit: int, closed_since: datetime
    ) -> Sequence[Row]:
        """The next rows to compare, by name: open ones, and closed ones not compared after their last change."""

    async def rows(self, names: Collection[str]) -> Sequence[Row]:
        """The rows of these names. Names without a row are left out."""

    async def ask(self, workflow_id: str) -> WorkflowAnswer:
        """Query a workflow. A closed one answers, too, until the server deletes it."""


class OrderEntities:
    """Orders, by their SP-IDs."""

    workflow_type = names.SERVICE_ORDER

    def __init__(self, client: Client, orders: Orders, records: Reconciliation) -> None:
        self._client = client
        self._orders = orders
        self._records = records

    def name(self, workflow_id: str) -> str:
        """The SP-ID, which is the workflow's id."""
        return workflow_id

    def workflow_id(self, row: Row) -> str:
        """The id of the workflow of a row."""
        return names.order_id(row.name)

    async def to_compare(
        self, after: str | None, limit: int, closed_since: datetime
    ) -> Sequence[Row]:
        """Orders in no final state, and those closed since `closed_since`."""
        return await self._records.orders_to_compare(after, limit, closed_since)

    async def rows(self, names: Collection[str]) -> Sequence[Row]:
        """Orders in the records."""
        return await self._records.orders(names)

    async def ask(self, workflow_id: str) -> WorkflowAnswer:
        """Query the order's workflow."""
        head = await self._orders.head(workflow_id)
        snapshot = await workflow_client.snapshot(self._client, workflow_id)
        order = snapshot.order

        async def is_recorded() -> bool:
            return await self._orders.holds(snapshot)

        async def keep() -> bool:
            # Another process may have written meanwhile. Then the next pass compares again.
            with suppress(Diverged):
                await self._orders.save(snapshot, replaces=head)
            return True

        return WorkflowAnswer(
            order.version, order.status.is_final, snapshot.shell, is_recorded, keep
        )


class SettlementEntities:
    """Settlements, by their numbers."""

    workflow_type = names.SETTLEMENT

    def __init__(self, client: Client, settlements: Settlements, records: Reconciliation) -> None:
        self._client = client
        self._settlements = settlements
        self._records = records

    def name(self, workflow_id: str) -> str:
        """The settlement's number."""
        return settlement_id(*names.settlement_in(workflow_id))

    def workflow_id(self, row: Row) -> str:
        """The id of the workflow of a row."""
        assert row.settled is not None
        return names.settlement_workflow_id(*row.settled)

    async def to_compare(
        self, after: str | None, limit: int, closed_since: datetime
    ) -> Sequence[Row]:
        """Settlements that are not over, and those that were not compared after their end, whenever they ended.

        A voided settlement is over once its orders are released.
        """
        return await self._records.settlements_to_compare(after, limit)

    async def rows(self, names: Collection[str]) -> Sequence[Row]:
        """Settlements in the records."""
        return await self._records.settlements(names)

    async def ask(self, workflow_id: str) -> WorkflowAnswer:
        """Query the settlement's workflow."""
        partner_id, month, number = names.settlement_in(workflow_id)
        of = SettlementOf(partner_id=partner_id, month=month, number=number)
        head = await self._settlements.head(of.settlement_id)
        snapshot = await settlement_snapshot(self._client, of)
        settlement = snapshot.settlement

        async def is_recorded() -> bool:
            return await self._settlements.holds(snapshot)

        async def keep() -> bool:
            with suppress(Diverged):
                return await self._records.keep_settlement(snapshot, head)
            return True

        return WorkflowAnswer(
            settlement.version, settlement.is_over, snapshot.shell, is_recorded, keep
        )
