"""`Idempotency-Key`: a POST that is repeated is carried out once and gets the first answer again.

An answer is kept after the work is done, by login and key. A process that dies in between has done the work and kept
nothing; so what a command does it does under a name that comes from login and key (`request_id`), which the order
knows again.
"""

import asyncio
import hashlib
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from records.idempotency import Answer, Answers
from use_cases.orders import UnknownOrder
from use_cases.principal import Principal
from use_cases.settlement_gateway import UnknownSettlement
from web.problems import MEDIA_TYPE, Problem, invalid, respond

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_BOUNDARY = re.compile(r'multipart/form-data;.*boundary="?([^";,]+)', re.IGNORECASE)
_SECRET = "_cmi_answer_is_secret"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Awaitable[Response]]


def answer_is_secret(endpoint: Endpoint) -> Endpoint:
    """Mark a call whose answer is shown once (a new token): the same key again is then 409, not the answer."""
    setattr(endpoint, _SECRET, True)
    return endpoint


def key_of(request: Request) -> str | None:
    """The request's key, or None.

    Raises:
        Problem: 422 for one that cannot be.
    """
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise invalid([(HEADER, "must be one key of 1 to 255 visible ASCII characters")])
    return given[0]


def request_id(request: Request, principal: Principal, sp_id: str, action: str) -> str:
    """The name under which an order takes a command once.

    With a key it is always the same for it; else it is new, and begins with the request's id as the log has it.
    """
    key = key_of(request)
    if key is None:
        return f"{request.state.request_id}.{uuid.uuid4().hex[:12]}"
    named = "\n".join((principal.login_id, key, sp_id, action))
    return hashlib.sha256(named.encode()).hexdigest()[:40]


_turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


async def answered_once(
    request: Request, principal: Principal, endpoint: Callable[..., Any], handler: Handler
) -> Response:
    """The handler's answer, or the one that was given before.

    Kept are answers that something came of, and refusals; not what was malformed, unknown or could not be done just
    now, which may come again under the same key.

    Raises:
        Problem: 422 for a key that cannot be or came with another body; 404 for an answer about what the caller may
            not see any more; what the handler raises.
    """
    key = key_of(request)
    if key is None:
        return await handler(request)
    answers: Answers = request.app.state.answers
    body_hash = await _body_hash(request)
    # Of those that come at once with one key, in this process, the first does it and the others hear of it.
    async with _turns.setdefault((principal.login_id, key), asyncio.Lock()):
        known = await answers.find(principal.login_id, key)
        if known is not None:
            await _check_sight(request, principal)
            return _again(known, body_hash, endpoint)
        try:
            response = await handler(request)
        except Problem as problem:
            if problem.status_code != 409:
                raise
            response = respond(problem)
        if response.status_code >= 300 and response.status_code != 409:
            return response
        secret = hasattr(endpoint, _SECRET) and response.status_code < 300
        given = None if secret else json.loads(bytes(response.body) or b"null")
        kept = await answers.keep(
            principal.login_id, key, body_hash, response.status_code, given, datetime.now(UTC)
        )
    if kept.body_hash != body_hash or (kept.status, kept.response) != (response.status_code, given):
        await _check_sight(request, principal)
        return _again(kept, body_hash, endpoint)  # another process was first
    return response


async def _check_sight(request: Request, principal: Principal) -> None:
    """An earlier answer is given again only to a caller who may still see what it is about.

    An order can be reassigned after its partner got an answer that holds all of it. All other roles see every order,
    and that they may make the call has been checked before.

    Raises:
        Problem: 404, as for a call without a key.
    """
    if principal.role != "partner":
        return
    state, about = request.app.state, request.path_params
    try:
        if "sp_id" in about:
            await state.order_desk.check_sight(principal, about["sp_id"])
        if "settlement_id" in about:
            await state.settlement_desk.find(principal, about["settlement_id"])
    except UnknownOrder as error:
        raise Problem(404, "Not Found", "There is no such order.") from error
    except UnknownSettlement as error:
        raise Problem(404, "Not Found", "There is no such settlement.") from error


def _again(known: Answer, body_hash: str, endpoint: Callable[..., Any]) -> Response:
    if known.body_hash != body_hash:
        raise invalid(
            [(HEADER, "was used before, with another body or for another call")],
            "The same Idempotency-Key came with another request.",
        )
    if hasattr(endpoint, _SECRET) and known.status < 300:
        raise Problem(
            409, "Done already", "This was done, and its answer is shown only once.", allowed=[]
        )
    if known.status == 204:
        return Response(status_code=204)
    media_type = MEDIA_TYPE if known.status >= 400 else None
    return JSONResponse(known.response, known.status, media_type=media_type)


async def _body_hash(request: Request) -> str:
    """What makes two requests the same: method, path, query and what the body says, however it is spaced."""
    body = await request.body()
    boundary = _BOUNDARY.search(request.headers.get("Content-Type", ""))
    try:
        said = json.dumps(json.loads(body), sort_keys=True).encode() if body else b""
    except (ValueError, RecursionError):
        # a form is sent with another boundary each time
        said = body.replace(boundary[1].encode(), b"") if boundary else body
    named = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + said
    return hashlib.sha256(named).hexdigest()
