"""Moves running orders and settlements to newer rules (docs/changing-rules.md). `starter.py adopt-rules`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Literal, NamedTuple

from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.activities import SettlementOf
from contracts.messages import fingerprint
from domain import rules
from domain.actors import Actor
from domain.errors import NotUnderstood
from domain.orders.commands import AdoptRules
from domain.orders.request import Request
from domain.policies import Policies, UnknownPolicy
from domain.policy import Policy
from domain.settlements import commands
from domain.settlements.commands import SettlementRequest
from domain.settlements.ids import is_settlement_id
from records.orders import Orders
from records.partners import Partners
from records.reconciliation import Reconciliation, Row
from records.settlements import Settlements
from temporal import orders as workflow_client
from temporal import settlements as settlement_client
from temporal.calls import Broken, Closed, NoAnswer, workflow_call

ANSWER_WITHIN = timedelta(seconds=10)
AT_ONCE = 8
_PAGE = 500
_OPERATIONS = Actor(role="operations")

Result = Literal[
    "adopted", "newer", "closed", "no_answer", "not_running", "old_worker", "no_policy", "broken"
]
"""The result for one order or settlement.

`adopted`: it has the version now, or had it before. `newer`: it has a newer one. `closed`: it is over. `no_answer`: its
workflow did not answer. `not_running`: it has no running workflow although it is open in the records. `old_worker`: its
worker does not know the version yet. `no_policy`: the policy of its partner is missing. `broken`: its workflow tasks
fail, or the update failed for an unknown reason.
"""
RESULTS: dict[Result, str] = {
    "adopted": "is under version {version}",
    "newer": "is under newer rules already",
    "closed": "was closed meanwhile",
    "no_answer": "does not answer",
    "not_running": "has no running workflow: python starter.py revive",
    "old_worker": "has a worker that does not know version {version} yet",
    "no_policy": "has a partner whose policy is not among the files of CMI_POLICIES",
    "broken": "has a workflow that is broken: python starter.py stuck",
}
"""Each result in words, after the name. `version` is in some of them."""
FAILED: tuple[Result, ...] = (
    "no_answer",
    "not_running",
    "old_worker",
    "no_policy",
    "broken",
)
"""The results after which the command must be repeated."""


class NotAdoptable(Exception):
    """The request is not possible; the text says why, in one line. No update was sent."""


def check_version(version: int) -> None:
    """Raise `NotAdoptable` unless there is such a version of the rules."""
    if not rules.is_known(version):
        raise NotAdoptable(
            f"version {version}: there is no such version of the rules, the newest is {rules.CURRENT}"
        )


class Adopted(NamedTuple):
    """The result for one order or settlement. `name` is its SP-ID or number."""

    name: str
    result: Result


class _Target(NamedTuple):
    """An order or settlement to update. `settled` is the key of a settlement; None for an order."""

    name: str
    settled: SettlementOf | None = None


class Adoption:
    """Moves orders and settlements to newer rules. The keys that these add come from the partner's current policy."""

    def __init__(
        self,
        client: Client,
        orders: Orders,
        settlements: Settlements,
        open_ones: Reconciliation,
        policies: Policies,
        partners: Partners,
        patience: timedelta = ANSWER_WITHIN,
    ) -> None:
        self._client = client
        self._orders = orders
        self._settlements = settlements
        self._open_ones = open_ones
        self._policies = policies
        self._partners = partners
        self._own: dict[str, str] = {}
        self._patience = patience
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def adopt(self, version: int, wanted: Sequence[str] = ()) -> AsyncIterator[Adopted]:
        """Move these orders and settlements, or all open ones, to a version of the rules. Yields the result for each.

        Idempotent: the id of the update follows from the version and the policy, and an order or settlement that has
        the version already records nothing.

        Raises:
            NotAdoptable: the version does not exist, or a named one is unknown, closed or under newer rules.
            TemporalAway: Temporal cannot be reached. Updates before that may have been done.
        """
        check_version(version)
        self._own = {p.partner_id: p.policy for p in await self._partners.list() if p.policy}
        pages = self._named(version, wanted) if wanted else self._all()
        async for page in pages:
            tasks = [asyncio.create_task(self._one(target, version)) for target in page]
            try:
                for adopted in await asyncio.gather(*tasks):
                    yield adopted
            finally:
                for task in tasks:
                    task.cancel()

    async def _named(self, version: int, wanted: Sequence[str]) -> AsyncIterator[list[_Target]]:
        # All names are checked before the first update is sent.
        yield [await self._target(version, name) for name in dict.fromkeys(wanted)]

    async def _target(self, version: int, name: str) -> _Target:
        settled = None
        if is_settlement_id(name):
            found = await self._settlements.get(name)
            if found is None:
                raise NotAdoptable(f"{name}: the records know no such settlement")
            settlement = found.settlement
            is_final, holds, status = (
                settlement.is_final,
                settlement.rules,
                settlement.status.value,
            )
            settled = SettlementOf.opened_by(settlement.opening)
        else:
            stored = await self._orders.get(name)
            if stored is None:
                raise NotAdoptable(f"{name}: the records know no such order")
            order = stored.order
            is_final, holds, status = order.status.is_final, order.rules, order.status.value
        if is_final:
            raise NotAdoptable(f"{name} is {status}: nothing can follow")
        if holds > version:
            raise NotAdoptable(f"{name} is under newer rules already, version {holds}")
        return _Target(name, settled)

    async def _all(self) -> AsyncIterator[list[_Target]]:
        after: str | None = None
        while orders := await self._open_ones.open_orders(after, _PAGE):
            yield [_Target(row.name) for row in orders]
            after = orders[-1].name
        after = None
        while settlements := await self._open_ones.open_settlements(after, _PAGE):
            yield [_Target(row.name, _settled(row)) for row in settlements]
            after = settlements[-1].name

    async def _one(self, target: _Target, version: int) -> Adopted:
        if target.settled is None:
            return await self._order(target.name, version)
        return await self._settlement(target.name, target.settled, version)

    async def _order(self, sp_id: str, version: int) -> Adopted:
        try:
            command = AdoptRules(version=version, policy=await self._policy_of_order(sp_id))
        except UnknownPolicy:
            return Adopted(sp_id, "no_policy")
        request = Request(command=command, actor=_OPERATIONS, request_id=_request_id(command))

        async def is_over() -> bool:
            stored = await self._orders.get(sp_id)
            return stored is not None and stored.order.status.is_final

        result = await self._ask(
            names.order_id(sp_id),
            lambda: workflow_client.send_command(self._client, sp_id, request, self._patience),
            is_over,
        )
        return Adopted(sp_id, result)

    async def _settlement(self, number: str, settled: SettlementOf, version: int) -> Adopted:
        try:
            policy = self._policy_of(settled.partner_id)
        except UnknownPolicy:
            return Adopted(number, "no_policy")
        command = commands.AdoptRules(version=version, policy=policy)
        request = SettlementRequest(
            command=command, actor=_OPERATIONS, request_id=_request_id(command)
        )

        async def is_over() -> bool:
            stored = await self._settlements.get(number)
            return stored is not None and stored.settlement.is_over

        result = await self._ask(
            names.settlement_workflow_id(settled.partner_id, settled.month, settled.number),
            lambda: settlement_client.send_settlement_command(
                self._client, settled, request, self._patience
            ),
            is_over,
        )
        return Adopted(number, result)

    async def _policy_of_order(self, sp_id: str) -> Policy:
        """The current policy of the partner that has an order. Raises `UnknownPolicy`."""
        stored = await self._orders.get(sp_id) if self._own else None
        return self._policy_of(stored.order.partner.partner_id if stored else None)

    def _policy_of(self, partner_id: str | None) -> Policy:
        return self._policies.of(self._own.get(partner_id) if partner_id else None)

    async def _ask(
        self,
        workflow_id: str,
        send: Callable[[], Awaitable[object]],
        is_over: Callable[[], Awaitable[bool]],
    ) -> Result:
        async with self._turn:
            try:
                async with workflow_call(self._client, workflow_id, self._patience):
                    await send()
            except Broken:
                return "broken"
            except NoAnswer:
                return "no_answer"
            except Closed:
                return "closed" if await is_over() else "not_running"
            except WorkflowUpdateFailedError as failure:
                return _refusal(failure)
        return "adopted"


def _request_id(command: AdoptRules | commands.AdoptRules) -> str:
    return f"adopt-rules-{command.version}-{fingerprint(command)}"


def _settled(row: Row) -> SettlementOf:
    assert row.settled is not None, "the row of a settlement has its partner and month"
    partner_id, month, number = row.settled
    return SettlementOf(partner_id=partner_id, month=month, number=number)


def _refusal(failure: WorkflowUpdateFailedError) -> Result:
    cause = failure.cause
    if isinstance(cause, ApplicationError):
        facts = cause.details[0] if cause.details else {}
        code = facts.get("code") if isinstance(facts, dict) else None
        if code in ("final", "wrong_state"):
            return "closed"
        if code == "older_rules":
            return "newer"
        # The worker is of a release without the command or this version.
        if cause.type in (names.UNREADABLE, NotUnderstood.__name__):
            return "old_worker"
    return "broken"
