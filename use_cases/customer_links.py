"""The use cases of the link in a customer's mail, without a login: see the order, and wish for another day."""

from collections.abc import Callable
from datetime import datetime

from domain.orders.another_day import LONGEST_NOTE, Wish, is_open, may_ask, wish_of
from domain.orders.erasure import is_erased
from domain.orders.order import Order
from records.customer_links import CustomerLinks, OpenWish
from records.database import Database
from records.orders import Orders
from records.partners import Partner, Partners
from use_cases.link_mails import hash_of, new_secret
from use_cases.principal import Principal


class CustomerLinkUseCases:
    """Links of customers, and their wishes for another day. `clock` gives the instant."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._links = CustomerLinks(database)
        self._orders = Orders(database)
        self._partners = Partners(database)
        self._clock = clock

    @property
    def now(self) -> datetime:
        """The instant."""
        return self._clock()

    async def issue(self, sp_id: str) -> str:
        """The secret of a new link to an order."""
        secret = new_secret()
        await self._links.add(hash_of(secret), sp_id, self.now)
        return secret

    async def open(self, secret: str) -> Order | None:
        """The order behind a link; None if it does not work (any more)."""
        sp_id = await self._links.order_behind(hash_of(secret), self.now)
        stored = await self._orders.get(sp_id) if sp_id is not None else None
        return stored.order if stored is not None and not is_erased(stored.order) else None

    async def partner_of(self, order: Order) -> Partner | None:
        """The partner whom the customer may call: the one that has the order and sees it."""
        if order.transmitted_at is None:
            return None
        return await self._partners.get(order.partner.partner_id)

    async def ask(self, order: Order, note: str) -> bool:
        """Ask for another day. False if that is not possible (any more). Repeating it changes nothing."""
        now = self.now
        if not may_ask(order, now):
            return False
        await self._links.ask(wish_of(order, note.strip()[:LONGEST_NOTE], now), order, now)
        return True

    async def open_wish(self, order: Order) -> Wish | None:
        """The wish of an order's customer that still waits for its answer."""
        wish = await self._links.wish(order.sp_id)
        return wish if wish is not None and is_open(wish, order, self.now) else None

    async def open_wishes(self, principal: Principal) -> tuple[OpenWish, ...]:
        """The open wishes about the orders of the caller, a partner."""
        whose = principal.only_assigned_to
        return await self._links.open_of(principal.partner_id or "", self.now, whose)

    async def answered(self, order: Order) -> None:
        """Note that the partner has settled the wish with the customer. The caller may see the order."""
        await self._links.answered(order.sp_id, self.now)

    async def has_links(self, order: Order) -> bool:
        """Whether the customer of an order has links."""
        return await self._links.has_links(order.sp_id)

    async def revoke(self, order: Order) -> None:
        """End all links of an order's customer. The caller may see the order."""
        await self._links.revoke(order.sp_id)
