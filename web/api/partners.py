"""The API's calls about partners."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.fields import EmailAddress, Identifier, TextLine
from domain.values import Language
from records.iban_changes import ChangeStatus, IbanChange, NotPending, SamePerson
from records.partners import Partner, PartnerStatus
from use_cases.accounts import Accounts
from use_cases.partners import SENSITIVE_FIELDS
from use_cases.principal import Principal
from web.api.accounts import (
    AccountInput,
    AccountsDep,
    Operations,
    PartnerId,
    account_errors,
    account_router,
)
from web.api.bodies import IsoDay
from web.problems import Problem, documented
from web.security import check_confirmed, sensitive

router = account_router()

ChangeId = Annotated[str, Path(max_length=64, examples=["iban_5d1e0c9a7b2f4e63"])]
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
    "vat_number": "CHE-109.322.551 MWST",
    "iban": "CH9300762011623852957",
    "escalation_email": None,
    "vat_liable_from": None,
    "status": "active",
    "policy": None,
}
_CHANGE: dict[str, Any] = {
    "change_id": "iban_5d1e0c9a7b2f4e63",
    "from_iban": "CH9300762011623852957",
    "to_iban": "CH4431999123000889012",
    "status": "confirmed",
    "by": "Anna Meier",
    "at": "2026-12-02T08:12:00Z",
    "decided_by": "Beat Frei",
    "decided_at": "2026-12-02T10:40:00Z",
}


class PartnerBody(Partner):
    """A partner."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_PARTNER]})

    vat_liable_from: IsoDay | None = None


class PartnerAnswer(Partner):
    """A partner. `iban` is the one in force."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [_PARTNER | {"pending_iban": None, "pending_iban_change": None}]
        }
    )

    pending_iban: str | None = Field(
        description="a changed IBAN that a second person has to confirm; also null if `iban` is to be removed"
    )
    pending_iban_change: str | None = Field(
        description="the `change_id` of the change that waits; null if none does"
    )


class IbanChangeAnswer(BaseModel):
    """A change of a partner's IBAN. `first`: it had none before, so it was in force at once."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHANGE]})

    change_id: str
    from_iban: str | None
    to_iban: str | None
    status: ChangeStatus
    by: str
    at: datetime
    decided_by: str | None = Field(description="who confirmed, refused or replaced it")
    decided_at: datetime | None


