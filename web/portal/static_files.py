"""The style, the scripts and the pictures of the pages, at addresses that change with their content."""

import hashlib
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOLDER = Path(__file__).parent / "static"
_LASTING = "public, max-age=31536000, immutable"


def app() -> ASGIApp:
    """The application that serves the files, compressed.

    Pages stay as they are: compressed, the length of one that repeats a caller's text would tell of its secrets.
    """
    return _HeadAsGet(GZipMiddleware(_Static(directory=_FOLDER), compresslevel=6))


def versioned_name(name: str) -> str:
    """The name of a file with the version of its content, for an address that a browser asks for once."""
    return f"{name}?{_query(name)}"


def _query(name: str) -> str:
    # A file that is edited while the application runs has another version at once.
    return urlencode({"v": _version(name, (_FOLDER / name).stat().st_mtime_ns)})


@lru_cache(maxsize=64)
def _version(name: str, changed_at: int) -> str:
    return hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()[:12]


class _HeadAsGet:
    """Answers HEAD with the headers of GET: `GZipMiddleware` sets some of its own only when there is a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)


class _Static(StaticFiles):
    """Files that a browser must revalidate before each use, unless it asked for the version that is here.

    While a release is rolled out, a page of the new one may get a file of the old one, which must not last. So an
    answer without a body (304) does not last either: it compares times and sizes, and two releases may have the same.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def send_cached(message: Message) -> None:
            if message["type"] == "http.response.start":
                has_file = message["status"] == 200
                query = scope["query_string"].decode("latin-1")
                lasts = has_file and query == _query(self.get_path(scope))
                MutableHeaders(scope=message)["Cache-Control"] = _LASTING if lasts else "no-cache"
            await send(message)

        await super().__call__(scope, receive, send_cached)
