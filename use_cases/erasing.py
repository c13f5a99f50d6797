"""Erases the customer's data of orders everywhere: records, data key, Temporal, files (docs/data-protection.md)."""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from contracts import names
from contracts.activities import ErasureOf
from domain.orders.access import allowed
from records.data_keys import DataKeyRecords
from records.erasures import Erasures, SettlementWithTexts
from records.orders import StoredOrder
from temporal.calls import NoAnswer, TemporalAway, temporal_call
from temporal.deletion import delete_ended_runs, is_running
from use_cases import access
from use_cases.erased_files import Folders, delete_mails, delete_requests
from use_cases.order_errors import NotAllowed
from use_cases.orders import OrderUseCases
from use_cases.principal import Principal
from use_cases.security_events import note

logger = logging.getLogger("cmi.erasure")

CALL_LIMIT = timedelta(seconds=3)


class Erasing:
    """Erases the data of ended orders. Each step can be repeated, so that another process can go on if this one dies.

    The steps in their order: the records, so that nobody sees the data and no writer brings them back; the data key;
    the workflow's history; the histories of settlements in which people wrote about the order; files in `folders`.
    """

    def __init__(
        self,
        client: Client,
        erasures: Erasures,
        data_keys: DataKeyRecords,
        folders: Folders,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._erasures = erasures
        self._data_keys = data_keys
        self._folders = folders
        self._clock = clock

    async def erase_rows(self, sp_id: str, by: str) -> str | None:
        """Erase the data in the records. Returns None, or the code of the refusal (`Erasures.erase`).

        Raises:
            NoAnswer, TemporalAway: it is unknown whether the workflow runs. Nothing was erased.
        """

        async def runs() -> bool:
            async with temporal_call(CALL_LIMIT):
                return await is_running(self._client, names.order_id(sp_id))

        return await self._erasures.erase(sp_id, by, self._clock(), runs)

    async def erase_outside(self, sp_ids: Collection[str]) -> frozenset[str]:
        """Erase what Temporal and files hold of orders that are erased in the records, and record that it is done.

        An order whose workflow runs again, or whose settlement is not over, is left for later. Returns the orders whose
        workflows run again.

        Raises:
            NoAnswer, TemporalAway, RPCError: Temporal did not do it. The call may be repeated.
            OSError: a file could not be deleted.
        """
        done, running, mailed = [], set(), set(sp_ids)
        for sp_id in sp_ids:
            async with temporal_call(CALL_LIMIT):
                if await is_running(self._client, names.order_id(sp_id)):
                    running.add(sp_id)
                    continue
            await self._data_keys.erase(names.order_id(sp_id), self._clock())
            async with temporal_call(CALL_LIMIT):
                all_ended = await delete_ended_runs(self._client, names.order_id(sp_id))
            if settlements := await self._erasures.settlements_with_texts(sp_id):
                await self._erasures.erase_texts(sp_id)
            mailed |= {each.settlement_id for each in settlements if each.is_over}
            for each in settlements:
                all_ended &= each.is_over and await self._delete_settlement(each)
            if all_ended:
                done.append(sp_id)
        await asyncio.to_thread(delete_requests, self._folders.warehouse, frozenset(sp_ids))
        if self._folders.mail is not None:
            await asyncio.to_thread(delete_mails, self._folders.mail, mailed)
        await self._erasures.mark_done(done, self._clock())
        return frozenset(running)

    async def _delete_settlement(self, of: SettlementWithTexts) -> bool:
        """Delete the ended runs of a settlement from Temporal. Returns whether none runs."""
        workflow_id = names.settlement_workflow_id(of.partner_id, of.month, of.number)
        async with temporal_call(CALL_LIMIT):
            return await delete_ended_runs(self._client, workflow_id)


class ErasureUseCases:
    """The use case of operations: erase an order's customer data."""

    def __init__(self, client: Client, orders: OrderUseCases, erasing: Erasing) -> None:
        self._client = client
        self._orders = orders
        self._erasing = erasing

    async def erase(self, principal: Principal, sp_id: str) -> StoredOrder:
        """Erase the customer's data of an order that has ended, and return what is left. Repeating it changes nothing.

        A worker erases what is outside the records soon afterwards, or at the latest in the nightly run.

        Raises:
            Forbidden: not for this role.
            UnknownOrder: there is no such order.
            NotAllowed: it has not ended, or still sends mails, or a voided settlement gives it back.
            TemporalAway: nothing was erased. The call may be repeated.
        """
        access.check(principal, "erase")
        known = await self._orders.find(principal, sp_id)
        try:
            code = await self._erasing.erase_rows(sp_id, f"{principal.role}:{principal.name}")
        except NoAnswer as error:
            raise TemporalAway("no answer") from error
        if code is not None:
            note("erasure", "refused", principal.login_id, sp_id)
            may = allowed(known.order, "operations", self._orders.now)
            raise NotAllowed("erase", code, known.order.status, may)
        note("erasure", "succeeded", principal.login_id, sp_id)
        logger.info("erased", extra={"sp_id": sp_id, "login": principal.login_id})
        try:
            async with temporal_call(CALL_LIMIT):
                await self._client.start_workflow(
                    names.ERASURE,
                    ErasureOf(sp_id=sp_id),
                    id=f"{names.RETENTION_ID}-{sp_id}",
                    task_queue=names.ORDERS_QUEUE,
                    static_summary="erases what is outside the records",
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                )
        except (NoAnswer, TemporalAway) as error:
            logger.warning("the nightly run erases the rest", extra={"cause": type(error).__name__})
        return await self._orders.find(principal, sp_id)
