"""The API's calls about partners."""

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.fields import EmailAddress, Identifier, TextLine
from domain.values import Language
from records.partners import Partner, PartnerStatus
from web.api.accounts import AccountInput, AccountsDep, PartnerId, account_errors, account_router
from web.problems import documented

router = account_router()

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
    "status": "active",
    "policy": None,
}


class PartnerBody(Partner):
    """A partner."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_PARTNER]})


class PartnerChanges(AccountInput):
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
    status: PartnerStatus | None = Field(
        None,
        description="`paused`: no new orders; `ended`: none either, and its logins and tokens end",
    )
    policy: Identifier | None = Field(None, description="the name of a policy; null: the standard")
    partner_id: Identifier | None = Field(None, description="cannot be changed; the same is fine")


class PartnerList(BaseModel):
    """All partners, by their id."""

    items: list[PartnerBody]


@router.post(
    "/partners",
    status_code=201,
    summary="Add a partner",
    responses={
        200: {"model": PartnerBody, "description": "It is there already, just so."},
        **documented(409),
    },
)
async def add_partner(
    accounts: AccountsDep, partner: PartnerBody, response: Response
) -> PartnerBody:
    """Add a partner. The same again is 200; another one with the same id is 409."""
    with account_errors():
        if not await accounts.partners.add(Partner.model_validate(partner.model_dump())):
            response.status_code = 200
    return partner


@router.get("/partners", summary="All partners")
async def list_partners(
    accounts: AccountsDep,
    status: Annotated[
        PartnerStatus | None, Query(description="only those with this status")
    ] = None,
) -> PartnerList:
    """All partners, or those with one status, by their id."""
    return PartnerList(items=[_partner(each) for each in await accounts.partners.list(status)])


@router.patch("/partners/{partner_id}", summary="Change a partner", responses=documented(404))
async def change_partner(
    accounts: AccountsDep, partner_id: PartnerId, changes: PartnerChanges
) -> PartnerBody:
    """Change the fields that are named. Addresses count at once; running orders keep their calendar and policy.

    With `"status": "ended"` the partner's sessions and invitations end at once and its tokens are revoked. If it
    becomes `active` again, its users can log in again; it needs new tokens.
    """
    with account_errors():
        changed = await accounts.partners.change(partner_id, changes.model_dump(exclude_unset=True))
    return _partner(changed)


def _partner(partner: Partner) -> PartnerBody:
    return PartnerBody.model_validate(partner.model_dump())
