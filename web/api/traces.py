"""The API's calls for traces: security events, and which orders an account looked at."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from use_cases.principal import Principal
from use_cases.security_events import Kind
from web.api.bodies import IsoInstant
from web.problems import documented, invalid
from web.security import GuardedRouter, may

router = GuardedRouter()

_EVENT: dict[str, Any] = {
    "event_id": "5d1e0c9a7b2f4e635d1e0c9a",
    "at": "2026-11-02T07:00:00Z",
    "kind": "log_in",
    "outcome": "failed",
    "account": "0f3b9c1f5a7d4e2b8c6a1d3e5f7a9b0c",
    "name": "Petra Huber",
    "address": "7a9b0c0f3b9c1f5a7d4e2b8c6a1d3e5f",
    "network": "1d3e5f7a9b0c0f3b9c1f5a7d4e2b8c6a",
    "about": "",
    "request_id": "c0ffee00c0ffee00c0ffee00",
}


class SecurityEventQuery(BaseModel):
    """The filter of security events."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind | None = None
    account: str | None = Field(
        None,
        max_length=254,
        description="an e-mail address, the name or id of a login or token, or a pseudonym",
    )
    since: IsoInstant | None = None
    until: IsoInstant | None = Field(None, description="not included")
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=400)


class SecurityEventAnswer(BaseModel):
    """Something that concerns access."""

    event_id: str
    at: datetime
    kind: str
    outcome: str
    account: str = Field(description="the pseudonym of the one who acted; empty if unknown")
    name: str | None = Field(description="the name of that login or token, if there is one")
    address: str = Field(description="the pseudonym of the network address")
    network: str = Field(description="the pseudonym of its network, /24 or /48")
    about: str = Field(description="the id of what it is about, or empty")
    request_id: str


class SecurityEventList(BaseModel):
    """The newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_EVENT], "next_cursor": None}]}
    )

    items: list[SecurityEventAnswer]
    next_cursor: str | None


@router.get(
    "/security-events",
    tags=["operations"],
    summary="Security events",
    response_model=SecurityEventList,
    responses=documented(401, 403, 422, 500, 503),
)
async def list_security_events(
    request: Request,
    principal: Annotated[Principal, may("trace")],
    query: Annotated[SecurityEventQuery, Query()],
) -> SecurityEventList:
    """Who tried to get in, what was changed about access, what was refused. Accounts and addresses are pseudonyms."""
    try:
        items, following = await request.app.state.accounts.traces.events(
            principal, **query.model_dump()
        )
    except ValueError:
        raise invalid([("cursor", "is not a cursor of this list")]) from None
    return SecurityEventList(
        items=[SecurityEventAnswer(**each.event._asdict(), name=each.name) for each in items],
        next_cursor=following,
    )


_LOOK: dict[str, Any] = {
    "sp_id": "SP-1048213",
    "day": "2026-11-02",
    "login_id": "usr_0f3b9c1f5a7d",
    "name": "Petra Huber",
    "how": "page",
    "first_at": "2026-11-02T07:00:00Z",
    "last_at": "2026-11-02T09:30:00Z",
    "times": 3,
}


class LookQuery(BaseModel):
    """The account whose looks are listed, and the days."""

    model_config = ConfigDict(extra="forbid")

    account: str = Field(
        min_length=1,
        max_length=254,
        description="an e-mail address, the name, id or pseudonym of a login or token; the id if it was removed",
    )
    first_day: date | None = None
    last_day: date | None = Field(None, description="included")


class LookAnswer(BaseModel):
    """An order whose customer's name an account was shown on a day."""

    sp_id: str
    day: date
    login_id: str
    name: str | None
    how: str = Field(description="`page`, `api`, `export` (a file) or `pdf`")
    first_at: datetime
    last_at: datetime
    times: int


class LookList(BaseModel):
    """The latest day first, at most 1000. `more`: there are others; request fewer days."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_LOOK], "more": False}]})

    items: list[LookAnswer]
    more: bool


@router.get(
    "/lookups",
    tags=["operations"],
    summary="Orders that an account looked at",
    response_model=LookList,
    responses=documented(401, 403, 422, 500, 503),
)
async def list_lookups(
    request: Request,
    principal: Annotated[Principal, may("trace")],
    query: Annotated[LookQuery, Query()],
) -> LookList:
    """The orders whose customers' names a login or token was shown, by day: the persons concerned after a breach."""
    items, more = await request.app.state.accounts.traces.looks_by(
        principal, query.account, query.first_day, query.last_day
    )
    return LookList(
        items=[
            LookAnswer(**each.look._asdict(), **each.times._asdict(), name=each.name)
            for each in items
        ],
        more=more,
    )
