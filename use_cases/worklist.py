"""The use cases of a partner's worklist: show it, and give commands to several orders."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from domain.errors import InvalidCommand
from domain.orders.commands import ExternalCommand
from domain.orders.order import Status
from records.orders import StoredOrder
from records.worklist import Section, Worklists
from temporal.calls import Broken
from use_cases import access
from use_cases.access import Forbidden
from use_cases.orders import (
    NotAllowed,
    OrderUseCases,
    RequestReused,
    Stored,
    TemporalAway,
    UnknownOrder,
)
from use_cases.principal import Principal
from use_cases.security_events import looked_at

STATES: tuple[Status, ...] = (
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.SET_APPOINTMENT,
    Status.CONFIRM_EXECUTION,
    Status.UNDER_REVIEW,
    Status.ON_HOLD,
)
"""The sections of a partner's overview, in this order."""
WAITING: tuple[Status, ...] = (Status.UNDER_REVIEW, Status.ON_HOLD)
"""Sections in which the partner has nothing to do: they wait for operations, or for the customer's date."""

_AT_ONCE = 6

Failure = NotAllowed | InvalidCommand | UnknownOrder | RequestReused | TemporalAway


_Task = TypeVar("_Task")


class Task(NamedTuple):
    """A command for one of several orders, and its request id."""

    command: ExternalCommand
    request_id: str


class WorklistUseCases:
    """Shows a partner's worklist, and gives commands to several orders."""

    def __init__(
        self,
        worklists: Worklists,
        orders: OrderUseCases,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._worklists = worklists
        self._orders = orders
        self._clock = clock

    @property
    def now(self) -> datetime:
        """The instant for which pages are shown."""
        return self._clock()

    async def worklist(self, principal: Principal, limit: int) -> dict[Status, Section]:
        """A section for each of `STATES`, with the most urgent `limit` orders of this caller's partner.

        A technician sees its own only.

        Raises:
            Forbidden: the caller is not a partner.
        """
        access.check(principal, "read")
        partner_id = access.own_partner(principal)
        if partner_id is None:
            raise Forbidden("a worklist is a partner's")
        return await self._worklists.of(partner_id, STATES, limit, principal.only_assigned_to)

    async def overview(self, principal: Principal, limit: int) -> dict[Status, Section]:
        """The worklist, to be shown with the customers' names and telephones. Raises `Forbidden`."""
        sections = await self.worklist(principal, limit)
        jobs = (job for section in sections.values() for job in section.jobs)
        looked_at(principal, (job.placement.sp_id for job in jobs))
        return sections

    async def do_all(
        self, principal: Principal, tasks: Mapping[str, Task]
    ) -> dict[str, StoredOrder | Stored | Failure]:
        """Give each order (by SP-ID) its command, a few at a time. Returns the result of each, in the same order.

        If one is not answered because no worker runs, the others are left with the server without a wait. If Temporal
        is away, the others are not tried.

        Raises:
            Forbidden: not for this role; nothing was done.
        """
        for task in tasks.values():
            access.check(principal, task.command.type)
        return await _each(
            tasks,
            lambda sp_id, task, leave: self._orders.command(
                principal, sp_id, task.command, task.request_id, leave
            ),
        )

    async def reassign_many(
        self, principal: Principal, request_ids: Mapping[str, str], partner_id: str, reason: str
    ) -> dict[str, StoredOrder | Stored | Failure]:
        """Hand each order (by SP-ID, with its request id) to another partner. Like `do_all`.

        Raises:
            Forbidden: not for this role; nothing was done.
        """
        access.check(principal, "reassign")
        return await _each(
            request_ids,
            lambda sp_id, request_id, leave: self._orders.reassign(
                principal, sp_id, partner_id, reason, request_id, leave
            ),
        )


async def _each(
    tasks: Mapping[str, _Task],
    do: Callable[[str, _Task, bool], Awaitable[StoredOrder | Stored]],
) -> dict[str, StoredOrder | Stored | Failure]:
    """Do something with each order, a few at a time. `do` gets SP-ID, task, and whether to leave it with the server."""
    turn = asyncio.Semaphore(_AT_ONCE)
    nobody_answers = False
    away: TemporalAway | None = None

    async def do_one(sp_id: str, task: _Task) -> StoredOrder | Stored | Failure:
        nonlocal nobody_answers, away
        async with turn:
            if away is not None:
                return away
            try:
                done = await do(sp_id, task, nobody_answers)
            except Broken as error:  # only this order's workflow
                return error
            except TemporalAway as error:
                away = error
                return error
            except (NotAllowed, InvalidCommand, UnknownOrder, RequestReused) as error:
                return error
            nobody_answers = nobody_answers or isinstance(done, Stored)
            return done

    done = await asyncio.gather(*(do_one(sp_id, task) for sp_id, task in tasks.items()))
    return dict(zip(tasks, done, strict=True))
