"""Sends queries and commands to the workflows of orders, and stores their answers in the records."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.messages import Answer
from domain.errors import InvalidCommand, NotUnderstood
from domain.orders.order import Order, Status
from domain.orders.request import Request
from records.failures import is_away
from records.heads import Diverged, Head
from records.orders import Orders, StoredOrder
from temporal import orders as workflow_client
from temporal.calls import Closed, NoAnswer, TemporalAway, temporal_call, workflow_call
from use_cases.order_errors import NotAllowed, RequestReused, UnknownOrder

logger = logging.getLogger("cmi.desk")

SIGNAL_PATIENCE = timedelta(seconds=2)
# The server accepts ten concurrent updates of one workflow and rejects more (history.maxInFlightUpdates).
_AT_ONCE = 4
MOST_HISTORY = 8_000
"""The length of a run's history, in events, from which on it gets no more signals. A running worker begins a new run at
about 4,000. The server takes no more than 10,000 signals in a run, and then the order would be stuck."""


class OrderGateway:
    """Queries workflows of orders and sends them commands. `patience` is how long to wait for a worker."""

    def __init__(
        self,
        client: Client,
        orders: Orders,
        clock: Callable[[], datetime],
        patience: timedelta,
    ) -> None:
        self._client = client
        self._orders = orders
        self._clock = clock
        self._patience = patience
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def fetch(self, sp_id: str, *, must_exist: bool = True) -> StoredOrder | None:
        """Query the order's workflow and store the answer in the records. None if no worker answers.

        Raises:
            TemporalAway: only without `must_exist`: it is unknown whether the order exists.
        """
        head = await self._head(sp_id)
        try:
            async with workflow_call(self._client, names.order_id(sp_id), self._patience):
                snapshot = await workflow_client.snapshot(self._client, sp_id)
        except Closed:
            return None
        except NoAnswer as error:
            if not must_exist:
                raise TemporalAway("no answer") from error
            return None
        except TemporalAway:
            if not must_exist:
                raise
            return None
        try:
            with suppress(Diverged):  # another process has written meanwhile
                await self._orders.save(snapshot, replaces=head)
            stored = await self._orders.get(sp_id)
        except Exception as error:
            if not is_away(error):
                raise
            stored = None
        return stored or StoredOrder(snapshot.order, snapshot.events)

    async def _head(self, sp_id: str) -> Head | None:
        """The head of an order in the records; None if it is not recorded, or the records are away."""
        try:
            return await self._orders.head(sp_id)
        except Exception as error:
            if not is_away(error):
                raise
            return None

    async def placed_meanwhile(self, sp_id: str) -> StoredOrder:
        """Wait for the row of an order that another caller placed at the same time, and return the order."""
        for _ in range(10):
            stored = await self._orders.get(sp_id)
            if stored is not None:
                return stored
            await asyncio.sleep(0.05)
        stored = await self.fetch(sp_id)
        if stored is None:
            raise TemporalAway("the order's workflow does not answer")
        return stored

    async def ask(self, sp_id: str, request: Request) -> Answer | None:
        """Send a command and return the answer; None if no worker answered in time.

        Raises `Broken` if the tasks of the workflow fail. The command is not left with the server then, because it
        might never be handled.
        """
        turn = self._turns.setdefault(sp_id, asyncio.Semaphore(_AT_ONCE))
        try:
            async with workflow_call(self._client, names.order_id(sp_id), self._patience), turn:
                return await workflow_client.send_command(
                    self._client, sp_id, request, self._patience
                )
        except NoAnswer:
            return None
        except WorkflowUpdateFailedError as failure:
            raise _refusal(sp_id, failure) from failure

    async def leave(self, sp_id: str, request: Request) -> None:
        """Send a command as a signal, which the server keeps. It counts from now, or from its `at`.

        Raises:
            Closed: its workflow has ended.
            TemporalAway: it is unknown whether it was stored, or too many messages wait for a worker already.
        """
        if request.at is None:
            request = request.model_copy(update={"at": self._clock()})
        try:
            async with temporal_call(SIGNAL_PATIENCE):
                if await workflow_client.history_length(self._client, sp_id) > MOST_HISTORY:
                    raise TemporalAway("too many messages wait for a worker")
                await workflow_client.send_notice(self._client, sp_id, request)
        except NoAnswer as error:
            raise TemporalAway("no answer") from error

    async def after_end(self, order: Order) -> Order:
        """The last state of an order whose workflow is closed."""
        if not order.status.is_final:
            stored = await self._orders.get(order.sp_id)
            if stored is None or not stored.order.status.is_final:
                stored = await self.fetch(order.sp_id) or stored
            order = stored.order if stored else order
        return order


def _refusal(sp_id: str, failure: WorkflowUpdateFailedError) -> Exception:
    """Convert the failure of an update to an error of the use cases."""
    cause = failure.cause
    if isinstance(cause, ApplicationError):
        facts = cause.details[0] if cause.details else {}
        if cause.type == names.REFUSED:
            if facts["code"] == "not_yours":  # reassigned meanwhile
                return UnknownOrder(sp_id)
            return NotAllowed(
                facts["action"], facts["code"], Status(facts["status"]), tuple(facts["allowed"])
            )
        if cause.type == names.INVALID:
            return InvalidCommand(facts["field"], facts["code"])
        if cause.type == names.ID_REUSED:
            return RequestReused(sp_id)
        if cause.type in (names.UNREADABLE, NotUnderstood.__name__):
            logger.error("the worker is older than this process", extra={"sp_id": sp_id})
            return TemporalAway("the worker does not know this command, or the order's rules, yet")
    return failure
