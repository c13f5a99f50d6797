"""A line to the site that can break: before a request arrives, or after the server has received it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

State = Literal["up", "down", "deaf"]


class Line:
    """The line. `down`: nothing gets through. `deaf`: requests get through, and no answer comes back."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._open: set[asyncio.StreamWriter] = set()
        self._state: State = "up"
        self.address = ""

    def turn(self, state: State) -> None:
        """Change the state. What is open breaks off, unless the line is up."""
        self._state = state
        if state == "down":
            for writer in list(self._open):
                writer.transport.abort()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle a connection of the browser."""
        self._open.add(writer)
        try:
            if self._state == "down":
                return
            there, here = await asyncio.open_connection(*self._target)
            self._open.add(here)
            try:
                await asyncio.gather(
                    self._pump(reader, here, False), self._pump(there, writer, True)
                )
            finally:
                self._open.discard(here)
                here.transport.abort()
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool
    ) -> None:
        with suppress(ConnectionError):
            while part := await reader.read(65_536):
                if self._state == "down" or (is_answer and self._state == "deaf"):
                    break
                writer.write(part)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def line_to(target: str) -> AsyncIterator[Line]:
    """A line to this address, which is up at first."""
    line = Line(target)
    server = await asyncio.start_server(line.connected, "127.0.0.1", 0)
    line.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield line
    finally:
        server.close()
        line.turn("down")
