"""Errors as `application/problem+json` (RFC 9457): how they are raised, answered and documented."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from records.failures import is_away
from use_cases.account_errors import Busy

logger = logging.getLogger("cmi.web")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
NOT_MADE_RETRY_AFTER_SECONDS = 60
_PLAIN = "about:blank"
_SHOWN_ERRORS = 50


class Problem(HTTPException):
    """An error response. `extra` are additional members of the document, such as `allowed` or `errors`."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(status, detail, headers)
        self.title = title
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.status_code} {self.title}"


class FieldError(BaseModel):
    """What is wrong with one field. Its name is that in the request: `customer.email`, `checklist.space`."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """An error in the form of RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class RefusalDocument(ProblemDocument):
    """Not allowed in this state."""

    allowed: list[str] = Field(description="the actions allowed now, to this caller")
    order_status: str | None = Field(None, description="the state of the order that refused")
    settlement_status: str | None = Field(
        None, description="the state of the settlement that refused"
    )
    settlement_id: str | None = Field(
        None, description="the partner's settlement of this month, if there is one already"
    )
    code: str | None = Field(
        None,
        description="why not: wrong_state, final, before_goods, other_settlement, already_placed, too_late, "
        "already_settled, too_many_files, too_many_entries",
    )


class InvalidDocument(ProblemDocument):
    """The request is malformed. `errors` names each field."""

    errors: list[FieldError]


def invalid(
    errors: Iterable[tuple[str, str]], detail: str = "The request is malformed."
) -> Problem:
    """422: the message for each field that is wrong."""
    listed = [{"field": field, "message": message} for field, message in errors]
    return Problem(422, "Malformed", detail, errors=listed)


def unavailable(what: str) -> Problem:
    """503: Temporal or the database is away; the caller may repeat the call."""
    return Problem(
        503,
        "Away",
        f"{what} is away just now; please try again. The same Idempotency-Key makes that safe.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def broken(workflow_id: str, cause: str) -> Problem:
    """503 for operations: the tasks of one workflow fail, so its order or settlement takes no commands.

    The cause may contain data of the order, so only operations get it. All others get `unavailable`.
    """
    return Problem(
        503,
        "Workflow broken",
        f"The tasks of workflow {workflow_id} fail: {cause} "
        "It goes on by itself once that is mended (docs/operations.md: stuck).",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def not_made(detail: str) -> Problem:
    """503: the requested document cannot be made at the moment."""
    return Problem(
        503, "Not made", detail, headers={"Retry-After": str(NOT_MADE_RETRY_AFTER_SECONDS)}
    )


def respond(problem: Problem) -> JSONResponse:
    """The problem as a JSON response."""
    document = {
        "type": _PLAIN,
        "title": problem.title,
        "status": problem.status_code,
        "detail": problem.detail,
        **problem.extra,
    }
    return JSONResponse(
        document, problem.status_code, headers=problem.headers, media_type=MEDIA_TYPE
    )


ProblemRenderer = Callable[[Request, Problem], Awaitable[Response]]
"""Renders a problem as a page."""


async def answer(request: Request, problem: Problem) -> Response:
    """The problem as a page for a person with a browser, as JSON for any other caller."""
    render: ProblemRenderer | None = getattr(request.app.state, "render_problem", None)
    in_browser = "text/html" in request.headers.get("Accept", "")
    if render is not None and in_browser and not request.scope["path"].startswith("/api/"):
        return await render(request, problem)
    return respond(problem)


_DETAILS = {
    404: "There is nothing here.",
    405: "This method is not known here; the header Allow names those that are.",
    413: "The body is larger than this call takes.",
}


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Problem):
        return await answer(request, error)
    status = error.status_code
    if status == 400:  # FastAPI raises it for a body that it cannot parse
        form = request.headers.get("Content-Type", "").startswith("multipart/form-data")
        expected = "must be a form as multipart/form-data" if form else "must be JSON in UTF-8"
        return await answer(request, invalid([("body", expected)]))
    phrase = HTTPStatus(status).phrase
    detail = _DETAILS.get(status, phrase)
    headers = {"Allow": _methods(request)} if status == 405 else error.headers
    return await answer(request, Problem(status, phrase, detail, headers=headers))


def _methods(request: Request) -> str:
    """The methods of all routes with this path; the `Allow` header of the error has those of one route only."""
    scope = request.scope
    # A mount adds its own path to `root_path`.
    root = scope.get("app_root_path", scope.get("root_path", ""))
    path = scope["path"].removeprefix(root)
    known: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.path_regex.match(path):
            known |= route.methods or {"GET", "HEAD"}  # without methods: a folder of static files
    return ", ".join(method for method in _METHODS if method in known)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return await answer(request, invalid(field_errors(error.errors())))


def unexpected(error: Exception) -> tuple[Problem, bool]:
    """The problem for an exception that no handler expects, and whether it is our fault. It reveals no internals."""
    if isinstance(error, Busy):
        later = {"Retry-After": str(error.retry_after)}
        detail = "Too many people log in just now; please try again."
        return Problem(503, "Busy", detail, headers=later), False
    if is_away(error):
        logger.warning("the database is away", extra={"cause": type(error).__name__})
        return unavailable("The database"), False
    detail = "Something went wrong here; X-Request-Id names the call."
    return Problem(500, "Internal Server Error", detail), True


def field_errors(errors: Sequence[Any]) -> list[tuple[str, str]]:
    """Pydantic's errors as pairs of field and message. They repeat no user input."""
    return [(_field(error), _message(error)) for error in errors[:_SHOWN_ERRORS]]


def _field(error: Mapping[str, Any]) -> str:
    named = (error.get("ctx") or {}).get("field")
    if error["type"] == "json_invalid":
        return "body"
    where, *rest = error["loc"] or ("body",)
    # The tags of a union, written <tag>, are not part of the request.
    path = [str(part) for part in rest if not str(part).startswith("<")]
    if named:
        path.append(str(named))
    if where not in ("body", "query", "path", "header", "cookie"):
        path.insert(0, str(where))
    return ".".join(path) or str(where)


_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "json_invalid": "is not JSON",
    "model_attributes_type": "must be a JSON object (Content-Type: application/json)",
    "model_type": "must be a JSON object (Content-Type: application/json)",
    "dict_type": "must be a JSON object",
    "string_unicode": "must be Unicode text",
}


