"""The virus scanner, asked over a real socket by clamd's protocol: found, clean, away, too large, silent."""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.settlements.invoicing import Problem
from invoices.scanner import ScannerAway, scan

# https://www.eicar.org: the test file that all scanners report, in two halves so that none reports this one.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + rb"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
MOST = 300_000


class Clamd:
    """Speaks INSTREAM as clamd does, and keeps what it was sent."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.silent = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        content = b""
        while (size := struct.unpack("!L", await reader.readexactly(4))[0]) and len(content) < MOST:
            content += await reader.readexactly(size)
        self.received.append(content)
        if len(content) >= MOST:
            answer = b"INSTREAM size limit exceeded. ERROR\0"
        elif EICAR in content:
            answer = b"stream: Win.Test.EICAR_HDB-1 FOUND\0"
        else:
            answer = b"stream: OK\0"
        writer.write(b"" if self.silent else answer)
        writer.close()


@pytest.fixture
def clamd() -> Clamd:
    return Clamd()


@pytest.fixture(params=["unix", "tcp"])
async def address(
    request: pytest.FixtureRequest, clamd: Clamd, tmp_path: Path
) -> AsyncIterator[str]:
    if request.param == "unix":
        path = tmp_path / "clamd.ctl"
        server, where = await asyncio.start_unix_server(clamd.serve, path), f"unix:{path}"
    else:
        server = await asyncio.start_server(clamd.serve, "127.0.0.1", 0)
        where = f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield where


async def test_a_clean_file_arrives_whole(clamd: Clamd, address: str) -> None:
    content = bytes(range(256)) * 1000
    assert await scan(content, address) is None
    assert clamd.received == [content]


async def test_what_it_finds_is_named(address: str) -> None:
    found = await scan(b"%PDF-1.7" + b"x" * 70_000 + EICAR, address)
    assert found == Problem(code="virus", detail="Win.Test.EICAR_HDB-1")


async def test_a_file_that_it_does_not_check_has_not_passed(address: str) -> None:
    with pytest.raises(ScannerAway):
        await scan(bytes(5_000_000), address)


async def test_no_answer_is_no_verdict(clamd: Clamd, address: str) -> None:
    clamd.silent = True
    with pytest.raises(ScannerAway, match="without an answer"):
        await scan(b"x", address)


@pytest.mark.parametrize("address", ["unix:/nowhere/clamd.ctl", "tcp:127.0.0.1:1"])
async def test_a_scanner_that_is_away(address: str) -> None:
    with pytest.raises(ScannerAway):
        await scan(b"x", address)


async def test_one_that_never_answers(tmp_path: Path) -> None:
    async def sleep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(sleep, tmp_path / "s"):
        with pytest.raises(ScannerAway, match="no answer"):
            await scan(b"x", f"unix:{tmp_path / 's'}", seconds=0.2)
