"""`Idempotency-Key`: a repeated POST is carried out once and gets the first answer again.

The answer is stored by login and key after the work is done. A process that dies in between has done the work but
stored no answer. So a command also carries an id that is derived from login and key (`request_id`), by which the order
recognises the repetition.
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
from python_multipart.multipart import parse_options_header

from records.idempotency import Answer, Answers
from use_cases.orders import UnknownOrder
from use_cases.principal import Principal
from use_cases.settlement_gateway import UnknownSettlement
from web.problems import MEDIA_TYPE, Problem, invalid, respond

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_SECRET = "_cmi_answer_is_secret"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Awaitable[Response]]


def answer_is_secret(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint whose answer is shown once (a new token): a repetition of the key gets 409 instead."""
    setattr(endpoint, _SECRET, True)
    return endpoint


def key_of(request: Request) -> str | None:
    """The request's key, or None.

    Raises:
        Problem: 422 for a malformed key, or more than one.
    """
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise invalid([(HEADER, "must be one key of 1 to 255 visible ASCII characters")])
    return given[0]


def request_id(request: Request, principal: Principal, about: str, action: str) -> str:
    """The id by which an order or settlement recognises a repeated command. `about` is what the command is for.

    Requests with the same key get the same id. Without a key the id is new and begins with the request id of the log.
    """
    key = key_of(request)
    if key is None:
        return f"{request.state.request_id}.{uuid.uuid4().hex[:12]}"
    parts = "\n".join((principal.login_id, key, about, action))
    return hashlib.sha256(parts.encode()).hexdigest()[:40]


_locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


async def run_once(
    request: Request, principal: Principal, endpoint: Callable[..., Any], handler: Handler
) -> Response:
    """The handler's answer, or the stored one if the key was used before.

    Successes and refusals (409) are stored. Other errors are not, so the request may be repeated with the same key.

    Raises:
        Problem: 422 for a malformed key or one that was used with another body; 404 if the caller may no longer see
            the order or settlement of the stored answer; the errors of the handler.
    """
    key = key_of(request)
    if key is None:
        return await handler(request)
    answers: Answers = request.app.state.answers
    body_hash = await _body_hash(request)
    # Concurrent requests with one key wait for each other in this process; all but the first get the stored answer.
    async with _locks.setdefault((principal.login_id, key), asyncio.Lock()):
        known = await answers.find(principal.login_id, key)
        if known is not None:
            await _check_visible(request, principal)
            return _stored_answer(known, body_hash, endpoint)
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
        await _check_visible(request, principal)
        return _stored_answer(kept, body_hash, endpoint)  # another process stored its answer first
    return response


async def _check_visible(request: Request, principal: Principal) -> None:
    """Check that the caller may still see the order or settlement that a stored answer is about.

    An order can be reassigned after its partner got an answer that contains it. All other roles see every order, and
    whether they may make the call is checked before.

    Raises:
        Problem: 404, as for a call without a key.
    """
    if principal.role != "partner":
        return
    state, parameters = request.app.state, request.path_params
    try:
        if "sp_id" in parameters:
            await state.order_use_cases.check_sight(principal, parameters["sp_id"])
        if "settlement_id" in parameters:
            await state.settlement_use_cases.find(principal, parameters["settlement_id"])
    except UnknownOrder as error:
        raise Problem(404, "Not Found", "There is no such order.") from error
    except UnknownSettlement as error:
        raise Problem(404, "Not Found", "There is no such settlement.") from error


def _stored_answer(known: Answer, body_hash: str, endpoint: Callable[..., Any]) -> Response:
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
    """A hash of method, path, query and body. White space in JSON does not matter."""
    body = await request.body()
    _, parameters = parse_options_header(request.headers.get("Content-Type"))
    boundary = parameters.get(b"boundary")
    try:
        content = json.dumps(json.loads(body), sort_keys=True).encode() if body else b""
    except (ValueError, RecursionError):
        # the boundary of a form differs each time
        content = body.replace(boundary, b"") if boundary else body
    whole = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + content
    return hashlib.sha256(whole).hexdigest()
