"""Sends queries and commands to the workflows of settlements, and stores their answers in the records."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.activities import SettlementOf, SettlementSnapshot
from domain.errors import InvalidCommand, NotUnderstood
from domain.settlements.commands import ExternalCommand, SettlementRequest
from domain.settlements.errors import SettlementRefused
from domain.settlements.settlement import SettlementStatus
from records.heads import Diverged, Head
from records.settlements import Settlements, StoredSettlement
from temporal import settlements as settlement_client
from temporal.calls import Closed, NoAnswer, TemporalAway, workflow_call
from use_cases import access
from use_cases.order_errors import RequestReused
from use_cases.principal import Principal
from use_cases.security_events import note
from use_cases.waiting import wait_for_records

logger = logging.getLogger("cmi.desk")


class UnknownSettlement(Exception):
    """There is no such settlement, or this caller may not know of it; the two look the same."""


class PaperNotMade(Exception):
    """Several attempts to make a requested paper failed. A human has to find out why."""


class SettlementGateway:
    """Finds settlements, gives them commands, waits for the records. `patience` is how long to wait for a worker."""

    def __init__(self, client: Client, settlements: Settlements, patience: timedelta) -> None:
        self._client = client
        self._settlements = settlements
        self._patience = patience

    async def known(self, principal: Principal, settlement: str) -> StoredSettlement:
        """The settlement, if this caller may know of it.

        Raises:
            UnknownSettlement: it does not exist, or this caller may not know of it.
        """
        stored = await self._settlements.get(settlement)
        if stored is None or not access.sees_settlements_of(principal, stored.account.partner_id):
            if stored is not None:
                note("access_refused", "refused", principal.login_id, settlement)
            raise UnknownSettlement(settlement)
        return stored

    async def act(
        self,
        principal: Principal,
        known: StoredSettlement,
        command: ExternalCommand,
        request_id: str,
    ) -> StoredSettlement:
        """Give a settlement a command. Returns the settlement afterwards. Raises the errors of `asking`."""
        request = SettlementRequest(command=command, actor=principal.actor, request_id=request_id)
        settlement = of(known)
        async with self.asking(command.type, known, self._patience):
            answer = await settlement_client.send_settlement_command(
                self._client, settlement, request, self._patience
            )
        return await self.as_of(settlement, answer.version, answer.digest)

    @asynccontextmanager
    async def asking(
        self, action: str, known: StoredSettlement, patience: timedelta
    ) -> AsyncIterator[None]:
        """A context for an update of a settlement's workflow. It converts failures to errors of the use cases.

        Raises:
            SettlementRefused: the current state does not allow it.
            InvalidCommand: a value is not possible.
            UnknownSettlement: this caller may not know of it.
            PaperNotMade: a requested paper cannot be made.
            RequestReused: the request id was used for another command.
            Broken: the tasks of its workflow fail.
            TemporalAway: it is unknown whether it happened. The same request may be repeated.
        """
        try:
            async with workflow_call(self._client, _workflow_id(of(known)), patience):
                yield
        except NoAnswer as error:
            raise TemporalAway("no answer in time") from error
        except Closed:
            raise await self._closed(action, known) from None
        except WorkflowUpdateFailedError as failure:
            raise _refusal(known.account.settlement_id, failure) from failure

    async def as_of(
        self, settlement: SettlementOf, version: int, digest: str = ""
    ) -> StoredSettlement:
        """The settlement in this version (and with this digest, if one is given) or newer.

        The lists show it then, too.

        Raises:
            Broken: the records do not have it, and the tasks of its workflow fail.
            TemporalAway: neither the records nor the workflow have it.
        """
        number = settlement.settlement_id
        if await wait_for_records(lambda: self._settlements.has(number, version, digest)):
            stored = await self._settlements.get(number)
            if stored is not None:
                return stored
        try:
            return await self._ask_snapshot(settlement)
        except (Closed, NoAnswer) as error:
            raise TemporalAway("the settlement's workflow does not answer") from error

    async def fetch(self, settlement: SettlementOf) -> StoredSettlement | None:
        """Query the settlement's workflow and store the answer in the records. None if no worker answers."""
        try:
            return await self._ask_snapshot(settlement)
        except (Closed, NoAnswer, TemporalAway):
            return None

    async def _ask_snapshot(self, settlement: SettlementOf) -> StoredSettlement:
        head = await self._settlements.head(settlement.settlement_id)
        async with workflow_call(self._client, _workflow_id(settlement), self._patience):
            snapshot = await settlement_client.settlement_snapshot(self._client, settlement)
        return await self.recorded(snapshot, head)

    async def recorded(
        self, snapshot: SettlementSnapshot, replaces: Head | None = None
    ) -> StoredSettlement:
        """Store the settlement in the records, in place of `replaces`, and return it.

        Raises:
            TemporalAway: an order of it is not recorded yet, or another process writes at the same time.
        """
        try:
            await self._settlements.save(snapshot, replaces=replaces)
        except (LookupError, Diverged) as error:
            raise TemporalAway("the settlement is not recorded yet") from error
        stored = await self._settlements.get(snapshot.settlement.settlement_id)
        assert stored is not None, "it was just stored"
        return stored

    async def _closed(self, action: str, known: StoredSettlement) -> SettlementRefused:
        """The refusal of a command to a settlement whose workflow has ended.

        Raises:
            TemporalAway: the settlement is not over, so its workflow was terminated.
        """
        settlement = known.settlement
        if not settlement.is_over:
            stored = await self.fetch(of(known))
            settlement = stored.settlement if stored else settlement
        if not settlement.is_over:
            number = settlement.settlement_id
            logger.error("an open settlement has no workflow", extra={"settlement_id": number})
            raise TemporalAway("the settlement's workflow is not running")
        return SettlementRefused(action, "wrong_state", settlement.status)


def of(stored: StoredSettlement) -> SettlementOf:
    """The key of a settlement. Its workflow id follows from it."""
    return SettlementOf.opened_by(stored.settlement.opening)


def _workflow_id(settlement: SettlementOf) -> str:
    return names.settlement_workflow_id(settlement.partner_id, settlement.month, settlement.number)


def _refusal(settlement: str, failure: WorkflowUpdateFailedError) -> Exception:
    """Convert the failure of an update to an error of the use cases."""
    cause = failure.cause
    if isinstance(cause, ApplicationError):
        facts = cause.details[0] if cause.details else {}
        if cause.type == names.REFUSED:
            if facts["code"] == "not_yours":
                return UnknownSettlement(settlement)
            return SettlementRefused(
                facts["action"],
                facts["code"],
                SettlementStatus(facts["status"]),
                tuple(facts["allowed"]),
            )
        if cause.type == names.INVALID:
            return InvalidCommand(facts["field"], facts["code"])
        if cause.type == names.ID_REUSED:
            return RequestReused(settlement)
        if cause.type == NotUnderstood.__name__:
            return TemporalAway("the worker is of an older release than this settlement's rules")
        if cause.type == names.NOT_MADE:
            return PaperNotMade(settlement)
        if cause.type == names.TRY_AGAIN:
            return TemporalAway("the settlement's workflow continues as a new run")
    return failure
