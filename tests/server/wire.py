"""A wire between a worker and Temporal that can hold back what the worker sends."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65536
_QUIET = 1.0
"""Seconds after which a worker has asked for its next tasks, and only waits for them."""


class Wire:
    """Passes bytes on, both ways. While `holding`, what comes from the worker is kept here and goes no further."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.address = ""
        self.holding = False
        self.held = bytearray()
        """What was held back, over all connections. Texts in it are readable: nothing is compressed on one machine."""
        self._last = time.monotonic()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has passed for a while."""
        return time.monotonic() - self._last > _QUIET

    async def passes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the worker."""
        to_reader, to_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, to_writer}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, to_writer, from_worker=True))
                both.create_task(self._pass(to_reader, writer, from_worker=False))
        finally:
            self._writers -= {writer, to_writer}

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_worker: bool
    ) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(_CHUNK):
                if self.holding and from_worker:
                    self.held += piece
                else:
                    self._last = time.monotonic()
                    writer.write(piece)
                    await writer.drain()
        writer.close()

    def cut(self) -> None:
        """Close all connections. What was held is lost."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def wire(target: str) -> AsyncIterator[Wire]:
    """A wire to this address, on a port of its own."""
    made = Wire(target)
    server = await asyncio.start_server(made.passes, "127.0.0.1", 0)
    made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        made.cut()
