"""`Idempotency-Key`: a repeated POST is carried out once and gets the first answer again.

The answer is kept by login and key after the work is done, encrypted (`web/kept_answers.py`). A process that dies in
between has done the work but kept no answer. So a command also carries an id that is derived from login and key
(`request_id`), by which the order recognises the repetition.
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
from python_multipart.multipart import parse_options_header

from records.idempotency import Answers, KeptAnswer
from use_cases.orders import UnknownOrder
from use_cases.principal import Principal
from use_cases.settlement_gateway import UnknownSettlement
from web.kept_answers import AnswerCipher, OtherCaller
from web.problems import Problem, invalid, respond

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
    """The handler's answer, or the kept one if the key was used before.

    Successes and refusals (409) are kept. Other errors are not, so the request may be repeated with the same key.

    Raises:
        Problem: 422 for a malformed key or one that was used with another body; 404 if the caller may no longer see
            the order or settlement of the kept answer, 403 if it has another role or partner now; the errors of the
            handler.
    """
    key = key_of(request)
    if key is None:
        return await handler(request)
    answers: Answers = request.app.state.answers
    cipher = AnswerCipher(_token(request), key, principal)
    body_hash = cipher.hash(await _content(request))
    # Concurrent requests with one key wait for each other in this process; all but the first get the kept answer.
    async with _locks.setdefault((principal.login_id, key), asyncio.Lock()):
        known = await answers.find(principal.login_id, cipher.stored_key)
        if known is not None:
            return await _repeat(request, principal, cipher, known, body_hash)
        try:
            response = await handler(request)
        except Problem as problem:
            if problem.status_code != 409:
                raise
            response = respond(problem)
        if response.status_code >= 300 and response.status_code != 409:
            return response
        secret = hasattr(endpoint, _SECRET) and response.status_code < 300
        mine = KeptAnswer(
            body_hash=body_hash,
            status=response.status_code,
            about=_about(request, response),
            answer=cipher.encrypt(None if secret else response),
        )
        kept = await answers.keep(principal.login_id, cipher.stored_key, mine, datetime.now(UTC))
    if kept.answer != mine.answer:  # another process kept its answer first
        return await _repeat(request, principal, cipher, kept, body_hash)
    return response


def _token(request: Request) -> str:
    """The caller's token, which was checked before."""
    return request.headers.get("Authorization", "").partition(" ")[2].strip()


async def _repeat(
    request: Request, principal: Principal, cipher: AnswerCipher, known: KeptAnswer, body_hash: str
) -> Response:
    """The kept answer, if the caller may still have it. Access comes before anything else."""
    await _check_visible(request, principal, known.about)
    try:
        response = cipher.decrypt(known.status, known.answer)
    except OtherCaller as error:
        raise Problem(
            403, "Forbidden", "This key was used by this login in another role."
        ) from error
    if known.body_hash != body_hash:
        raise invalid(
            [(HEADER, "was used before, with another body or for another call")],
            "The same Idempotency-Key came with another request.",
        )
    if response is None:
        raise Problem(
            409, "Done already", "This was done, and its answer is shown only once.", allowed=[]
        )
    return response


_ORDER, _SETTLEMENT = "order/", "settlement/"


def _about(request: Request, response: Response) -> str:
    """What an answer is about: the order or settlement in the path, or else the one that it has made."""
    made = json.loads(bytes(response.body) or b"null") if response.status_code < 300 else None
    for named in (request.path_params, made if isinstance(made, dict) else {}):
        if "sp_id" in named:
            return f"{_ORDER}{named['sp_id']}"
        if "settlement_id" in named:
            return f"{_SETTLEMENT}{named['settlement_id']}"
    return ""


async def _check_visible(request: Request, principal: Principal, about: str) -> None:
    """Check that the caller may still see the order or settlement that it asks about, and that of the kept answer.

    An order can be reassigned after its partner got an answer that contains it. All other roles see every order, and
    whether they may make the call is checked before.

    Raises:
        Problem: 404, as for a call without a key.
    """
    if principal.role != "partner":
        return
    state, parameters = request.app.state, request.path_params
    sp_ids = {parameters.get("sp_id")}
    settlement_ids = {parameters.get("settlement_id")}
    if about.startswith(_ORDER):
        sp_ids.add(about.removeprefix(_ORDER))
    elif about.startswith(_SETTLEMENT):
        settlement_ids.add(about.removeprefix(_SETTLEMENT))
    try:
        for sp_id in sp_ids - {None}:
            await state.order_use_cases.check_sight(principal, sp_id)
        for settlement_id in settlement_ids - {None}:
            await state.settlement_use_cases.find(principal, settlement_id)
    except UnknownOrder as error:
        raise Problem(404, "Not Found", "There is no such order.") from error
    except UnknownSettlement as error:
        raise Problem(404, "Not Found", "There is no such settlement.") from error


async def _content(request: Request) -> bytes:
    """Method, path, query and body, to compare them. White space in JSON does not matter."""
    body = await request.body()
    _, parameters = parse_options_header(request.headers.get("Content-Type"))
    boundary = parameters.get(b"boundary")
    try:
        content = json.dumps(json.loads(body), sort_keys=True).encode() if body else b""
    except (ValueError, RecursionError):
        # The boundary of a form differs each time.
        content = body.replace(boundary, b"") if boundary else body
    return f"{request.method} {request.url.path}?{request.url.query}\n".encode() + content
