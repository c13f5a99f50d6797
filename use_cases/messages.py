"""The use cases of messages about orders and of internal notes (docs/rules.md, "Messages")."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.cantons import pin_calendar
from domain.errors import InvalidCommand
from domain.orders.access import allowed
from domain.orders.messages import (
    Message,
    Refusal,
    Side,
    answer_due,
    can_read,
    is_unread,
    next_due,
    why_not_written,
)
from domain.orders.order import Order
from domain.policies import Policies, UnknownPolicy
from domain.policy import Policy
from records.locked_orders import NotRecorded
from records.messages import (
    IdReused,
    Messages,
    NotWritten,
    UnreadOrder,
    WaitingOrders,
)
from records.partners import Partners
from temporal.calls import TemporalAway
from use_cases import access
from use_cases.account_ids import random_part
from use_cases.order_errors import NotAllowed, RequestReused, UnknownOrder
from use_cases.principal import Principal
from use_cases.security_events import looked_at

_ACTION = "write_message"
_MOST_NEWS = 20
_MOST_WAITING = 200


class ShownMessage(NamedTuple):
    """A message as somebody sees it, and whether it is shown for the first time."""

    message: Message
    is_unread: bool


class ShownThread(NamedTuple):
    """The messages of an order that a caller sees, in their order.

    Attributes:
        due: until when operations are to answer the partner; None if nothing waits.
        refusal: the code of the refusal to write a message now; None if one can be written.
        note_refusal: the code of the refusal to write a note.
    """

    items: tuple[ShownMessage, ...]
    due: datetime | None
    refusal: Refusal | None
    note_refusal: Refusal | None

    @property
    def unread(self) -> int:
        """How many of them are shown for the first time."""
        return sum(each.is_unread for each in self.items)


class MessageUseCases:
    """Writes and shows messages. An order that is passed is one that the caller was shown. `clock`: the instant."""

    def __init__(
        self,
        messages: Messages,
        partners: Partners,
        policies: Policies,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._messages = messages
        self._partners = partners
        self._policies = policies
        self._clock = clock

    async def thread(self, principal: Principal, order: Order) -> ShownThread:
        """The messages of an order that this caller sees. They count as read from now on. Raises `Forbidden`."""
        access.check(principal, "read_messages")
        side, login_id, now = _side(principal), principal.login_id, self._clock()
        partner_id = access.own_partner(principal)
        found = await self._messages.thread(order.sp_id, login_id, partner_id)
        seen = tuple(each for each in found.messages if can_read(each, side, partner_id))
        if seen and seen[-1].seq > found.read:
            await self._messages.mark_read(login_id, order.sp_id, seen[-1].seq)
        own = [each for each in seen if each.partner_id == order.partner.partner_id]
        return ShownThread(
            tuple(
                ShownMessage(each, is_unread(each, side, login_id, found.read, now))
                for each in seen
            ),
            next_due(own),
            why_not_written(order, internal=False),
            why_not_written(order, internal=True),
        )

    async def write(
        self,
        principal: Principal,
        order: Order,
        text: str,
        *,
        request_id: str,
        internal: bool = False,
        to: str | None = None,
    ) -> Message:
        """Write to the other side, or (operations) an internal note. Idempotent for a request id.

        `to`: the partner that operations write to, as far as they know; another one does not get the message.

        Raises:
            Forbidden: not for this role.
            UnknownOrder: the partner lost the order meanwhile.
            NotAllowed: nobody has the order, or another partner than `to`, or the customer's data are erased.
            InvalidCommand: a value is invalid, or there are too many messages.
            RequestReused: the request id was used for something else.
            TemporalAway: the order is not recorded yet. The call may be repeated.
        """
        access.check(principal, _ACTION)
        side, now = _side(principal), self._clock()
        partner_id = order.partner.partner_id
        if side == "partner":
            if internal:
                raise InvalidCommand("internal", "only_operations")
            if to not in (None, partner_id):
                raise InvalidCommand("partner_id", "unknown_partner")
        code = why_not_written(order, internal=internal)
        if code is None and not internal and to not in (None, partner_id):
            code = "other_partner"
        if code is not None:
            raise self._refused(principal, order, code)
        new = Message(
            message_id=f"msg_{random_part(f'{order.sp_id}/{request_id}')}",
            sp_id=order.sp_id,
            seq=0,
            partner_id=partner_id,
            side=side,
            internal=internal,
            login_id=principal.login_id,
            author=principal.name,
            text=text,
            at=now,
            due=await self._due(order, now) if side == "partner" else None,
        )
        try:
            return await self._messages.add(new)
        except NotWritten as refused:
            raise self._refused(principal, order, refused.code) from refused
        except IdReused as reused:
            raise RequestReused(request_id) from reused
        except NotRecorded as error:
            raise TemporalAway("the order is not recorded yet") from error

    async def close(self, principal: Principal, order: Order, message_id: str) -> None:
        """Mark a partner's message, and its earlier ones, as needing no answer. Repeating it changes nothing.

        Raises:
            Forbidden: not for this role.
            InvalidCommand: there is no such message of a partner about this order.
        """
        access.check(principal, "close_message")
        if not await self._messages.close(order.sp_id, message_id, self._clock()):
            raise InvalidCommand("message_id", "unknown_message")

    async def unread(
        self, principal: Principal, sp_ids: Collection[str]
    ) -> Mapping[str, int | None]:
        """How many messages of each of these orders this caller has yet to read; None for roles that see none."""
        if principal.role not in access.MAY["read_messages"]:
            return dict.fromkeys(sp_ids)
        partner_id = access.own_partner(principal)
        found = await self._messages.unread(
            _side(principal), principal.login_id, partner_id, self._clock(), sp_ids
        )
        return {sp_id: found.get(sp_id, 0) for sp_id in sp_ids}

    async def news(self, principal: Principal) -> tuple[UnreadOrder, ...]:
        """The orders of this caller's partner with messages that the caller has yet to read. Raises `Forbidden`."""
        access.check(principal, "read_messages")
        partner_id = access.own_partner(principal)
        if partner_id is None:
            return ()
        now = self._clock()
        return await self._messages.unread_orders(
            principal.login_id, partner_id, now, _MOST_NEWS, principal.only_assigned_to
        )

    async def shown_news(self, principal: Principal) -> tuple[UnreadOrder, ...]:
        """As `news`, but recorded as a look, because the customers' names are shown with it. Raises `Forbidden`."""
        found = await self.news(principal)
        looked_at(principal, (each.placement.sp_id for each in found))
        return found

    async def waiting(self, principal: Principal, limit: int = _MOST_WAITING) -> WaitingOrders:
        """The orders whose partner waits for an answer, the most urgent first. Raises `Forbidden`."""
        access.check(principal, "close_message")
        found = await self._messages.waiting(limit)
        looked_at(principal, (each.placement.sp_id for each in found.items))
        return found

    async def overdue_answers(
        self, principal: Principal, sp_ids: Collection[str]
    ) -> frozenset[str]:
        """Those of these orders whose answer by operations is overdue; none for roles that cannot close messages."""
        if principal.role not in access.MAY["close_message"]:
            return frozenset()
        return await self._messages.overdue_answers(sp_ids, self._clock())

    async def _due(self, order: Order, now: datetime) -> datetime | None:
        policy = await self._policy(order)
        today = now.astimezone(ZoneInfo(policy.office.timezone)).date()
        calendar = pin_calendar(order.calendar.canton, policy, today)
        return answer_due(calendar, policy.messages.answer, now)

    async def _policy(self, order: Order) -> Policy:
        """The partner's policy today; if that is missing, the policy pinned into the order."""
        partner = await self._partners.get(order.partner.partner_id)
        try:
            return self._policies.of(partner.policy if partner else None)
        except UnknownPolicy:
            return order.policy

    def _refused(self, principal: Principal, order: Order, code: Refusal) -> Exception:
        if principal.role == "partner" and code != "erased":
            return UnknownOrder(order.sp_id)
        may = allowed(order, _side(principal), self._clock())
        return NotAllowed(_ACTION, code, order.status, may)


def _side(principal: Principal) -> Side:
    return "partner" if principal.role == "partner" else "operations"
