"""A ZIP file that is made while it is sent, so that only one of its files is in memory at a time."""

import asyncio
import io
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

MEDIA_TYPE = "application/zip"


class Entry(NamedTuple):
    """A file in a ZIP file. `at`: its local time. `is_compressed`: it would not get smaller, such as a PDF."""

    name: str
    content: bytes
    at: datetime
    is_compressed: bool = False


class _Outlet(io.RawIOBase):
    """Takes what is written, and gives it away once. It cannot seek, so that the ZIP file needs no correction."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = bytes(self._written)
        self._written.clear()
        return taken


async def zip_file(entries: AsyncIterable[Entry]) -> AsyncIterator[bytes]:
    """The bytes of a ZIP file with these entries, in parts. If an entry fails, the file has no end and is invalid."""
    outlet = _Outlet()
    with ZipFile(outlet, "w") as archive:
        async for entry in entries:
            await asyncio.to_thread(_add, archive, entry)
            yield outlet.take()
    yield outlet.take()


def _add(archive: ZipFile, entry: Entry) -> None:
    info = ZipInfo(entry.name, entry.at.timetuple()[:6])
    info.external_attr = 0o644 << 16
    info.compress_type = ZIP_STORED if entry.is_compressed else ZIP_DEFLATED
    archive.writestr(info, entry.content)
