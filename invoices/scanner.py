"""Has an uploaded file checked for viruses by ClamAV's daemon, through its socket (clamd(8), the command INSTREAM)."""

import asyncio
import re
import struct
from contextlib import suppress

from domain.settlements.invoicing import Problem

_CHUNK = 64 << 10
_LONGEST_ANSWER = 4096
SECONDS = 60.0
"""How long the daemon may take for a file."""


class ScannerAway(Exception):
    """The daemon cannot be reached, or did not check the file. Its text contains nothing of the file."""


async def scan(content: bytes, address: str, seconds: float = SECONDS) -> Problem | None:
    """The problem `virus` with the name of what the scanner finds in a file; None if it finds nothing.

    `address`: `unix:/path` or `tcp:host:port`, as `CMI_CLAMD` has it.

    Raises:
        ScannerAway: there is no verdict. The caller tries again; the file has not passed.
    """
    try:
        async with asyncio.timeout(seconds):
            answer = await _asked(content, address)
    except TimeoutError:
        raise ScannerAway(f"no answer in {seconds:g} seconds") from None
    except (OSError, asyncio.LimitOverrunError) as error:
        raise ScannerAway(f"{type(error).__name__}: {error}") from None
    if answer == "stream: OK":
        return None
    found = re.fullmatch(r"stream: (.+) FOUND", answer)
    if found is None:  # for example that the file is larger than its StreamMaxLength
        raise ScannerAway(f"it answered {answer[:100]!r}")
    return Problem(code="virus", detail=found[1][:100])


async def _asked(content: bytes, address: str) -> str:
    kind, _, where = address.partition(":")
    if kind == "unix":
        reader, writer = await asyncio.open_unix_connection(where, limit=_LONGEST_ANSWER)
    else:
        host, _, port = where.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        reader, writer = await asyncio.open_connection(host, int(port), limit=_LONGEST_ANSWER)
    try:
        # It may answer and close before it has everything, if the file is too large for it.
        with suppress(ConnectionResetError, BrokenPipeError):
            writer.write(b"zINSTREAM\0")
            for at in range(0, len(content), _CHUNK):
                chunk = content[at : at + _CHUNK]
                writer.write(struct.pack("!L", len(chunk)) + chunk)
                await writer.drain()
            writer.write(struct.pack("!L", 0))
            await writer.drain()
        answer = await reader.readuntil(b"\0")
    except asyncio.IncompleteReadError:
        raise ScannerAway("it closed the connection without an answer") from None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return answer.rstrip(b"\0").decode(errors="replace").strip()
