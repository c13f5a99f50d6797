"""Photos and execution protocols of orders. They are deleted with the customer's data."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from domain.errors import InvalidCommand
from domain.orders.photos import DAY, Photo, PhotoRefusal, Picture, check_photo_limits
from domain.orders.protocol import MOST_VERSIONS, NamedPhoto, ProtocolVersion
from records.database import Database, storable
from records.erased_rows import is_recorded_as_erased
from records.locked_orders import lock_order
from records.tables import execution_protocols, order_photos

_COLUMNS = [order_photos.c[name] for name in Photo._fields]


class NotKept(Exception):
    """A photo or protocol was not added or deleted: `code` says why."""

    def __init__(self, code: PhotoRefusal) -> None:
        self.code: PhotoRefusal = code
        super().__init__(code)


class RequestIdReused(Exception):
    """There is another protocol with this request id."""


class KeptPhoto(NamedTuple):
    """A stored photo, and whether it is new."""

    photo: Photo
    is_new: bool


class KeptProtocol(NamedTuple):
    """A version of a protocol that is stored, with the SHA-256 of it."""

    version: ProtocolVersion
    sha256: str


class Photos:
    """The photos of all orders, and the pictures of signatures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: Photo, picture: Picture) -> KeptPhoto:
        """Store a picture. A picture with the same content is stored only once.

        Raises:
            NotRecorded: the order is not in the records.
            NotKept: the customer's data are erased, or another partner or none has the order.
            InvalidCommand: there are too many.
        """

        def add(connection: Connection) -> KeptPhoto:
            _check_holder(connection, new.sp_id, new.partner_id)
            mine = (*_added_to(new.sp_id, new.partner_id), order_photos.c.kind == new.kind)
            same = select(*_COLUMNS).where(*mine, order_photos.c.sha256 == picture.sha256)
            known = connection.execute(same).one_or_none()
            if known is not None:
                return KeptPhoto(_photo(known), False)
            kept = connection.execute(select(func.count()).where(*mine)).scalar_one()
            recent = select(func.count()).where(
                order_photos.c.partner_id == new.partner_id, order_photos.c.at > new.at - DAY
            )
            check_photo_limits(kept, connection.execute(recent).scalar_one())
            row = new._asdict() | {"content": picture.content, "small": picture.small}
            connection.execute(insert(order_photos).values(**row))
            return KeptPhoto(new, True)

        return await self._database.write(add)

    async def of(self, sp_id: str, partner_id: str | None) -> tuple[Photo, ...]:
        """The pictures of an order that were added while a partner had it (None: any), the earliest first."""
        found = _listed(sp_id, partner_id)
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(map(_photo, rows))

    async def content(
        self, sp_id: str, photo_id: str, *, small: bool = False
    ) -> tuple[Photo, bytes] | None:
        """A picture of an order with its JPEG; None if there is none."""
        if not storable(photo_id):
            return None
        content = order_photos.c.small if small else order_photos.c.content
        found = select(*_COLUMNS, content.label("jpeg")).where(
            order_photos.c.photo_id == photo_id, order_photos.c.sp_id == sp_id
        )
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        return None if row is None else (_photo(row), row.jpeg)

    async def delete(self, sp_id: str, partner_id: str, photo_id: str) -> bool:
        """Delete a picture. False if there is none.

        Raises:
            NotRecorded: as `add`.
            NotKept: as `add`, or a protocol names it.
        """

        def delete_it(connection: Connection) -> bool:
            _check_holder(connection, sp_id, partner_id)
            found = select(execution_protocols.c.document).where(
                execution_protocols.c.sp_id == sp_id
            )
            for document in connection.execute(found).scalars():
                protocol = ProtocolVersion.model_validate_json(document).protocol
                if photo_id in {each.photo_id for each in protocol.pictures}:
                    raise NotKept("in_protocol")
            which = (*_added_to(sp_id, partner_id), order_photos.c.photo_id == photo_id)
            return connection.execute(delete(order_photos).where(*which)).rowcount > 0

        return storable(photo_id) and await self._database.write(delete_it)


