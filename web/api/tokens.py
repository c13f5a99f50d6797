"""The API's calls about tokens: those of partners' software and those of the retailer's systems."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from domain.fields import Instant, TextLine
from records.tokens import EndedBecause, Token, TokenRole
from web.api.accounts import (
    AccountInput,
    AccountsDep,
    Operations,
    PartnerId,
    account_errors,
    account_router,
)
from web.idempotency import answer_is_secret
from web.problems import documented
from web.security import sensitive

router = account_router()

_TokenId = Annotated[str, Path(max_length=64, examples=["tok_91c04b7de2a85f36"])]
_TOKEN: dict[str, Any] = {
    "token_id": "tok_91c04b7de2a85f36",
    "role": "partner",
    "partner_id": "elektro-huber",
    "name": "Planungssoftware",
    "created_at": "2026-10-05T08:00:00Z",
    "last_used_at": None,
    "expires_at": "2027-10-05T08:00:00Z",
    "revoked_at": None,
    "created_by": "usr_0b7d4a1c9e2f5836",
    "created_by_name": "Anna Meier",
    "ended_because": None,
}


class NewToken(AccountInput):
    """A token for a partner's software. Without `expires_at` it lasts as long as any token may."""

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
    """The data about a token, without the token itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TOKEN]})

    token_id: str
    role: TokenRole
    partner_id: str | None
    name: str
    created_at: datetime
    last_used_at: datetime | None = Field(description="to the minute")
    expires_at: datetime | None
    revoked_at: datetime | None
    created_by: str | None = Field(
        description="the login that made it, or that of the maker's token"
    )
    created_by_name: str | None = Field(description="the name of that login, while it exists")
    ended_because: EndedBecause | None = Field(
        description="why the token ended if nobody revoked it: its maker's login was removed, or its partner ended"
    )


class TokenList(BaseModel):
    """Tokens in the order in which they were made, including revoked ones."""

    items: list[TokenAnswer]


@router.post(
    "/partners/{partner_id}/tokens",
    status_code=201,
    response_model=TokenMade,
    summary="Make a token for a partner's software",
    responses=documented(404, 409),
)
@answer_is_secret
@sensitive
async def make_partner_token(
    accounts: AccountsDep, principal: Operations, partner_id: PartnerId, token: NewToken
) -> JSONResponse:
    """Make a token. It is shown in this answer and never again."""
    with account_errors():
        made = await accounts.tokens.make(
            "partner",
            token.name,
            partner_id,
            token.expires_at,
            made_by=principal.login_person,
        )
    return _token_made(*made)


@router.get(
    "/partners/{partner_id}/tokens", summary="A partner's tokens", responses=documented(404)
)
async def list_partner_tokens(accounts: AccountsDep, partner_id: PartnerId) -> TokenList:
    """The tokens of a partner, without the tokens themselves."""
    with account_errors():
        return TokenList(items=[_token(each) for each in await accounts.tokens.list(partner_id)])


@router.delete(
    "/partners/{partner_id}/tokens/{token_id}",
    status_code=204,
    summary="Revoke a partner's token",
    responses=documented(404),
)
async def revoke_partner_token(
    accounts: AccountsDep, partner_id: PartnerId, token_id: _TokenId
) -> None:
    """Revoke a token, at once and for ever."""
    with account_errors():
        await accounts.tokens.revoke(partner_id, token_id)


@router.post(
    "/tokens",
    status_code=201,
    response_model=TokenMade,
    summary="Make a token for a system of the retailer",
    responses=documented(409),
)
@answer_is_secret
@sensitive
async def make_system_token(
    accounts: AccountsDep, principal: Operations, token: NewSystemToken
) -> JSONResponse:
    """Make a token for shop, warehouse, operations or accounting. It is shown in this answer and never again."""
    with account_errors():
        made = await accounts.tokens.make(
            token.role, token.name, None, token.expires_at, made_by=principal.login_person
        )
    return _token_made(*made)


@router.get("/tokens", summary="The tokens of the retailer's systems")
async def list_system_tokens(accounts: AccountsDep) -> TokenList:
    """The tokens of the retailer's systems, without the tokens themselves."""
    return TokenList(items=[_token(each) for each in await accounts.tokens.list(None)])


@router.delete(
    "/tokens/{token_id}",
    status_code=204,
    summary="Revoke a token of a system of the retailer",
    responses=documented(404),
)
async def revoke_system_token(accounts: AccountsDep, token_id: _TokenId) -> None:
    """Revoke a token, at once and for ever."""
    with account_errors():
        await accounts.tokens.revoke(None, token_id)


def _token(token: Token) -> TokenAnswer:
    stored = token.model_dump(exclude={"made_by", "maker", "maker_role"})
    return TokenAnswer(**stored, created_by=token.made_by, created_by_name=token.maker)


def _token_made(token_id: str, token: str) -> JSONResponse:
    made = TokenMade(token_id=token_id, token=token)
    return JSONResponse(made.model_dump(), 201, headers={"Cache-Control": "no-store"})
