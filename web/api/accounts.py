"""The API's calls for operations (docs/contract.md, "Partners, logins and tokens")."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from domain.fields import EmailAddress, Identifier, Instant, TextLine
from domain.values import Language
from records.accounts import Invitation, User, UserRole
from records.partners import Partner
from records.tokens import Token, TokenRole
from use_cases.account_errors import Conflict, NotFound, WrongFields
from use_cases.accounts import Accounts
from web.idempotency import answer_is_secret
from web.problems import Problem, documented, invalid
from web.security import GuardedRoute, may

router = APIRouter(
    route_class=GuardedRoute,
    tags=["accounts"],
    dependencies=[may("administer")],
    responses=documented(401, 403, 422, 500, 503),
)


def _accounts(request: Request) -> Accounts:
    return cast(Accounts, request.app.state.accounts)


_Accounts = Annotated[Accounts, Depends(_accounts)]
_PartnerId = Annotated[str, Path(max_length=64, examples=["elektro-huber"])]
_UserId = Annotated[str, Path(max_length=64, examples=["usr_5d1e0c9a7b2f4e63"])]
_TokenId = Annotated[str, Path(max_length=64, examples=["tok_91c04b7de2a85f36"])]

_PARTNER: dict[str, Any] = {
    "partner_id": "elektro-huber",
    "name": "Elektro Huber AG",
    "canton": "ZH",
    "language": "de",
    "email": "auftraege@elektro-huber.example",
    "phone": "+41 44 555 01 10",
    "street": "Hohlstrasse 100",
    "postal_code": "8004",
    "city": "Zürich",
    "vat_number": "CHE-123.456.789 MWST",
    "iban": None,
    "escalation_email": None,
}
_USER: dict[str, Any] = {
    "user_id": "usr_5d1e0c9a7b2f4e63",
    "role": "partner",
    "partner_id": "elektro-huber",
    "email": "petra.huber@elektro-huber.example",
    "name": "Petra Huber",
    "language": "de",
    "invitation": "sent",
    "second_factor": False,
    "created_at": "2026-10-05T08:00:00Z",
    "last_login_at": None,
}
_TOKEN: dict[str, Any] = {
    "token_id": "tok_91c04b7de2a85f36",
    "role": "partner",
    "partner_id": "elektro-huber",
    "name": "Planungssoftware",
    "created_at": "2026-10-05T08:00:00Z",
    "last_used_at": None,
    "expires_at": None,
    "revoked_at": None,
}


class _Body(BaseModel):
    """What is sent: fields that are not known are refused, so that a typing error is named."""

    model_config = ConfigDict(extra="forbid")


class PartnerBody(Partner):
    """A partner."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_PARTNER]})


class PartnerChanges(_Body):
    """The fields to change; those not named stay. `null` empties an optional one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"phone": "+41 44 555 01 11", "escalation_email": None}]}
    )

    name: TextLine | None = None
    canton: Annotated[str, Field(max_length=2)] | None = None
    language: Language | None = None
    email: EmailAddress | None = None
    phone: TextLine | None = None
    street: TextLine | None = None
    postal_code: Annotated[TextLine, Field(max_length=12)] | None = None
    city: TextLine | None = None
    vat_number: TextLine | None = None
    iban: TextLine | None = None
    escalation_email: EmailAddress | None = None
    partner_id: Identifier | None = Field(None, description="cannot be changed; the same is fine")


class PartnerList(BaseModel):
    """All partners, by their id."""

    items: list[PartnerBody]


class NewUser(_Body):
    """Somebody who gets a login, by mail. Without a language it is the partner's, or that of operations."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": _USER["email"], "name": _USER["name"]}]}
    )

    email: EmailAddress
    name: TextLine
    language: Language | None = None


class NewStaffUser(NewUser):
    """Somebody of the retailer who gets a login."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "anna@shop.example", "name": "Anna Meier", "role": "operations"}]
        }
    )

    role: Literal["operations", "accounting"]


class UserAnswer(BaseModel):
    """A login."""

    model_config = ConfigDict(json_schema_extra={"examples": [_USER]})

    user_id: str
    role: UserRole
    partner_id: str | None
    email: str
    name: str
    language: Language
    invitation: Invitation = Field(
        description="accepted: there is a password; sent; waiting: the mail goes out as soon as it can;"
        " failed: the mail server does not want it; expired: invite again"
    )
    second_factor: bool
    created_at: datetime
    last_login_at: datetime | None


class UserList(BaseModel):
    """Logins, in the order they were made."""

    items: list[UserAnswer]


class NewToken(_Body):
    """A token for a partner's software. Without `expires_at` it is good until it is revoked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Planungssoftware"}]})

    name: TextLine
    expires_at: Instant | None = None


