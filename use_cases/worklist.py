"""What a partner has to do now, and doing the same to several orders at once."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

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

STATES: tuple[Status, ...] = (
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.SET_APPOINTMENT,
    Status.CONFIRM_EXECUTION,
    Status.UNDER_REVIEW,
)
"""The sections of a partner's overview, in their order. Those of the last one wait for operations."""

_AT_ONCE = 6

Failure = NotAllowed | InvalidCommand | UnknownOrder | RequestReused | TemporalAway


class Task(NamedTuple):
    """A command for one of several orders, and the name under which it is done once."""

    command: ExternalCommand
    request_id: str


class WorklistUseCases:
    """Where a partner sees what it has to do, and does several things at once."""

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
        """The instant at which something is shown."""
        return self._clock()

    async def worklist(self, principal: Principal, limit: int) -> dict[Status, Section]:
        """A section for each of `STATES`, with the most urgent `limit` orders of this caller's partner.

        Raises:
            Forbidden: a caller who is no partner.
        """
        access.check(principal, "read")
        partner_id = access.own_partner(principal)
        if partner_id is None:
            raise Forbidden("a worklist is a partner's")
        return await self._worklists.of(partner_id, STATES, limit)

    async def do_all(
        self, principal: Principal, tasks: Mapping[str, Task]
    ) -> dict[str, StoredOrder | Stored | Failure]:
        """Give each order (by its SP-ID) its command, a few at a time. What came of each, in their order.

        As soon as one has not been answered because no worker is up, the others are left with the server without
        waiting for each; once Temporal is away, the rest is not tried.

        Raises:
            Forbidden: this role may not; nothing was done.
        """
        for task in tasks.values():
            access.check(principal, task.command.type)
        turn = asyncio.Semaphore(_AT_ONCE)
        nobody_answers = False
        away: TemporalAway | None = None

        async def do(sp_id: str, task: Task) -> StoredOrder | Stored | Failure:
            nonlocal nobody_answers, away
            async with turn:
                if away is not None:
                    return away
                try:
                    done = await self._orders.command(
                        principal, sp_id, task.command, task.request_id, nobody_answers
                    )
                except Broken as error:  # this order's workflow alone
                    return error
                except TemporalAway as error:
                    away = error
                    return error
                except (NotAllowed, InvalidCommand, UnknownOrder, RequestReused) as error:
                    return error
                nobody_answers = nobody_answers or isinstance(done, Stored)
                return done

        done = await asyncio.gather(*(do(sp_id, task) for sp_id, task in tasks.items()))
        return dict(zip(tasks, done, strict=True))
