"""The use cases of operations: late orders, orders under review, stuck mails, findings."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from domain.orders.ball import ball
from domain.orders.deadline import Deadline, DeadlineKind
from domain.orders.order import Order, Party, Status
from records.accounts import AccountRecords, User
from records.database import Database
from records.findings import Finding, Findings
from records.login_attempts import LoginAttempts
from records.mail_history import MailHistory
from records.mails import MailLog, MailRow, StuckMails
from records.monitoring import LatePartner, Loss, Monitoring, Report
from records.order_lists import OrderFilter
from records.orders import Orders
from records.partners import Partner, Partners
from use_cases import access
from use_cases.principal import Principal
from use_cases.security_events import looked_at

LONG = timedelta(hours=1)
"""A mail that is still unsent after this time is shown to operations."""
REMEMBERED = timedelta(days=30)
"""Mails that were first tried earlier are not shown to operations."""
_MOST_PARTNERS = 10
_MOST_FINDINGS = 200


class LateOrder(NamedTuple):
    """A late order: its missed deadline that was due first, and the party that has to act now."""

    order: Order
    deadline: Deadline
    ball: Party | None
    others: int
    """The number of its other missed deadlines."""


class LateOrders(NamedTuple):
    """A page of late orders, and the cursor of the next page; None at the end."""

    items: tuple[LateOrder, ...]
    next_cursor: str | None


class Review(NamedTuple):
    """An order that waits for a decision, and what the partner reported."""

    order: Order
    report: Report | None
    due: datetime | None


class Reviews(NamedTuple):
    """A page of reviews, and the cursor of the next page; None at the end."""

    items: tuple[Review, ...]
    next_cursor: str | None


class UnassignedOrder(NamedTuple):
    """An order without a partner, how it lost its last one, since when, and until when operations have to assign it."""

    order: Order
    why: Loss | None
    since: datetime | None
    due: datetime | None


class UnassignedOrders(NamedTuple):
    """A page of orders without a partner, and the cursor of the next page; None at the end."""

    items: tuple[UnassignedOrder, ...]
    next_cursor: str | None


class OperationsOverview(NamedTuple):
    """The overview of operations: the number and the first items of each kind of problem."""

    now: datetime
    late_count: int
    late: tuple[LateOrder, ...]
    late_partners: tuple[LatePartner, ...]
    review_count: int
    reviews: tuple[Review, ...]
    unassigned_count: int
    unassigned: tuple[UnassignedOrder, ...]
    on_hold_count: int
    untransmitted_count: int
    untransmitted: tuple[LateOrder, ...]
    mail_count: int
    mails: StuckMails
    invitations: tuple[User, ...]
    finding_count: int
    findings: tuple[Finding, ...]
    throttled: int
    """The number of accounts and addresses that have to wait before the next login."""


class Operations:
    """Queries for the pages of operations. `clock` gives the instant."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._orders = Orders(database)
        self._monitoring = Monitoring(database)
        self._mails = MailLog(database)
        self._mail_history = MailHistory(database)
        self._partners = Partners(database)
        self._accounts = AccountRecords(database)
        self._login_attempts = LoginAttempts(database)
        self._findings = Findings(database)
        self._clock = clock

    @property
    def now(self) -> datetime:
        """The instant for which pages are shown."""
        return self._clock()

    async def overview(self, principal: Principal, each: int = 5) -> OperationsOverview:
        """The overview, with the first `each` of every kind. Raises `Forbidden`."""
        access.check(principal, "watch")
        now = self._clock()
        late, untransmitted, reviews, unassigned = await asyncio.gather(
            self._orders.first(_late_list(now), each),
            self._orders.first(_untransmitted_list(now), each),
            self._orders.first(_REVIEWS, each),
            self._orders.first(_UNASSIGNED, each),
        )
        mails, invitations, (finding_count, findings), throttled = await asyncio.gather(
            self.stuck_mails(principal, limit=each),
            self.not_invited(principal),
            self._findings.first(each),
            self._login_attempts.blocked(now),
        )
        late_partners, on_hold_count = await asyncio.gather(
            self._monitoring.late_partners(now, _MOST_PARTNERS),
            self._monitoring.count(Status.ON_HOLD),
        )
        shown = (late, untransmitted, reviews, unassigned)
        _note_look(principal, [order for counted in shown for order in counted.items])
        return OperationsOverview(
            now=now,
            late_count=late.total,
            late=_late(late.items, now),
            late_partners=late_partners,
            review_count=reviews.total,
            reviews=await self._reviews(reviews.items),
            unassigned_count=unassigned.total,
            unassigned=await self._unassigned(unassigned.items),
            on_hold_count=on_hold_count,
            untransmitted_count=untransmitted.total,
            untransmitted=_late(untransmitted.items, now),
            mail_count=mails.total,
            mails=mails,
            invitations=invitations,
            finding_count=finding_count,
            findings=findings,
            throttled=throttled,
        )

    async def late(
        self,
        principal: Principal,
        partner_id: str | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> LateOrders:
        """Orders with a missed open deadline of any party, the longest overdue first.

        Raises:
            Forbidden: not for this role.
            ValueError: it is not a cursor of this list.
        """
        access.check(principal, "watch")
        now = self._clock()
        page = await self._orders.page(_late_list(now, partner_id), limit, cursor, "urgent")
        _note_look(principal, page.items)
        return LateOrders(_late(page.items, now), page.next_cursor)

    async def untransmitted(
        self, principal: Principal, limit: int = 25, cursor: str | None = None
    ) -> LateOrders:
        """Orders whose partner should have been notified by now. Raises as `late` does."""
        access.check(principal, "watch")
        now = self._clock()
        page = await self._orders.page(_untransmitted_list(now), limit, cursor, "urgent")
        _note_look(principal, page.items)
        return LateOrders(_late(page.items, now), page.next_cursor)

    async def reviews(
        self, principal: Principal, limit: int = 25, cursor: str | None = None
    ) -> Reviews:
        """Orders that wait for a decision, the most urgent first. Raises as `late` does."""
        access.check(principal, "watch")
        page = await self._orders.page(_REVIEWS, limit, cursor, "urgent")
        _note_look(principal, page.items)
        return Reviews(await self._reviews(page.items), page.next_cursor)

    async def _reviews(self, orders: tuple[Order, ...]) -> tuple[Review, ...]:
        reports = await self._monitoring.reports([order.sp_id for order in orders])
        return tuple(
            Review(order, reports.get(order.sp_id), _due(order, "review")) for order in orders
        )

    async def unassigned(
        self, principal: Principal, limit: int = 25, cursor: str | None = None
    ) -> UnassignedOrders:
        """Orders that no partner has, the most urgent first. Raises as `late` does."""
        access.check(principal, "watch")
        page = await self._orders.page(_UNASSIGNED, limit, cursor, "urgent")
        _note_look(principal, page.items)
        return UnassignedOrders(await self._unassigned(page.items), page.next_cursor)

    async def _unassigned(self, orders: tuple[Order, ...]) -> tuple[UnassignedOrder, ...]:
        losses = await self._monitoring.losses([order.sp_id for order in orders])
        return tuple(
            UnassignedOrder(
                order, losses.get(order.sp_id), order.unassigned_at, _due(order, "assign")
            )
            for order in orders
        )

    async def stuck_mails(
        self, principal: Principal, limit: int = 25, cursor: str | None = None
    ) -> StuckMails:
        """Mails of the last month that were given up, or have been tried for an hour. Raises as `late` does."""
        access.check(principal, "watch")
        now = self._clock()
        return await self._mails.stuck(now - REMEMBERED, now - LONG, limit, cursor)

    async def not_invited(self, principal: Principal) -> tuple[User, ...]:
        """Logins whose invitation was not sent. Raises `Forbidden`."""
        access.check(principal, "watch")
        now = self._clock()
        return await self._accounts.not_invited(now - LONG, now)

    async def findings(self, principal: Principal) -> tuple[Finding, ...]:
        """The open findings of the reconciler, the oldest first. Raises `Forbidden`."""
        access.check(principal, "watch")
        return await self._findings.open(_MOST_FINDINGS)

    async def mails_about(self, principal: Principal, sp_id: str) -> tuple[MailRow, ...]:
        """The mails about an order, the earliest first. Raises `Forbidden`."""
        access.check(principal, "watch")
        return await self._mail_history.about(sp_id)

    async def partner(self, principal: Principal, partner_id: str) -> Partner | None:
        """A partner with its telephone number; None if there is none of this id. Raises `Forbidden`."""
        access.check(principal, "watch")
        return await self._partners.get(partner_id)

    async def open_orders_of(self, principal: Principal, partner_id: str) -> int:
        """How many open orders a partner has. Raises `Forbidden`."""
        access.check(principal, "watch")
        return await self._monitoring.open_of(partner_id)


_REVIEWS = OrderFilter(status=Status.UNDER_REVIEW)
_UNASSIGNED = OrderFilter(status=Status.UNASSIGNED)


def _note_look(principal: Principal, orders: Iterable[Order]) -> None:
    looked_at(principal, [order.sp_id for order in orders])


def _late_list(now: datetime, partner_id: str | None = None) -> OrderFilter:
    return OrderFilter(overdue_at=now, assigned_to=partner_id)


def _untransmitted_list(now: datetime) -> OrderFilter:
    return OrderFilter(overdue_at=now, overdue_with="transmit")


def _late(orders: Iterable[Order], now: datetime) -> tuple[LateOrder, ...]:
    found = []
    for order in orders:
        over = [deadline for deadline in order.open_deadlines if deadline.due <= now]
        if over:
            found.append(LateOrder(order, over[0], ball(order, now), len(over) - 1))
    return tuple(found)


def _due(order: Order, kind: DeadlineKind) -> datetime | None:
    return next((each.due for each in order.open_deadlines if each.kind == kind), None)