def _message(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "json_invalid":
        return f"is not JSON, near character {error['loc'][-1]}"
    return _MESSAGES.get(kind) or str(error["msg"]).replace("Input should be", "must be")


def install(app: FastAPI) -> None:
    """Answer every HTTP error of the application with a problem. `web.middleware` handles all other exceptions."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)


# --- the OpenAPI document ----------------------------------------------------------------------------------------

_MEANINGS: dict[int, tuple[str, type[ProblemDocument]]] = {
    401: ("No token, or one that is not known (any more).", ProblemDocument),
    403: ("This role may not do this.", ProblemDocument),
    404: ("It does not exist, or is not this caller's to see.", ProblemDocument),
    405: ("This method is not known here.", ProblemDocument),
    409: ("Not allowed in this state; `allowed` names what is.", RefusalDocument),
    410: ("It is not kept any more.", ProblemDocument),
    413: ("The body is too large.", ProblemDocument),
    422: ("Malformed; `errors` names each field.", InvalidDocument),
    429: (
        "This token made too many calls: go on after `Retry-After` seconds.",
        ProblemDocument,
    ),
    500: ("Our mistake.", ProblemDocument),
    503: (
        "Temporal or the database is away, or the workflow is broken (operations are told how): try again after "
        "`Retry-After` seconds.",
        ProblemDocument,
    ),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` argument of a route that may answer with these problems."""
    found: dict[int | str, dict[str, Any]] = {}
    limited = (429,) if 401 in statuses else ()  # every call with a token
    for status in sorted({*statuses, *limited}):
        meaning, model = _MEANINGS[status]
        schema = {"$ref": f"#/components/schemas/{model.__name__}"}
        found[status] = {"description": meaning, "content": {MEDIA_TYPE: {"schema": schema}}}
        if status in (429, 503):
            found[status]["headers"] = {
                "Retry-After": {"description": "seconds", "schema": {"type": "integer"}}
            }
        if status == 401:
            found[status]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return found


DOCUMENTS: tuple[type[ProblemDocument], ...] = (ProblemDocument, RefusalDocument, InvalidDocument)
"""The schemas that `documented` refers to; `web.openapi` adds them to the document."""
