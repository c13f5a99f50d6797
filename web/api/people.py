"""The API's calls about a partner's people, and about the assignment of orders to them. For the partner's office."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.fields import EmailAddress, Identifier, TextLine
from domain.people import Notification, PartnerRole
from domain.values import Input, Language
from records.accounts import Invitation
from use_cases.people import PeopleUseCases, Person
from use_cases.principal import Principal
from web.api.accounts import account_errors
from web.api.orders import OrderCallDep
from web.problems import documented
from web.security import GuardedRouter, check_confirmed, may, sensitive
from words.order_view import OrderView

router = GuardedRouter(
    tags=["people"],
    responses=documented(401, 403, 422, 500, 503),
)

_PERSON: dict[str, Any] = {
    "user_id": "usr_7c1e0c9a7b2f4e63",
    "name": "Hans Muster",
    "email": "hans.muster@elektro-huber.example",
    "language": "de",
    "role": "technician",
    "notifications": ["assigned", "changes"],
    "open_orders": 4,
    "invitation": "accepted",
    "second_factor": False,
    "created_at": "2026-10-05T08:00:00Z",
    "last_login_at": "2026-11-02T06:12:00Z",
}


class NewPerson(Input):
    """A person of the firm who gets a login by mail. The default language is the firm's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{name: _PERSON[name] for name in ("email", "name", "role")}]
        }
    )

    email: EmailAddress
    name: TextLine
    role: PartnerRole = Field(description="technicians see and do what is assigned to them")
    language: Language | None = None


class PersonChanges(Input):
    """The fields to change; all others stay."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"notifications": ["assigned", "today"]}]}
    )

    role: PartnerRole | None = None
    notifications: list[Notification] | None = Field(
        None, max_length=20, description="the mails that this person gets, and no others"
    )


class PersonAnswer(BaseModel):
    """A person of the firm."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PERSON]})

    user_id: str
    name: str
    email: str
    language: Language
    role: PartnerRole
    notifications: tuple[Notification, ...]
    open_orders: int = Field(description="how many open orders are assigned to it")
    invitation: Invitation
    second_factor: bool
    created_at: datetime
    last_login_at: datetime | None


class PersonList(BaseModel):
    """The people of the firm, in the order in which they were invited."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_PERSON]}]})

    items: list[PersonAnswer]


class NewAssignment(Input):
    """The person of the firm that the order is assigned to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": _PERSON["user_id"]}]})

    user_id: Identifier


async def _use_cases(request: Request) -> PeopleUseCases:
    use_cases: PeopleUseCases = request.app.state.people_use_cases
    return use_cases


_People = Annotated[PeopleUseCases, Depends(_use_cases)]
_Office = Annotated[Principal, may("manage_people")]
_UserId = Annotated[str, Path(max_length=64, examples=[_PERSON["user_id"]])]


@router.get("/people", summary="The firm's people")
async def list_people(
    people: _People, principal: Annotated[Principal, may("read_people")]
) -> PersonList:
    """Everybody of the caller's firm who has a login, or was invited."""
    return PersonList(items=[_answer(each) for each in await people.list(principal)])


@router.post(
    "/people", status_code=201, summary="Invite somebody of the firm", responses=documented(409)
)
@sensitive
async def invite_person(people: _People, principal: _Office, person: NewPerson) -> PersonAnswer:
    """Make a login. An invitation is mailed, with a link that works once, for 72 hours."""
    with account_errors():
        made = await people.invite(
            principal, person.role, person.email, person.name, person.language
        )
    return _answer(made)


@router.post(
    "/people/{user_id}/invitation",
    summary="Mail somebody a new invitation",
    responses=documented(404, 409),
)
@sensitive
async def invite_person_again(
    people: _People, principal: _Office, user_id: _UserId
) -> PersonAnswer:
    """Mail a new invitation; the link of the former one no longer works."""
    with account_errors():
        return _answer(await people.invite_again(principal, user_id))


@router.patch(
    "/people/{user_id}",
    summary="Change somebody's role or notifications",
    responses=documented(404, 409),
)
async def change_person(
    people: _People, principal: _Office, user_id: _UserId, changes: PersonChanges
) -> PersonAnswer:
    """Change the given fields. The last person of the office who can log in has to stay in the office (409)."""
    if changes.role is not None:
        check_confirmed(principal)
    with account_errors():
        changed = await people.change(principal, user_id, changes.role, changes.notifications)
    return _answer(changed)


@router.delete(
    "/people/{user_id}",
    status_code=204,
    summary="Remove somebody of the firm",
    responses=documented(404, 409),
)
@sensitive
async def remove_person(people: _People, principal: _Office, user_id: _UserId) -> None:
    """Remove a login. Its sessions and tokens end, and its orders are assigned to nobody. Not one's own (409)."""
    with account_errors():
        await people.remove(principal, user_id)


@router.put(
    "/orders/{sp_id}/assignment",
    summary="Assign an order to somebody of the firm",
    response_model=OrderView,
    responses=documented(404),
)
async def assign_order(
    call: OrderCallDep, principal: Annotated[Principal, may("assign")], wanted: NewAssignment
) -> Response:
    """This replaces an earlier assignment. It ends when the firm loses the order."""
    async with call.translating(principal):
        await call.assignments.assign(principal, call.sp_id, wanted.user_id)
        found = await call.orders.find(principal, call.sp_id)
    return call.answer(await call.whole_view(principal, found))


@router.delete(
    "/orders/{sp_id}/assignment",
    summary="Let nobody of the firm have an order",
    response_model=OrderView,
    responses=documented(404),
)
async def clear_assignment(
    call: OrderCallDep, principal: Annotated[Principal, may("assign")]
) -> Response:
    """The order is assigned to nobody."""
    async with call.translating(principal):
        await call.assignments.clear(principal, call.sp_id)
        found = await call.orders.find(principal, call.sp_id)
    return call.answer(await call.whole_view(principal, found))


def _answer(person: Person) -> PersonAnswer:
    user = person.user
    return PersonAnswer(
        role=person.role,
        notifications=person.notifications,
        open_orders=person.open_orders,
        **user.model_dump(exclude={"role", "notifications", "partner_id", "partner_role"}),
    )
