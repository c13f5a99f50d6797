"""The API's call for the agenda of a partner."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from domain.agenda import Period
from records.assignments import NOBODY
from use_cases.agenda import Agenda, AgendaEntry, AgendaUseCases, UnknownPerson
from use_cases.principal import Principal
from web.problems import documented, invalid
from web.security import GuardedRouter, may
from words.order_view import CustomerView, customer_view, zoned

router = GuardedRouter(tags=["partner"], responses=documented(401, 403, 422, 500, 503))

NOBODYS = "none"
_VISIT: dict[str, Any] = {
    "sp_id": "SP-1048213",
    "start": "2026-12-01T08:00:00+01:00",
    "end": "2026-12-01T10:00:00+01:00",
    "whole_day": False,
    "status": "confirm_execution",
    "service": "Kochfeld anschliessen",
    "customer": {
        "name": "Regula Müller",
        "email": "regula.mueller@example.ch",
        "phone": "+41 44 555 01 02",
        "street": "Langstrasse 12",
        "postal_code": "8606",
        "city": "Nänikon",
        "language": "de",
    },
    "assigned_to": "usr_0f3b9c1f5a7d",
    "clashes": [],
}


class AgendaQuery(BaseModel):
    """The visits to list: those of a week or a day, of everybody or of one person."""

    model_config = ConfigDict(extra="forbid")

    week: str | None = Field(None, description="from Monday to Sunday", examples=["2026-W49"])
    day: str | None = Field(None, examples=["2026-12-01"])
    person: str | None = Field(
        None, max_length=100, description="the id of a person of the partner; `none`: not assigned"
    )


class VisitAnswer(BaseModel):
    """A visit that is agreed, or was carried out."""

    sp_id: str
    start: datetime
    end: datetime
    whole_day: bool = Field(
        description="whether the hour is unknown, because it was carried out on another day than agreed"
    )
    status: str
    service: str
    customer: CustomerView
    assigned_to: str | None = Field(description="the id of the person who goes there")
    clashes: list[str] = Field(
        description="the SP-IDs of visits at the same time of the same person or of nobody; only of visits to come"
    )


class AgendaAnswer(BaseModel):
    """The visits of a period, the earliest first. `complete`: whether it has all of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "first_day": "2026-11-30",
                    "last_day": "2026-12-06",
                    "complete": True,
                    "items": [_VISIT],
                }
            ]
        }
    )

    first_day: date
    last_day: date
    complete: bool
    items: list[VisitAnswer]


@router.get("/agenda", summary="The agenda", response_model=AgendaAnswer)
async def agenda(
    request: Request,
    principal: Annotated[Principal, may("read_agenda")],
    query: Annotated[AgendaQuery, Query()],
) -> AgendaAnswer:
    """A partner's visits in a week or on a day: `week` or `day` is needed. A technician gets only its own."""
    if (query.week is None) == (query.day is None):
        raise invalid([("week", "either week or day is needed")])
    period = Period.read(query.week, query.day)
    if period is None:
        name = "week" if query.day is None else "day"
        raise invalid([(name, "is none, or is not between 2000 and 2199")])
    use_cases: AgendaUseCases = request.app.state.agenda
    person = NOBODY if query.person == NOBODYS else query.person
    try:
        found = await use_cases.agenda(principal, period, person)
    except UnknownPerson:
        raise invalid([("person", "is nobody of this partner")]) from None
    return AgendaAnswer(
        first_day=period.first,
        last_day=period.last,
        complete=not found.is_cut,
        items=[_visit(each, found) for each in found.entries],
    )


def _visit(entry: AgendaEntry, found: Agenda) -> VisitAnswer:
    order, placement = entry.order, entry.order.intake.placement
    return VisitAnswer(
        sp_id=entry.sp_id,
        start=zoned(order.calendar, entry.start),
        end=zoned(order.calendar, entry.end),
        whole_day=entry.whole_day,
        status=order.status.value,
        service=placement.service.name,
        customer=customer_view(placement.customer),
        assigned_to=entry.person,
        clashes=list(found.clashes.get(entry.sp_id, ())),
    )
