"""The API's calls about logins: those of partners and those of the retailer's staff."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from domain.fields import EmailAddress, TextLine
from domain.values import Language
from records.accounts import Invitation, User, UserRole
from web.api.accounts import (
    AccountInput,
    AccountsDep,
    Operations,
    PartnerId,
    account_errors,
    account_router,
)
from web.problems import documented
from web.security import sensitive

router = account_router()

_UserId = Annotated[str, Path(max_length=64, examples=["usr_5d1e0c9a7b2f4e63"])]
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


class NewUser(AccountInput):
    """A person who gets a login by mail. The default language is that of the partner, or of operations."""

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
        " failed: the mail server refused it; expired: invite again"
    )
    second_factor: bool
    created_at: datetime
    last_login_at: datetime | None


class UserList(BaseModel):
    """Logins, in the order they were made."""

    items: list[UserAnswer]


@router.post(
    "/partners/{partner_id}/users",
    status_code=201,
    summary="Make a partner's login and mail its invitation",
    responses=documented(404, 409),
)
@sensitive
async def invite_partner_user(
    accounts: AccountsDep, partner_id: PartnerId, user: NewUser
) -> UserAnswer:
    """Make a login. An invitation is mailed, with a link that works once, for 72 hours."""
    with account_errors():
        made = await accounts.invite(partner_id, "partner", user.email, user.name, user.language)
    return _user(made)


@router.get("/partners/{partner_id}/users", summary="A partner's logins", responses=documented(404))
async def list_partner_users(accounts: AccountsDep, partner_id: PartnerId) -> UserList:
    """The logins of a partner."""
    with account_errors():
        return UserList(items=[_user(each) for each in await accounts.users(partner_id)])


@router.post(
    "/partners/{partner_id}/users/{user_id}/invitation",
    summary="Mail a partner's login a new invitation",
    responses=documented(404, 409),
)
@sensitive
async def invite_partner_user_again(
    accounts: AccountsDep, partner_id: PartnerId, user_id: _UserId
) -> UserAnswer:
    """Mail a new invitation; the link of the former one no longer works."""
    with account_errors():
        return _user(await accounts.invite_again(partner_id, user_id))


@router.delete(
    "/partners/{partner_id}/users/{user_id}",
    status_code=204,
    summary="Remove a partner's login",
    responses=documented(404),
)
@sensitive
async def remove_partner_user(
    accounts: AccountsDep, partner_id: PartnerId, user_id: _UserId
) -> None:
    """Remove a login; its sessions end."""
    with account_errors():
        await accounts.remove_user(partner_id, user_id)


@router.post(
    "/users",
    status_code=201,
    summary="Make a login of the staff and mail its invitation",
    responses=documented(409),
)
@sensitive
async def invite_staff_user(accounts: AccountsDep, user: NewStaffUser) -> UserAnswer:
    """Make a login for operations or accounting. An invitation is mailed."""
    with account_errors():
        made = await accounts.invite(None, user.role, user.email, user.name, user.language)
    return _user(made)


@router.get("/users", summary="The staff's logins")
async def list_staff_users(accounts: AccountsDep) -> UserList:
    """The logins of operations and accounting."""
    return UserList(items=[_user(each) for each in await accounts.users(None)])


@router.post(
    "/users/{user_id}/invitation",
    summary="Mail a login of the staff a new invitation",
    responses=documented(404, 409),
)
@sensitive
async def invite_staff_user_again(accounts: AccountsDep, user_id: _UserId) -> UserAnswer:
    """Mail a new invitation; the link of the former one no longer works."""
    with account_errors():
        return _user(await accounts.invite_again(None, user_id))


@router.delete(
    "/users/{user_id}",
    status_code=204,
    summary="Remove a login of the staff",
    responses=documented(404),
)
@sensitive
async def remove_staff_user(accounts: AccountsDep, user_id: _UserId) -> None:
    """Remove a login; its sessions end."""
    with account_errors():
        await accounts.remove_user(None, user_id)


@router.post(
    "/partners/{partner_id}/users/{user_id}/second-factor/reset",
    summary="Reset the second factor of a partner's login",
    responses=documented(404, 409),
)
@sensitive
async def reset_partner_factor(
    accounts: AccountsDep, principal: Operations, partner_id: PartnerId, user_id: _UserId
) -> UserAnswer:
    """Remove a second factor whose owner lost phone and recovery codes. Its sessions end; the owner is told by mail."""
    with account_errors():
        return _user(await accounts.second_factor.reset(partner_id, user_id, principal))


@router.post(
    "/users/{user_id}/second-factor/reset",
    summary="Reset the second factor of a login of the staff",
    responses=documented(404, 409),
)
@sensitive
async def reset_staff_factor(
    accounts: AccountsDep, principal: Operations, user_id: _UserId
) -> UserAnswer:
    """Remove a second factor whose owner lost phone and recovery codes. Nobody can reset their own (409)."""
    with account_errors():
        return _user(await accounts.second_factor.reset(None, user_id, principal))


def _user(user: User) -> UserAnswer:
    return UserAnswer.model_validate(user.model_dump())