class NewSystemToken(NewToken):
    """A token for one of the retailer's systems."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Warehouse Wohlen", "role": "warehouse"}]}
    )

    role: Literal["shop", "warehouse", "operations", "accounting"]


class TokenMade(BaseModel):
    """A new token. It is shown here and never again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"token_id": _TOKEN["token_id"], "token": "cmi_" + "x" * 43}]
        }
    )

    token_id: str
    token: str


class TokenAnswer(BaseModel):
    """A token, but for itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TOKEN]})

    token_id: str
    role: TokenRole
    partner_id: str | None
    name: str
    created_at: datetime
    last_used_at: datetime | None = Field(description="to the minute")
    expires_at: datetime | None
    revoked_at: datetime | None


class TokenList(BaseModel):
    """Tokens, in the order they were made; revoked ones, too."""

    items: list[TokenAnswer]


# --- partners ----------------------------------------------------------------------------------------------------


@router.post(
    "/partners",
    status_code=201,
    summary="Add a partner",
    responses={
        200: {"model": PartnerBody, "description": "It is there already, just so."},
        **documented(409),
    },
)
async def add_partner(accounts: _Accounts, partner: PartnerBody, response: Response) -> PartnerBody:
    """Add a partner. The same again is 200; another one with the same id is 409."""
    with _translated():
        if not await accounts.partners.add(Partner.model_validate(partner.model_dump())):
            response.status_code = 200
    return partner


@router.get("/partners", summary="All partners")
async def list_partners(accounts: _Accounts) -> PartnerList:
    """All partners, by their id."""
    return PartnerList(items=[_partner(each) for each in await accounts.partners.list()])


@router.patch("/partners/{partner_id}", summary="Change a partner", responses=documented(404))
async def change_partner(
    accounts: _Accounts, partner_id: _PartnerId, changes: PartnerChanges
) -> PartnerBody:
    """Change the fields that are named. Addresses count at once; running orders keep their calendar."""
    with _translated():
        changed = await accounts.partners.change(partner_id, changes.model_dump(exclude_unset=True))
    return _partner(changed)


# --- logins ------------------------------------------------------------------------------------------------------


@router.post(
    "/partners/{partner_id}/users",
    status_code=201,
    summary="Make a partner's login and mail its invitation",
    responses=documented(404, 409),
)
async def invite_partner_user(
    accounts: _Accounts, partner_id: _PartnerId, user: NewUser
) -> UserAnswer:
    """Make a login; an invitation goes out by mail, with a link that works once and for 72 hours."""
    with _translated():
        made = await accounts.invite(partner_id, "partner", user.email, user.name, user.language)
    return _user(made)


@router.get("/partners/{partner_id}/users", summary="A partner's logins", responses=documented(404))
async def list_partner_users(accounts: _Accounts, partner_id: _PartnerId) -> UserList:
    """The logins of a partner."""
    with _translated():
        return UserList(items=[_user(each) for each in await accounts.users(partner_id)])


@router.post(
    "/partners/{partner_id}/users/{user_id}/invitation",
    summary="Mail a partner's login a new invitation",
    responses=documented(404, 409),
)
async def invite_partner_user_again(
    accounts: _Accounts, partner_id: _PartnerId, user_id: _UserId
) -> UserAnswer:
    """Mail a new invitation; the link of the former one no longer works."""
    with _translated():
        return _user(await accounts.invite_again(partner_id, user_id))


@router.delete(
    "/partners/{partner_id}/users/{user_id}",
    status_code=204,
    summary="Remove a partner's login",
    responses=documented(404),
)
async def remove_partner_user(
    accounts: _Accounts, partner_id: _PartnerId, user_id: _UserId
) -> None:
    """Remove a login; its sessions end."""
    with _translated():
        await accounts.remove_user(partner_id, user_id)


@router.post(
    "/users",
    status_code=201,
    summary="Make a login of the staff and mail its invitation",
    responses=documented(409),
)
async def invite_staff_user(accounts: _Accounts, user: NewStaffUser) -> UserAnswer:
    """Make a login for operations or accounting; an invitation goes out by mail."""
    with _translated():
        made = await accounts.invite(None, user.role, user.email, user.name, user.language)
    return _user(made)


@router.get("/users", summary="The staff's logins")
async def list_staff_users(accounts: _Accounts) -> UserList:
    """The logins of operations and accounting."""
    return UserList(items=[_user(each) for each in await accounts.users(None)])


@router.post(
    "/users/{user_id}/invitation",
    summary="Mail a login of the staff a new invitation",
    responses=documented(404, 409),
)
async def invite_staff_user_again(accounts: _Accounts, user_id: _UserId) -> UserAnswer:
    """Mail a new invitation; the link of the former one no longer works."""
    with _translated():
        return _user(await accounts.invite_again(None, user_id))


@router.delete(
    "/users/{user_id}",
    status_code=204,
    summary="Remove a login of the staff",
    responses=documented(404),
)
async def remove_staff_user(accounts: _Accounts, user_id: _UserId) -> None:
    """Remove a login; its sessions end."""
    with _translated():
        await accounts.remove_user(None, user_id)


# --- tokens ------------------------------------------------------------------------------------------------------


@router.post(
    "/partners/{partner_id}/tokens",
    status_code=201,
    response_model=TokenMade,
    summary="Make a token for a partner's software",
    responses=documented(404, 409),
)
@answer_is_secret
async def make_partner_token(
    accounts: _Accounts, partner_id: _PartnerId, token: NewToken
) -> JSONResponse:
    """Make a token. It is shown in this answer and never again."""
    with _translated():
        made = await accounts.tokens.make("partner", token.name, partner_id, token.expires_at)
    return _token_made(*made)


@router.get(
    "/partners/{partner_id}/tokens", summary="A partner's tokens", responses=documented(404)
)
async def list_partner_tokens(accounts: _Accounts, partner_id: _PartnerId) -> TokenList:
    """The tokens of a partner, but for themselves."""
    with _translated():
        return TokenList(items=[_token(each) for each in await accounts.tokens.list(partner_id)])


@router.delete(
    "/partners/{partner_id}/tokens/{token_id}",
    status_code=204,
    summary="Revoke a partner's token",
    responses=documented(404),
)
async def revoke_partner_token(
    accounts: _Accounts, partner_id: _PartnerId, token_id: _TokenId
) -> None:
    """Revoke a token, at once and for ever."""
    with _translated():
        await accounts.tokens.revoke(partner_id, token_id)


@router.post(
    "/tokens",
    status_code=201,
    response_model=TokenMade,
    summary="Make a token for a system of the retailer",
    responses=documented(409),
)
@answer_is_secret
async def make_system_token(accounts: _Accounts, token: NewSystemToken) -> JSONResponse:
    """Make a token for shop, warehouse, operations or accounting. It is shown in this answer and never again."""
    with _translated():
        made = await accounts.tokens.make(token.role, token.name, None, token.expires_at)
    return _token_made(*made)


@router.get("/tokens", summary="The tokens of the retailer's systems")
async def list_system_tokens(accounts: _Accounts) -> TokenList:
    """The tokens of the retailer's systems, but for themselves."""
    return TokenList(items=[_token(each) for each in await accounts.tokens.list(None)])


