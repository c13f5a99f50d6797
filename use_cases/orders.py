"""The use cases of orders: place, find, list, command, notify. The API, the portal and the commands use them."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from temporalio.client import Client

from contracts import names
from contracts.messages import Answer, DisplaySettings
from domain.actors import SYSTEM
from domain.cantons import pin_calendar
from domain.orders.access import allowed
from domain.orders.commands import ExternalCommand, NoteSeen, Reassign
from domain.orders.limits import has_room
from domain.orders.order import Order, Status
from domain.orders.placement import Placement
from domain.orders.request import Request
from domain.policies import Policies
from domain.values import Value
from records.order_lists import Sort
from records.orders import Orders, Page, StoredOrder
from records.partners import Partners
from temporal.calls import Closed
from temporal.calls import TemporalAway as TemporalAway
from use_cases import access
from use_cases.ended_partners import EndedPartners
from use_cases.late_goods import LateGoods
from use_cases.notices import Notice as Notice
from use_cases.notices import Notices
from use_cases.order_errors import AlreadyPlaced as AlreadyPlaced
from use_cases.order_errors import NotAllowed as NotAllowed
from use_cases.order_errors import RequestReused as RequestReused
from use_cases.order_errors import UnknownOrder as UnknownOrder
from use_cases.order_gateway import OrderGateway
from use_cases.order_table import order_filter, order_table
from use_cases.partners import check_gets_orders
from use_cases.placing import Placed as Placed
from use_cases.placing import Placing
from use_cases.principal import Principal
from use_cases.security_events import looked_at, note
from use_cases.sp_ids import is_sp_id
from use_cases.unanswered import check_before_leaving
from use_cases.waiting import wait_for_records

logger = logging.getLogger("cmi.desk")

PATIENCE = timedelta(seconds=3)
"""How long a caller waits for the worker before the command is left with the server as a signal."""


Check = Callable[[Principal, Order, ExternalCommand], Awaitable[None]]


class Stored(Value):
    """A command that Temporal has stored and delivers to the order when a worker runs."""

    sp_id: str


class Listing(NamedTuple):
    """A page of a list, and the number of orders in each state in the whole list."""

    page: Page
    counts: dict[Status, int]


class OrderUseCases:
    """Places orders, finds them, gives them commands. `clock` gives the instant, `patience` is how long to wait.

    `check` is called before each command (`use_cases.on_site`).
    """

    def __init__(
        self,
        client: Client,
        orders: Orders,
        partners: Partners,
        policies: Policies,
        display: DisplaySettings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        patience: timedelta = PATIENCE,
        contact: timedelta = access.CONTACT,
        check: Check | None = None,
    ) -> None:
        self._check = check
        self._orders = orders
        self._partners = partners
        self._clock = clock
        self._patience = patience
        self._contact = contact
        self._gateway = OrderGateway(client, orders, clock, patience)
        self.ended_partners = EndedPartners(self._gateway, orders.relations, partners)
        self._placing = Placing(
            client, self._gateway, orders, partners, policies, display, clock, patience
        )
        self._notices = Notices(
            self._gateway,
            orders,
            orders.relations,
            LateGoods(client, orders, display),
            clock,
        )

    @property
    def now(self) -> datetime:
        """The instant for which pages are shown."""
        return self._clock()

    # --- placing -------------------------------------------------------------------------------------------------

    async def place(self, placement: Placement) -> Placed:
        """Place an order (`Placing.place`)."""
        return await self._placing.place(placement)

    # --- looking -------------------------------------------------------------------------------------------------

    async def find(self, principal: Principal, sp_id: str) -> StoredOrder:
        """An order with its timeline.

        Raises:
            Forbidden: this role sees no orders.
            UnknownOrder: it does not exist, or this caller may not know of it.
            TemporalAway: it is not recorded, and Temporal cannot be reached.
        """
        access.check(principal, "read")
        found = await self._known(principal, sp_id)
        if principal.role == "partner":
            await self._note_first_look(found.order)
        looked_at(principal, (sp_id,))
        return self._shown(principal, found)

    async def _note_first_look(self, order: Order) -> None:
        """Tell an order that its partner looks at it, if the partner was not notified before: deadlines count from now.

        The caller sees the order even if this fails.
        """
        first = order.status in (Status.NEW, Status.CHECK_REQUIREMENTS)
        if order.rules < 2 or not first or order.noticed_at or order.accepted_at:
            return
        partner_id = order.partner.partner_id
        seen = Request(
            command=NoteSeen(partner_id=partner_id),
            actor=SYSTEM,
            request_id=f"seen/{partner_id}/{order.transmitted_at}",
        )
        try:
            await self._gateway.leave(order.sp_id, seen)
        except (Closed, TemporalAway) as error:
            logger.warning("the first look was not noted", extra={"cause": type(error).__name__})

    async def list(
        self,
        principal: Principal,
        *,
        status: Status | None = None,
        overdue: bool = False,
        q: str | None = None,
        partner_id: str | None = None,
        person_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        sort: Sort = "newest",
    ) -> Listing:
        """A page of this caller's orders. The counts include all states, whatever `status` is.

        Raises:
            Forbidden: this role sees no orders.
            ValueError: it is not a cursor of this list.
        """
        now = self._clock()
        asked = (status, overdue, q, partner_id, person_id)
        which = order_filter(principal, now, *asked, self._contact)
        page = await self._orders.page(which, limit, cursor, sort)
        looked_at(principal, (each.sp_id for each in page.items))
        shown = (self._shown(principal, StoredOrder(order, ())).order for order in page.items)
        page = page._replace(items=tuple(shown))
        return Listing(page, await self._orders.counts(which))

    def table(
        self,
        principal: Principal,
        *,
        status: Status | None = None,
        overdue: bool = False,
        q: str | None = None,
        partner_id: str | None = None,
        person_id: str | None = None,
    ) -> AsyncIterator[bytes]:
        """This caller's orders as CSV, in parts (`order_table`). Raises `Forbidden`."""
        now = self._clock()
        asked = (status, overdue, q, partner_id, person_id)
        which = order_filter(principal, now, *asked, self._contact)
        return order_table(self._orders, which, principal, now, self._contact)

    def _shown(self, principal: Principal, stored: StoredOrder) -> StoredOrder:
        return access.shown_to(principal, stored, self._clock(), self._contact)

    async def check_sight(self, principal: Principal, sp_id: str) -> Order:
        """The order, for checks only: it is not to be shown. Raises `UnknownOrder` if the caller may not know of it."""
        return (await self._known(principal, sp_id)).order

    async def _known(self, principal: Principal, sp_id: str) -> StoredOrder:
        """The order, if this caller may know of it."""
        stored = await self._orders.get(sp_id)
        may_run = is_sp_id(sp_id) and not names.is_taken(sp_id)
        if stored is None and principal.role != "partner" and may_run:
            # It may be placed, but not recorded yet. Partners do not see orders that early.
            stored = await self._gateway.fetch(sp_id, must_exist=False)
        if stored is None or not await self._sees(principal, stored.order):
            if stored is not None:
                note("access_refused", "refused", principal.login_id, sp_id)
            raise UnknownOrder(sp_id)
        return stored

    async def _sees(self, principal: Principal, order: Order) -> bool:
        person_id = None
        if principal.only_assigned_to is not None:
            person_id = await self._orders.assignments.person_of(order.sp_id)
        return access.sees(principal, order, person_id)

    # --- acting --------------------------------------------------------------------------------------------------

    async def command(
        self,
        principal: Principal,
        sp_id: str,
        command: ExternalCommand,
        request_id: str,
        respond_async: bool = False,
    ) -> StoredOrder | Stored:
        """Give an order a command. Idempotent for a request id. Returns the recorded order afterwards.

        If no worker answers in time, or with `respond_async`, the command is left with the server as a signal and
        counts from now. A refusal is then mailed to its sender.

        Raises:
            Forbidden: not for this role.
            UnknownOrder: it does not exist, or this caller may not know of it (any more).
            NotAllowed: the current state does not allow it.
            InvalidCommand: the values are invalid.
            RequestReused: the request id was used for another command.
            Broken: the tasks of its workflow fail. The command was not left with the server.
            TemporalAway: it is unknown whether it happened. The same request may be repeated.
        """
        access.check(principal, command.type)
        known = await self._known(principal, sp_id)
        if self._check is not None:
            await self._check(principal, known.order, command)
        try:
            return await self._act(principal, known.order, command, request_id, respond_async)
        except _LostSight:
            return known  # the partner declined the order: it gets the order as it last saw it

    async def reassign(
        self,
        principal: Principal,
        sp_id: str,
        partner_id: str,
        reason: str,
        request_id: str,
        respond_async: bool = False,
        only_in: Status | None = None,
    ) -> StoredOrder | Stored:
        """Hand an order to another partner, whose calendar is pinned into it. The order keeps its policy.

        `only_in`: the state that the order must have. Raises as `command` does.
        """
        access.check(principal, "reassign")
        known = await self._known(principal, sp_id)
        if only_in is not None and known.order.status is not only_in:
            order = known.order
            may = allowed(order, "operations", self._clock())
            raise NotAllowed("decide_review", "wrong_state", order.status, may)
        partner = check_gets_orders(await self._partners.get(partner_id))
        command = Reassign(
            partner=self._partners.assignee(partner),
            calendar=pin_calendar(partner.canton, known.order.policy, self._clock().date()),
            reason=reason,
        )
        return await self._act(principal, known.order, command, request_id, respond_async)

    async def notice(
        self, principal: Principal, sp_id: str, notice: Notice, request_id: str
    ) -> Stored:
        """Notify an order of an external event. Idempotent. Goods that come after its end are recorded.

        Raises:
            Forbidden: not for this role.
            UnknownOrder: there is no such order.
            TemporalAway: it is unknown whether it was stored. The notice may be repeated.
        """
        access.check(principal, notice.type)
        known = await self._known(principal, sp_id)
        await self._notices.leave(known.order, notice, principal.actor, request_id)
        return Stored(sp_id=sp_id)

    async def _act(
        self,
        principal: Principal,
        order: Order,
        command: ExternalCommand,
        request_id: str,
        respond_async: bool,
    ) -> StoredOrder | Stored:
        sp_id = order.sp_id
        request = Request(command=command, actor=principal.actor, request_id=request_id)
        since = self._clock()
        try:
            # A refused signal adds an event. Without room for it the command is sent as an update, which adds none.
            leaves = respond_async and has_room(order)
            answer = None if leaves else await self._gateway.ask(sp_id, request)
            if answer is not None:
                return await self._as_of(principal, sp_id, answer)
            check_before_leaving(order, request, since)
            await self._gateway.leave(sp_id, request.model_copy(update={"at": since}))
        except Closed:
            order = await self._gateway.after_end(order)
            code = "final" if order.status.is_final else "wrong_state"
            raise NotAllowed(command.type, code, order.status, ()) from None
        return Stored(sp_id=sp_id)

    async def _as_of(
        self, principal: Principal, sp_id: str, answer: Answer
    ) -> StoredOrder | Stored:
        """Wait until the records, and so the lists, have the answered version, and return the order.

        The workflow writes it right after its answer. If that takes long, the workflow is queried.
        """
        version = answer.version
        if await wait_for_records(lambda: self._orders.has(sp_id, version, answer.digest)):
            stored = await self._orders.get(sp_id)
        else:
            stored = await self._gateway.fetch(sp_id)
        if stored is None or stored.order.version < version:
            return Stored(sp_id=sp_id)
        if not await self._sees(principal, stored.order):
            if stored.order.status is Status.UNASSIGNED:
                raise _LostSight(sp_id)
            raise UnknownOrder(sp_id)
        looked_at(principal, (sp_id,))
        return stored


class _LostSight(UnknownOrder):
    """The command was carried out, and the order has no partner now."""
