"""The codec endpoint: decrypts payloads for operations in the Temporal UI (docs/operations.md).

It implements Temporal's remote codec protocol: `POST …/decode` and `…/encode` take and return `{"payloads": […]}`,
the protobuf JSON of `temporal.api.common.v1.Payloads`.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.api.common.v1 import Payloads
from temporalio.converter import PayloadCodec

from contracts.keys import EncryptionError
from settings import Settings
from web.problems import Problem
from web.security import GuardedRoute, Require

PREFIX = "/codec"
MOST_PAYLOADS = 1000
# The Temporal UI calls it from the browser, with the session of the person who is logged in here.
_OPERATIONS = Require(frozenset({"operations"}), sessions=True)


def install(app: FastAPI, settings: Settings, namespace: str) -> None:
    """Add the endpoint for the payloads of a Temporal namespace, and let pages of the Temporal UI call it."""
    app.include_router(codec_router(settings, namespace))
    app.add_middleware(_Cors, origin=origin_of(settings.temporal_ui_url))


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, as a browser writes them in `Origin`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


class _CodecRoute(GuardedRoute):
    """A guarded route that stores no answer for an `Idempotency-Key`: it would be stored decrypted."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the check of the caller."""
        handler = APIRoute.get_route_handler(self)

        async def guarded(request: Request) -> Response:
            await _OPERATIONS.check(request)
            return await handler(request)

        return guarded


def codec_router(settings: Settings, namespace: str) -> APIRouter:
    """The routes. They are not in the OpenAPI document: they are Temporal's protocol, not a contract with partners."""
    allowed = {origin_of(settings.temporal_ui_url), origin_of(settings.public_url)}
    router = APIRouter(
        prefix=PREFIX,
        route_class=_CodecRoute,
        dependencies=[Depends(_OPERATIONS)],
        include_in_schema=False,
    )

    async def payloads(
        request: Request,
        origin: Annotated[str | None, Header()] = None,
        x_namespace: Annotated[str | None, Header()] = None,
    ) -> Payloads:
        if origin is not None and origin.lower() not in allowed:
            raise Problem(403, "Forbidden", "Pages of this origin may not ask here.")
        if x_namespace is not None and x_namespace != namespace:
            raise Problem(400, "Other namespace", "The keys here are those of another namespace.")
        try:
            document = json.loads(await request.body())
            if not isinstance(document, dict):
                raise ValueError("not an object")
            given = ParseDict(document, Payloads(), ignore_unknown_fields=True)
        except (ParseError, ValueError, RecursionError):
            raise Problem(
                400, "Malformed", 'Expected {"payloads": […]} as JSON of protobuf.'
            ) from None
        if len(given.payloads) > MOST_PAYLOADS:
            raise Problem(
                413, "Content Too Large", f"At most {MOST_PAYLOADS} payloads in one call."
            )
        return given

    @router.post("/decode")
    async def decode(request: Request, given: Annotated[Payloads, Depends(payloads)]) -> Response:
        """Decrypt. A payload that is not encrypted is returned unchanged, one whose key was erased as `"erased"`."""
        try:
            return _answer(await _codec(request).decode(given.payloads))
        except EncryptionError as error:
            raise Problem(400, "Not decryptable", f"A payload is {error}.") from None

    @router.post("/encode")
    async def encode(request: Request, given: Annotated[Payloads, Depends(payloads)]) -> Response:
        """Encrypt what operations enter in the Temporal UI, such as text to search for.

        The protocol does not name a workflow, so it is bound to none, and no workflow takes it as a command.
        """
        return _answer(await _codec(request).encode(given.payloads))

    return router


def _codec(request: Request) -> PayloadCodec:
    codec: PayloadCodec | None = request.app.state.temporal.data_converter.payload_codec
    return codec or _Plain()


class _Plain(PayloadCodec):
    """The codec without keys: payloads stay as they are."""

    async def encode(self, payloads: Any) -> list[Any]:
        """The payloads unchanged."""
        return list(payloads)

    async def decode(self, payloads: Any) -> list[Any]:
        """The payloads unchanged."""
        return list(payloads)


def _answer(payloads: Any) -> Response:
    return JSONResponse({"payloads": [MessageToDict(payload) for payload in payloads]})


class _Cors:
    """Lets scripts of one origin call the endpoint with cookies and read its responses, errors included."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app = app
        self._with_cors = CORSMiddleware(
            app,
            allow_origins=[origin],
            allow_methods=["POST"],
            # The headers that the UI sends; the last two only if it has its own login.
            allow_headers=["Content-Type", "X-Namespace", "Authorization", "Authorization-Extras"],
            allow_credentials=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        is_codec = scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/")
        await (self._with_cors if is_codec else self._app)(scope, receive, send)