@router.delete(
    "/tokens/{token_id}",
    status_code=204,
    summary="Revoke a token of a system of the retailer",
    responses=documented(404),
)
async def revoke_system_token(accounts: _Accounts, token_id: _TokenId) -> None:
    """Revoke a token, at once and for ever."""
    with _translated():
        await accounts.tokens.revoke(None, token_id)


# --- from and to the use cases -----------------------------------------------------------------------------------


@contextmanager
def _translated() -> Iterator[None]:
    """What the use cases raise, as problems."""
    try:
        yield
    except NotFound as error:
        raise Problem(404, "Not Found", str(error)) from None
    except Conflict as error:
        raise Problem(409, "Conflict", str(error), allowed=[]) from None
    except WrongFields as error:
        raise invalid((fault.field, fault.message) for fault in error.faults) from None


def _partner(partner: Partner) -> PartnerBody:
    return PartnerBody.model_validate(partner.model_dump())


def _user(user: User) -> UserAnswer:
    return UserAnswer.model_validate(user.model_dump())


def _token(token: Token) -> TokenAnswer:
    return TokenAnswer.model_validate(token.model_dump())


def _token_made(token_id: str, token: str) -> JSONResponse:
    made = TokenMade(token_id=token_id, token=token)
    return JSONResponse(made.model_dump(), 201, headers={"Cache-Control": "no-store"})
