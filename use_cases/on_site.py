"""The use cases of photos and execution protocols (docs/rules.md, "On site")."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from domain.errors import InvalidCommand
from domain.orders.access import allowed
from domain.orders.commands import ConfirmExecution, ExternalCommand
from domain.orders.messages import Side
from domain.orders.order import Order, Status
from domain.orders.photos import Photo, PhotoKind, can_see, why_not_added
from domain.orders.protocol import (
    Protocol,
    ProtocolRefusal,
    ProtocolVersion,
    check_protocol,
    checklist_of,
    counts,
    is_required,
    why_no_protocol,
)
from records.database import Database
from records.locked_orders import NotRecorded
from records.on_site import (
    KeptPhoto,
    KeptProtocol,
    NotKept,
    Photos,
    Protocols,
    RequestIdReused,
)
from temporal.calls import TemporalAway
from use_cases import access
from use_cases.account_ids import random_part
from use_cases.confined_work import ConfinedWork, protocol_data
from use_cases.order_errors import NotAllowed, RequestReused, UnknownOrder
from use_cases.principal import Principal


class NoSuchPhoto(Exception):
    """The order has no such photo that this caller sees."""


class NoProtocol(Exception):
    """The order has no such protocol that this caller sees."""


class OnSiteView(NamedTuple):
    """What a caller sees of an order's photos and protocols.

    Attributes:
        photos: the photos, the earliest first, without pictures of signatures.
        protocols: all versions, the latest first.
        signature: the latest picture of a signature that the partner added and no protocol names.
        fixed: the ids of photos that a protocol names, which cannot be deleted.
        refusal: the code of the refusal to add a photo now; None if one can be added.
        protocol_refusal: the code of the refusal to write a protocol.
        is_missing: whether the partner has to write a protocol before it confirms the execution.
        items: the items of the checklist.
    """

    photos: tuple[Photo, ...]
    protocols: tuple[KeptProtocol, ...]
    signature: Photo | None
    fixed: frozenset[str]
    refusal: ProtocolRefusal | None
    protocol_refusal: ProtocolRefusal | None
    is_missing: bool
    items: tuple[str, ...]


class OnSite:
    """Photos and protocols. An order that is passed is one that the caller was shown.

    Args:
        database: of the records.
        retailer: the name of the firm on a protocol.
        clamd: the address of the virus scanner, or None.
        contact: how long after the end of an order its partner sees what it recorded.
        clock: gives the instant.
    """

    def __init__(
        self,
        database: Database,
        retailer: str,
        clamd: str | None,
        contact: timedelta = access.CONTACT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._photos = Photos(database)
        self._protocols = Protocols(database)
        self._retailer = retailer
        self._work = ConfinedWork(clamd)
        self._contact = contact
        self._clock = clock

    @property
    def now(self) -> datetime:
        """The instant for which pages are shown."""
        return self._clock()

    # --- looking -------------------------------------------------------------------------------------------------

    async def view(self, principal: Principal, order: Order) -> OnSiteView:
        """What this caller sees of an order's photos and protocols. Raises `Forbidden`."""
        access.check(principal, "read_on_site")
        partner_id = access.own_partner(principal)
        photos: tuple[Photo, ...] = ()
        protocols: tuple[KeptProtocol, ...] = ()
        if access.sees_on_site(principal, order, self._clock(), self._contact):
            photos = await self._photos.of(order.sp_id, partner_id)
            protocols = await self._protocols.of(order.sp_id, partner_id)
        holder = order.partner.partner_id
        fixed = frozenset(
            named.photo_id for each in protocols for named in each.version.protocol.pictures
        )
        signatures = [
            each
            for each in photos
            if (each.kind, each.partner_id) == ("signature", holder) and each.photo_id not in fixed
        ]
        return OnSiteView(
            tuple(each for each in photos if each.kind == "photo"),
            protocols,
            signatures[-1] if signatures else None,
            fixed,
            why_not_added(order),
            why_no_protocol(order),
            is_required(order)
            and order.status is Status.CONFIRM_EXECUTION
            and not any(counts(order, each.version) for each in protocols),
            checklist_of(order),
        )

    async def picture(
        self, principal: Principal, order: Order, photo_id: str, *, small: bool = False
    ) -> tuple[Photo, bytes]:
        """A picture of an order with its JPEG.

        Raises:
            Forbidden: not for this role.
            NoSuchPhoto: there is none that this caller sees.
        """
        access.check(principal, "read_on_site")
        found = None
        if access.sees_on_site(principal, order, self._clock(), self._contact):
            found = await self._photos.content(order.sp_id, photo_id, small=small)
        if found is None or not can_see(found[0], _side(principal), principal.partner_id):
            raise NoSuchPhoto(photo_id)
        return found

    async def pdf(
        self, principal: Principal, order: Order, version: int | None = None
    ) -> tuple[KeptProtocol, bytes]:
        """The PDF of a protocol, by default of the latest one. It is made once and then stored.

        Raises:
            Forbidden: not for this role.
            NoProtocol: there is none that this caller sees.
            NotNow: it was not made. The call may be repeated.
        """
        seen = (await self.view(principal, order)).protocols
        holder = order.partner.partner_id
        own = [each for each in seen if each.version.partner_id == holder] or list(seen)
        wanted = next((each for each in own if version in (None, each.version.version)), None)
        if wanted is None:
            raise NoProtocol(order.sp_id)
        return wanted, await self._pdf(order, wanted)

    async def pdf_by_checksum(
        self, principal: Principal, order: Order, sha256: str
    ) -> tuple[KeptProtocol, bytes]:
        """The PDF of the protocol with this SHA-256, which may be a former partner's. Raises as `pdf`."""
        for each in (await self.view(principal, order)).protocols:
            if each.sha256 == sha256:
                return each, await self._pdf(order, each)
        raise NoProtocol(order.sp_id)

    async def for_customer(self, order: Order) -> KeptProtocol | None:
        """The protocol that the customer of an order may see: the latest of its partner. None if there is none."""
        if not order.policy.protocol.for_customer:
            return None
        found = await self._protocols.of(order.sp_id, order.partner.partner_id)
        return found[0] if found else None

    async def customers_pdf(self, order: Order) -> tuple[KeptProtocol, bytes]:
        """The PDF of that protocol, for whoever has the customer's link. Raises `NoProtocol`, `NotNow`."""
        kept = await self.for_customer(order)
        if kept is None:
            raise NoProtocol(order.sp_id)
        return kept, await self._pdf(order, kept)

    async def _pdf(self, order: Order, kept: KeptProtocol) -> bytes:
        made = await self._protocols.pdf(kept.version)
        if made is not None:
            return made
        pictures = {}
        for named in kept.version.protocol.pictures:
            found = await self._photos.content(order.sp_id, named.photo_id, small=True)
            if found is not None:
                pictures[named.photo_id] = found[1]
        made = await self._work.protocol(
            protocol_data(order, kept.version, self._retailer, pictures)
        )
        return await self._protocols.keep_pdf(kept.version, made)

    # --- adding --------------------------------------------------------------------------------------------------

    async def add_photo(
        self, principal: Principal, order: Order, content: bytes, kind: PhotoKind = "photo"
    ) -> KeptPhoto:
        """Store a picture as a new JPEG without metadata. The same picture is stored only once.

        Raises:
            Forbidden: not for this role.
            UnknownOrder: the partner lost the order meanwhile.
            NotAllowed: nobody has the order, it is cancelled or ended long ago, or the customer's data are erased.
            InvalidCommand: it is no picture that can be read, is too large, or is one too many.
            TemporalAway: the order is not recorded yet. The call may be repeated.
            NotNow: it was not read. The call may be repeated.
        """
        access.check(principal, "write_on_site")
        self._check_possible(principal, order, "add_photo", why_not_added(order))
        partner_id = order.partner.partner_id
        picture = await self._work.picture(content, partner_id)
        photo = Photo(
            photo_id=f"photo_{random_part(None)}",
            sp_id=order.sp_id,
            partner_id=partner_id,
            kind=kind,
            sha256=picture.sha256,
            width=picture.width,
            height=picture.height,
            size=len(picture.content),
            at=self._clock(),
            side=_side(principal),
            login_id=principal.login_id,
            author=principal.name,
        )
        with self._translating(principal, order, "add_photo"):
            return await self._photos.add(photo, picture)

    async def delete_photo(self, principal: Principal, order: Order, photo_id: str) -> None:
        """Delete a photo that no protocol names. Repeating it changes nothing.

        Raises:
            Forbidden, UnknownOrder, NotAllowed, TemporalAway: as `add_photo`; `in_protocol`: a protocol names it.
        """
        access.check(principal, "write_on_site")
        self._check_possible(principal, order, "delete_photo", why_not_added(order))
        with self._translating(principal, order, "delete_photo"):
            await self._photos.delete(order.sp_id, order.partner.partner_id, photo_id)

    async def write_protocol(
        self,
        principal: Principal,
        order: Order,
        protocol: Protocol,
        *,
        request_id: str,
        signature_photo: str | None = None,
    ) -> KeptProtocol:
        """Store a protocol, with the photos that the order has. Idempotent for a request id.

        `signature_photo`: the id of the picture of a signature on paper.

        Raises:
            Forbidden, UnknownOrder, NotAllowed, TemporalAway: as `add_photo`; `not_yet`: the work cannot be done yet.
            InvalidCommand: a value is invalid.
            RequestReused: the request id was used for another protocol.
        """
        access.check(principal, "write_on_site")
        self._check_possible(principal, order, "write_protocol", why_no_protocol(order))
        check_protocol(order, protocol, self._clock(), has_picture=signature_photo is not None)
        version = ProtocolVersion(
            sp_id=order.sp_id,
            version=0,
            partner_id=order.partner.partner_id,
            partner_name=order.partner.name,
            at=self._clock(),
            side=_side(principal),
            login_id=principal.login_id,
            author=principal.name,
            protocol=protocol,
        )
        with self._translating(principal, order, "write_protocol"):
            return await self._protocols.add(version, request_id, signature_photo)

    async def check_command(
        self, principal: Principal, order: Order, command: ExternalCommand
    ) -> None:
        """Check a command before the order gets it: a partner may need a protocol to confirm the execution.

        Operations need none. If the order refuses the command anyway, its own refusal is the answer.

        Raises:
            InvalidCommand: the protocol is missing.
        """
        if principal.role != "partner" or not isinstance(command, ConfirmExecution):
            return
        if order.status is not Status.CONFIRM_EXECUTION or not is_required(order):
            return
        written = await self._protocols.of(order.sp_id, order.partner.partner_id)
        if not any(counts(order, each.version) for each in written):
            raise InvalidCommand("protocol", "protocol_required")

    # --- helpers -------------------------------------------------------------------------------------------------

    @contextmanager
    def _translating(self, principal: Principal, order: Order, action: str) -> Iterator[None]:
        try:
            yield
        except NotKept as refused:
            raise self._refused(principal, order, action, refused.code) from refused
        except RequestIdReused as error:
            raise RequestReused(order.sp_id) from error
        except NotRecorded as error:
            raise TemporalAway("the order is not recorded yet") from error

    def _check_possible(
        self, principal: Principal, order: Order, action: str, code: ProtocolRefusal | None
    ) -> None:
        if not access.sees_on_site(principal, order, self._clock(), self._contact):
            code = code or "ended_long_ago"
        if code is not None:
            raise self._refused(principal, order, action, code)

    def _refused(
        self, principal: Principal, order: Order, action: str, code: ProtocolRefusal
    ) -> Exception:
        if principal.role == "partner" and code in ("nobody_has_it", "another_has_it"):
            return UnknownOrder(order.sp_id)
        may = allowed(order, _side(principal), self._clock())
        return NotAllowed(action, code, order.status, may)


def _side(principal: Principal) -> Side:
    return "partner" if principal.role == "partner" else "operations"
