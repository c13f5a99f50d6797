"""An SMTP server that stores every mail as a file: for `dev.py`, the demonstration and tests."""

import asyncio
import errno
import logging
import time
from pathlib import Path
from typing import Any, Self
from uuid import uuid4
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from files.atomic import write_atomically

logger = logging.getLogger("cmi.smtp_inbox")

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SmtpInbox:
    """Accepts any mail and writes it to `directory` as an `*.eml` file, byte for byte, before it answers 250.

    Sorted by name, the files are in the order of arrival, also across restarts. No file is overwritten. With port 0
    the system chooses one; `port` is the port in use once the server runs.
    """

    def __init__(self, directory: Path, port: int, host: str = "127.0.0.1") -> None:
        self.directory = directory
        self.host = host
        self.port = port
        self._last = 0
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()

    async def start(self) -> None:
        """Start to listen, on the running event loop.

        Raises:
            OSError: the port is taken.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop. Open connections are closed; mails that were answered with 250 are stored."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for session in self._sessions:
            if isinstance(session.transport, asyncio.Transport):
                session.transport.abort()
        await asyncio.sleep(0)  # the sockets close in this iteration of the loop

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd with each complete mail. Returns the answer to the sender."""
        # The names must stay in order, even for two mails in one clock tick or after the clock was set back.
        self._last = max(time.time_ns(), self._last + 1)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._last // 10**9))
        path = self.directory / f"{stamp}.{self._last % 10**9:09d}Z-{uuid4().hex[:8]}.eml"
        content: Any = envelope.content
        try:
            await asyncio.to_thread(write_atomically, path, content)
        except OSError as error:
            # 4xx, so that the sender retries. aiosmtpd would answer 500, which is permanent.
            logger.warning("a mail was not kept: %s", error.strerror)
            if error.errno in _NO_ROOM:
                return "452 4.3.1 Insufficient system storage"
            return "451 4.3.0 Local error in processing"
        return "250 OK"

    def _session(self) -> SMTP:
        loop = asyncio.get_running_loop()
        session = SMTP(self, hostname="cmi-inbox", enable_SMTPUTF8=True, loop=loop)
        self._sessions.add(session)
        return session
