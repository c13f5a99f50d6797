"""Reads pictures and makes protocols in confined processes, a few at once."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from documents.confined import ConfinedError
from documents.picture import new_picture
from documents.protocol import ProtocolData, protocol_confined
from domain.errors import InvalidCommand
from domain.orders.order import Order
from domain.orders.photos import Picture
from domain.orders.protocol import ProtocolVersion
from invoices.scanner import ScannerAway, scan
from words.dates import format_instant, format_period

logger = logging.getLogger("cmi.on_site")

AT_ONCE = 2
"""How many pictures or protocols one process makes at once, each for another partner. Each takes a processor core."""
TURN_SECONDS = 20.0
"""How long a caller waits for its turn, for its own partner's other files and for other partners together."""


class NotNow(Exception):
    """A picture cannot be read, or a PDF cannot be made, at the moment. The call may be repeated."""


class ConfinedWork:
    """Runs the confined processes for pictures and protocols. `clamd`: the address of the virus scanner, or None.

    Each partner gets one turn at a time, so a partner with many slow or broken files does not keep the others waiting.
    """

    def __init__(self, clamd: str | None) -> None:
        self._clamd = clamd
        self._turns = asyncio.Semaphore(AT_ONCE)
        # A partner's lock is removed once nobody holds it or waits for it.
        self._of_partner: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def picture(self, content: bytes, partner_id: str) -> Picture:
        """The picture in a file that somebody sent, as a new JPEG without metadata.

        `partner_id`: the partner that has the order of the picture.

        Raises:
            InvalidCommand: it is no picture that can be read, or is too large.
            NotNow: it was not read.
        """
        async with self._turn(partner_id):
            if self._clamd is not None and await scan(content, self._clamd) is not None:
                raise InvalidCommand("photo", "photo_has_virus")
            return await new_picture(content)

    async def protocol(self, data: ProtocolData) -> bytes:
        """The PDF of a protocol. Raises `NotNow`."""
        async with self._turn(data.version.partner_id):
            return await protocol_confined(data)

    @asynccontextmanager
    async def _turn(self, partner_id: str) -> AsyncIterator[None]:
        of_partner = self._of_partner.setdefault(partner_id, asyncio.Lock())
        async with AsyncExitStack() as taken:
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await taken.enter_async_context(of_partner)
                    await taken.enter_async_context(self._turns)
            except TimeoutError:
                raise NotNow("too many are waiting") from None
            try:
                yield
            except (ConfinedError, ScannerAway) as error:
                logger.warning("a picture or protocol was not made: %s", error)
                raise NotNow(type(error).__name__) from None


def protocol_data(
    order: Order, version: ProtocolVersion, retailer: str, pictures: Mapping[str, bytes]
) -> ProtocolData:
    """The data for the PDF of a protocol. `pictures`: the small JPEG of each picture that it names, by its id."""
    placement, protocol = order.intake.placement, version.protocol
    customer, local = placement.customer, order.calendar.local
    return ProtocolData(
        version=version,
        retailer=retailer,
        sales_order_id=placement.sales_order_id,
        customer_name=customer.name,
        street=customer.street,
        place=f"{customer.postal_code} {customer.city}",
        service=placement.service.name,
        product=f"{placement.product.quantity} × {placement.product.name}",
        worked=format_period(local(protocol.begun), local(protocol.ended), customer.language),
        written=format_instant(local(version.at), customer.language),
        created=local(version.at).date(),
        language=customer.language,
        pictures={name: base64.b64encode(jpeg).decode() for name, jpeg in pictures.items()},
    )