class Protocols:
    """The execution protocols of all orders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, new: ProtocolVersion, request_id: str, signature_photo: str | None
    ) -> KeptProtocol:
        """Store a protocol with the photos that the order has now, as the next version of its partner.

        `new.version` and `new.protocol.photos` are ignored. `signature_photo`: the id of the picture of the signature.
        The same request id again changes nothing.

        Raises:
            NotRecorded, NotKept: as `Photos.add`.
            RequestIdReused: the request id was used for another protocol.
            InvalidCommand: there is no such picture of a signature, or there are too many versions.
        """

        def add(connection: Connection) -> KeptProtocol:
            _check_holder(connection, new.sp_id, new.partner_id)
            same = _protocols(new.sp_id).where(execution_protocols.c.request_id == request_id)
            known = connection.execute(same).one_or_none()
            if known is not None:
                return _same(_kept(known), new, signature_photo)
            pictures = tuple(map(_photo, connection.execute(_listed(new.sp_id, new.partner_id))))
            signature = next(
                (p for p in pictures if p.kind == "signature" and p.photo_id == signature_photo),
                None,
            )
            if signature_photo is not None and signature is None:
                raise InvalidCommand("signature_photo", "unknown_photo")
            last = select(func.max(execution_protocols.c.version)).where(
                execution_protocols.c.sp_id == new.sp_id,
                execution_protocols.c.partner_id == new.partner_id,
            )
            number = (connection.execute(last).scalar_one() or 0) + 1
            if number > MOST_VERSIONS:
                raise InvalidCommand("checklist", "too_many_versions")
            photos = tuple(_named(each) for each in pictures if each.kind == "photo")
            protocol = new.protocol.replace(
                photos=photos, signature_photo=_named(signature) if signature else None
            )
            version = new.replace(version=number, protocol=protocol)
            connection.execute(
                insert(execution_protocols).values(
                    sp_id=version.sp_id,
                    partner_id=version.partner_id,
                    version=number,
                    at=version.at,
                    login_id=version.login_id,
                    request_id=request_id,
                    document=version.model_dump_json(),
                    sha256=version.sha256,
                )
            )
            return KeptProtocol(version, version.sha256)

        return await self._database.write(add)

    async def of(self, sp_id: str, partner_id: str | None) -> tuple[KeptProtocol, ...]:
        """All versions of an order that were written while a partner had it (None: any), the latest first."""
        found = _protocols(sp_id)
        if partner_id is not None:
            found = found.where(execution_protocols.c.partner_id == partner_id)
        found = found.order_by(
            execution_protocols.c.at.desc(), execution_protocols.c.version.desc()
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(map(_kept, rows))

    async def pdf(self, version: ProtocolVersion) -> bytes | None:
        """The PDF of a version; None if it was not made yet."""
        found = select(execution_protocols.c.pdf).where(*_this(version))
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        return None if row is None else row.pdf

    async def keep_pdf(self, version: ProtocolVersion, pdf: bytes) -> bytes:
        """Store the PDF of a version, and return the one that is stored: the first one that was made."""

        def keep(connection: Connection) -> bytes:
            empty = (*_this(version), execution_protocols.c.pdf.is_(None))
            connection.execute(update(execution_protocols).where(*empty).values(pdf=pdf))
            found = select(execution_protocols.c.pdf).where(*_this(version))
            return connection.execute(found).scalar_one_or_none() or pdf

        return await self._database.write(keep)


def _check_holder(connection: Connection, sp_id: str, partner_id: str) -> None:
    """Check that this partner has the order now. Other writers wait until the transaction ends."""
    holder = lock_order(connection, sp_id)
    if is_recorded_as_erased(connection, sp_id):
        raise NotKept("erased")
    if holder is None:
        raise NotKept("nobody_has_it")
    if holder != partner_id:
        raise NotKept("another_has_it")


def _added_to(sp_id: str, partner_id: str) -> tuple[Any, ...]:
    return (order_photos.c.sp_id == sp_id, order_photos.c.partner_id == partner_id)


def _listed(sp_id: str, partner_id: str | None) -> Select[Any]:
    found = select(*_COLUMNS).where(order_photos.c.sp_id == sp_id)
    if partner_id is not None:
        found = found.where(order_photos.c.partner_id == partner_id)
    return found.order_by(order_photos.c.at, order_photos.c.photo_id)


def _protocols(sp_id: str) -> Select[Any]:
    columns = execution_protocols.c
    return select(columns.document, columns.sha256).where(columns.sp_id == sp_id)


def _this(version: ProtocolVersion) -> tuple[Any, ...]:
    columns = execution_protocols.c
    return (
        columns.sp_id == version.sp_id,
        columns.partner_id == version.partner_id,
        columns.version == version.version,
    )


def _same(known: KeptProtocol, new: ProtocolVersion, signature_photo: str | None) -> KeptProtocol:
    before = known.version.protocol
    picture = before.signature_photo.photo_id if before.signature_photo else None
    again = new.protocol.replace(photos=before.photos, signature_photo=before.signature_photo)
    if (known.version.login_id, picture, before) != (new.login_id, signature_photo, again):
        raise RequestIdReused(new.sp_id)
    return known


def _kept(row: Any) -> KeptProtocol:
    return KeptProtocol(ProtocolVersion.model_validate_json(row.document), row.sha256)


def _named(photo: Photo) -> NamedPhoto:
    return NamedPhoto(photo_id=photo.photo_id, sha256=photo.sha256)


def _photo(row: Any) -> Photo:
    values = row._mapping
    return Photo(*(values[name] for name in Photo._fields))
