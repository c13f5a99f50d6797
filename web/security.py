"""Authentication: turns a token, or a session where one is accepted, into a `Principal`, or ends the call.

A route without roles cannot be made. Pages and the codec endpoint accept sessions, the API never does: otherwise a page
of another site could call it with the cookie of a person who is logged in.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.routing import Match
from starlette.types import Scope

from domain.people import may as may_in_firm
from settings import Settings
from use_cases.access import MAY
from use_cases.principal import Principal, Role
from use_cases.security_events import note
from web.idempotency import run_once
from web.problems import Problem
from web.request_limits import API

_SENSITIVE = "_cmi_is_sensitive"
_CHALLENGE = 'Bearer realm="cmi"'
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token that operations made: `Authorization: Bearer <token>`.",
)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def sensitive(endpoint: Endpoint) -> Endpoint:
    """Mark the endpoint of a sensitive change: in a session it needs a recent confirmation (docs/accounts.md)."""
    setattr(endpoint, _SENSITIVE, True)
    return endpoint


def is_https(settings: Settings) -> bool:
    """Whether the site is served over https, so that cookies are for https only."""
    return settings.public_url.startswith("https://")


def session_cookie(settings: Settings) -> str:
    """The name of the session cookie. The prefix `__Host-` makes browsers restrict it to this host and https."""
    return "__Host-cmi_session" if is_https(settings) else "cmi_session"


def device_cookie(settings: Settings) -> str:
    """The name of the cookie that identifies a browser that has logged in before. It logs nobody in."""
    return "__Host-cmi_device" if is_https(settings) else "cmi_device"


async def session_of(request: Request) -> Principal | None:
    """The person who is logged in with this browser, or None."""
    secret = session_secret(request)
    if not secret:
        return None
    principal: Principal | None = await request.app.state.accounts.callers.of_session(secret)
    return principal


def session_secret(request: Request) -> str:
    """The secret of the browser's session; empty if it has none."""
    return request.cookies.get(session_cookie(request.app.state.settings), "")


async def principal_of(request: Request, *, sessions: bool = False) -> Principal:
    """The caller, by its token; if `sessions`, also by the session of its browser.

    Raises:
        Problem: 401 without a token, or with an unknown, expired or revoked one.
    """
    known = getattr(request.state, "principal", None)
    if isinstance(known, Principal):
        return known
    if sessions and (in_browser := await session_of(request)) is not None:
        request.state.principal = in_browser
        return in_browser
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _unauthenticated("This call needs a token: Authorization: Bearer <token>.", "")
    principal = await request.app.state.accounts.callers.of_token(token)
    if not isinstance(principal, Principal):
        note("token", "refused")
        raise _unauthenticated(
            "This token is not known, or not any more.", ', error="invalid_token"'
        )
    request.state.principal = principal
    return principal


def _unauthenticated(detail: str, error: str) -> Problem:
    return Problem(
        401, "Not authenticated", detail, headers={"WWW-Authenticate": _CHALLENGE + error}
    )


class Require:
    """A dependency that gives the caller, who must have one of these roles, and may do this within its firm."""

    def __init__(
        self, roles: frozenset[Role], *, sessions: bool = False, use_case: str | None = None
    ) -> None:
        assert roles, "a route needs roles"
        self.roles = roles
        self._use_case = use_case
        self._sessions = sessions

    async def __call__(
        self,
        request: Request,
        _token: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    ) -> Principal:
        """The caller. Raises `Problem`: 401, or 403 for a role that may not do this."""
        return await self.check(request)

    async def check(self, request: Request) -> Principal:
        """The caller of a request, outside of FastAPI's dependencies. Raises `Problem`: 401 or 403."""
        principal = await principal_of(request, sessions=self._sessions)
        if principal.is_factor_due:
            raise _factor_needed()
        is_own = self._use_case is None or may_in_firm(principal.partner_role, self._use_case)
        if principal.role not in self.roles or not is_own:
            note("access_refused", "refused", principal.login_id, request.scope["route"].path)
            named = principal.role if is_own else principal.partner_role
            raise Problem(403, "Forbidden", f"This is not for the role {named}.")
        return principal


def _factor_needed() -> Problem:
    detail = "This login needs a second factor: set it up on the page /account/second-factor."
    return Problem(403, "Second factor needed", detail, code="second_factor_needed")


def check_confirmed(principal: Principal) -> None:
    """Raise `Problem` (403) if the caller's session may make no sensitive change now. A token may."""
    if principal.needs_factor:
        raise _factor_needed()
    if principal.needs_confirmation:
        detail = "This change needs the password again, and the code of the second factor if there is one."
        raise Problem(403, "Confirmation needed", detail, code="confirmation_needed")


def may(use_case: str) -> Any:
    """A dependency that gives the caller, whose role must be one that `use_cases.access.MAY` names for this."""
    return Depends(Require(MAY[use_case], use_case=use_case))


class GuardedRoute(APIRoute):
    """A route that checks its caller before it reads the request. A route without `may` is an error.

    FastAPI itself would validate the body first and report its errors to anybody. A POST runs once for each
    `Idempotency-Key`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the check of the caller."""
        guard = _guard(self.dependant)
        if guard is None:
            raise RuntimeError(f"{self.path} names no roles")
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            principal = await guard.check(request)
            if hasattr(self.endpoint, _SENSITIVE):
                check_confirmed(principal)
            request.app.state.call_limits.count(principal)
            if request.method == "POST":
                return await run_once(request, principal, self.endpoint, handler)
            return await handler(request)

        return guarded


class GuardedRouter(APIRouter):
    """A router for calls of the API: each of its routes is a `GuardedRoute`, below the prefix `API`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=GuardedRoute, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a route matches. No page is compared with every route of the API: that costs 2 µs for each."""
        return super().matches(scope) if API in scope["path"] else (Match.NONE, {})


def _guard(dependant: Dependant) -> Require | None:
    for dependency in dependant.dependencies:
        found = dependency.call if isinstance(dependency.call, Require) else _guard(dependency)
        if found is not None:
            return found
    return None