class IbanChangeList(BaseModel):
    """The history of a partner's IBAN, the newest change first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_CHANGE]}]})

    items: list[IbanChangeAnswer]


class PartnerChanges(AccountInput):
    """The fields to change; all others stay. `null` empties an optional field."""

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
    vat_liable_from: IsoDay | None = Field(
        None, description="the first day of services with VAT; null: all, if there is a VAT number"
    )
    status: PartnerStatus | None = Field(
        None,
        description="`paused`: no new orders; `ended`: none either, and its logins and tokens end",
    )
    policy: Identifier | None = Field(None, description="the name of a policy; null: the standard")
    partner_id: Identifier | None = Field(None, description="cannot be changed; the same is fine")

    @property
    def is_sensitive(self) -> bool:
        """Whether mails or money go elsewhere afterwards, or the logins of an ended partner may work again."""
        resumes = self.status not in (None, "ended")
        return resumes or bool(self.model_fields_set & SENSITIVE_FIELDS)


class PartnerList(BaseModel):
    """All partners, by their id."""

    items: list[PartnerAnswer]


@router.post(
    "/partners",
    status_code=201,
    summary="Add a partner",
    responses={
        200: {"model": PartnerAnswer, "description": "The same partner exists already."},
        **documented(409),
    },
)
async def add_partner(
    accounts: AccountsDep, principal: Operations, partner: PartnerBody, response: Response
) -> PartnerAnswer:
    """Add a partner. Repeating the same partner is answered with 200, another one with the same id with 409."""
    check_confirmed(principal)  # orders can be given to it, whose mails go to its address
    with account_errors():
        given = Partner.model_validate(partner.model_dump())
        if not await accounts.partners.add(given, principal.person):
            response.status_code = 200
        return await _answer(accounts, await accounts.partners.get(partner.partner_id))


@router.get("/partners", summary="All partners")
async def list_partners(
    accounts: AccountsDep,
    status: Annotated[
        PartnerStatus | None, Query(description="only those with this status")
    ] = None,
) -> PartnerList:
    """All partners, or those with one status, by their id."""
    partners = await accounts.partners.list(status)
    pending = await accounts.partners.pending_ibans()
    return PartnerList(items=[_partner(each, pending) for each in partners])


@router.patch("/partners/{partner_id}", summary="Change a partner", responses=documented(404))
async def change_partner(
    accounts: AccountsDep,
    principal: Operations,
    partner_id: PartnerId,
    changes: PartnerChanges,
) -> PartnerAnswer:
    """Change the given fields. Addresses take effect at once; running orders keep their calendar and policy. A changed
    `iban` is in force once another person confirms it, a partner's first one at once. The partner is notified at its
    former address.

    With `"status": "ended"` the partner's sessions and invitations end at once, its tokens are revoked, and its open
    orders become `unassigned`. If it becomes `active` again, its users can log in again; it needs new tokens.
    """
    if changes.is_sensitive:
        check_confirmed(principal)
    with account_errors():
        changed = await accounts.partners.change(
            partner_id, changes.model_dump(exclude_unset=True), principal.person
        )
        return await _answer(accounts, changed)


@router.get(
    "/partners/{partner_id}/iban-changes",
    summary="The history of a partner's IBAN",
    responses=documented(404),
)
async def list_iban_changes(accounts: AccountsDep, partner_id: PartnerId) -> IbanChangeList:
    """All changes, the newest first. A `pending` one waits for a second person."""
    with account_errors():
        history = await accounts.partners.iban_history(partner_id)
    items = [IbanChangeAnswer.model_validate(each._asdict()) for each in history]
    return IbanChangeList(items=items)


@router.post(
    "/partners/{partner_id}/iban-changes/{change_id}/confirm",
    summary="Confirm a changed IBAN",
    responses=documented(404, 409),
)
@sensitive
async def confirm_iban(
    accounts: AccountsDep, principal: Operations, partner_id: PartnerId, change_id: ChangeId
) -> PartnerAnswer:
    """The changed IBAN is then in force. The person who changed it cannot confirm it (409, `same_person`)."""
    return await _decide(accounts, principal, partner_id, change_id, confirm=True)


@router.post(
    "/partners/{partner_id}/iban-changes/{change_id}/refuse",
    summary="Refuse a changed IBAN",
    responses=documented(404, 409),
)
async def refuse_iban(
    accounts: AccountsDep, principal: Operations, partner_id: PartnerId, change_id: ChangeId
) -> PartnerAnswer:
    """The IBAN in force stays. The person who changed it may also refuse it, to take the change back."""
    return await _decide(accounts, principal, partner_id, change_id, confirm=False)


async def _decide(
    accounts: Accounts, principal: Principal, partner_id: str, change_id: str, *, confirm: bool
) -> PartnerAnswer:
    with account_errors():
        try:
            partner = await accounts.partners.decide_iban(
                partner_id, change_id, confirm=confirm, by=principal.person
            )
        except SamePerson:
            text = "Another person than the one who changed the IBAN has to confirm it."
            raise Problem(
                409, "Another person is needed", text, allowed=["refuse"], code="same_person"
            ) from None
        except NotPending:
            text = "No such change of this partner's IBAN waits for a decision."
            raise Problem(409, "Not pending", text, allowed=[], code="not_pending") from None
        return await _answer(accounts, partner)


async def _answer(accounts: Accounts, partner: Partner) -> PartnerAnswer:
    return _partner(partner, await accounts.partners.pending_ibans())


def _partner(partner: Partner, pending: Mapping[str, IbanChange]) -> PartnerAnswer:
    change = pending.get(partner.partner_id)
    return PartnerAnswer(
        **partner.model_dump(include=set(Partner.model_fields)),
        pending_iban=change.to_iban if change else None,
        pending_iban_change=change.change_id if change else None,
    )
