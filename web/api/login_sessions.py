"""The API's calls about the sessions of a login: list them, and end them on the user's behalf.

People see and end their own sessions on their account page. The API accepts tokens only, so it has no own sessions.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from records.session_lists import SessionRow
from use_cases.accounts import Accounts
from web.api.accounts import AccountsDep, PartnerId, account_errors, account_router
from web.problems import documented

router = account_router()

_UserId = Annotated[str, Path(max_length=64, examples=["usr_5d1e0c9a7b2f4e63"])]
_SessionId = Annotated[str, Path(max_length=64, examples=["4f1c0a9be27d3356"])]
_SESSION: dict[str, Any] = {
    "session_id": "4f1c0a9be27d3356",
    "began_at": "2026-10-05T08:00:00Z",
    "last_used_at": "2026-10-05T09:12:00Z",
    "expires_at": "2026-11-04T08:00:00Z",
    "browser": "Firefox, Android",
    "network": "203.0.113.x",
}


class SessionAnswer(BaseModel):
    """A session of a login."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SESSION]})

    session_id: str
    began_at: datetime
    last_used_at: datetime = Field(description="to the minute")
    expires_at: datetime = Field(description="the latest end; it ends earlier if it is not used")
    browser: str | None
    network: str | None = Field(description="the shortened address of the log-in")


class SessionList(BaseModel):
    """Sessions, the last used first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SESSION]}]})

    items: list[SessionAnswer]


@router.get(
    "/partners/{partner_id}/users/{user_id}/sessions",
    summary="The sessions of a partner's login",
    responses=documented(404),
)
async def list_partner_sessions(
    accounts: AccountsDep, partner_id: PartnerId, user_id: _UserId
) -> SessionList:
    """Where somebody of a partner is logged in."""
    return await _list(accounts, partner_id, user_id)


@router.delete(
    "/partners/{partner_id}/users/{user_id}/sessions",
    status_code=204,
    summary="End all sessions of a partner's login",
    responses=documented(404),
)
async def end_partner_sessions(
    accounts: AccountsDep, partner_id: PartnerId, user_id: _UserId
) -> None:
    """Log somebody of a partner out everywhere, such as after a lost phone."""
    await _end_all(accounts, partner_id, user_id)


@router.delete(
    "/partners/{partner_id}/users/{user_id}/sessions/{session_id}",
    status_code=204,
    summary="End a session of a partner's login",
    responses=documented(404),
)
async def end_partner_session(
    accounts: AccountsDep, partner_id: PartnerId, user_id: _UserId, session_id: _SessionId
) -> None:
    """End one session. 204 as well if it has ended."""
    await _end_one(accounts, partner_id, user_id, session_id)


@router.get(
    "/users/{user_id}/sessions",
    summary="The sessions of a login of the staff",
    responses=documented(404),
)
async def list_staff_sessions(accounts: AccountsDep, user_id: _UserId) -> SessionList:
    """Where somebody of the staff is logged in."""
    return await _list(accounts, None, user_id)


@router.delete(
    "/users/{user_id}/sessions",
    status_code=204,
    summary="End all sessions of a login of the staff",
    responses=documented(404),
)
async def end_staff_sessions(accounts: AccountsDep, user_id: _UserId) -> None:
    """Log somebody of the staff out everywhere."""
    await _end_all(accounts, None, user_id)


@router.delete(
    "/users/{user_id}/sessions/{session_id}",
    status_code=204,
    summary="End a session of a login of the staff",
    responses=documented(404),
)
async def end_staff_session(
    accounts: AccountsDep, user_id: _UserId, session_id: _SessionId
) -> None:
    """End one session. 204 as well if it has ended."""
    await _end_one(accounts, None, user_id, session_id)


async def _list(accounts: Accounts, partner_id: str | None, user_id: str) -> SessionList:
    with account_errors():
        await accounts.user(partner_id, user_id)
        sessions = await accounts.sessions.of(user_id)
    return SessionList(items=[_session(each) for each in sessions])


async def _end_all(accounts: Accounts, partner_id: str | None, user_id: str) -> None:
    with account_errors():
        await accounts.user(partner_id, user_id)
    await accounts.sessions.end_all(user_id)


async def _end_one(
    accounts: Accounts, partner_id: str | None, user_id: str, session_id: str
) -> None:
    with account_errors():
        await accounts.user(partner_id, user_id)
    await accounts.sessions.end_one(user_id, session_id)


def _session(session: SessionRow) -> SessionAnswer:
    return SessionAnswer(**session._asdict())
