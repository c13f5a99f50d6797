"""Downloads that are made while they are sent."""

from collections.abc import AsyncIterator

from fastapi import Response
from fastapi.responses import StreamingResponse


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
