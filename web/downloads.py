"""Downloads: files that are made while they are sent, and the headers of pictures and protocols."""

import re
from collections.abc import AsyncIterator

from fastapi import Response
from fastapi.responses import StreamingResponse

from domain.orders.protocol import ProtocolVersion

_FOREIGN_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
PICTURE_HEADERS = {**_FOREIGN_HEADERS, "Cache-Control": "private, no-store"}
"""The headers of a picture. A browser that opens it as a page runs nothing in it."""


def pdf_headers(version: ProtocolVersion) -> dict[str, str]:
    """The headers of a protocol's PDF, which is saved as a file."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{version.sp_id}-protocol-{version.version}")
    return {
        **PICTURE_HEADERS,
        "Content-Disposition": f'attachment; filename="{name}.pdf"',
    }


async def streamed(parts: AsyncIterator[bytes], name: str, media_type: str) -> Response:
    """A file that comes in parts. The first one is made before the answer begins, so that its errors are answered.

    If a later part fails, the connection is closed before the answer ends, and the download fails. `name` is plain.
    """
    first = await anext(parts, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(whole(), media_type=media_type, headers=headers)
