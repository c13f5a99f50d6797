"""The list of settlements: a partner's own, with what it can settle now, or those of all partners for the staff."""

from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from domain.months import Month
from domain.settlements.settlement import SettlementStatus
from use_cases.access import Forbidden
from use_cases.principal import Principal
from web.portal.pages import error_page, page, redirect, require_login
from web.portal.settlements.choice import Choice, Picking
from web.portal.settlements.common import READERS, settlement_use_cases

router = APIRouter(include_in_schema=False)

PER_PAGE = 25


class Wanted(NamedTuple):
    """The filters in the query of the list. Invalid values are ignored."""

    q: str
    status: SettlementStatus | None
    month: Month | None
    partner_id: str
    cursor: str | None

    @classmethod
    def of(cls, request: Request, principal: Principal) -> "Wanted":
        """The filters of a request. Only staff can search and choose a partner."""
        given = request.query_params
        status = given.get("status", "")
        staff = principal.role != "partner"
        return cls(
            q=given.get("q", "").replace("\0", "").strip()[:200] if staff else "",
            status=SettlementStatus(status) if status in set(SettlementStatus) else None,
            month=_month(given.get("month", "")),
            partner_id=given.get("partner_id", "")[:64] if staff else "",
            cursor=given.get("cursor") or None,
        )

    @property
    def is_plain(self) -> bool:
        """Whether there is no filter."""
        return not (self.q or self.status or self.month or self.partner_id)

    def address(self, cursor: str | None = None) -> str:
        """The address of the list with these filters, from its start or from a cursor."""
        query = {
            "q": self.q,
            "status": self.status or "",
            "month": str(self.month or ""),
            "partner_id": self.partner_id,
            "cursor": cursor or "",
        }
        given = urlencode({name: value for name, value in query.items() if value})
        return f"/settlements?{given}" if given else "/settlements"


@router.get("/settlements")
async def settlements(request: Request) -> Response:
    """The list. A partner also sees what it can settle now."""
    principal = await require_login(request, *READERS)
    wanted = Wanted.of(request, principal)
    use_cases = settlement_use_cases(request)
    try:
        found = await use_cases.list(
            principal,
            partner_id=wanted.partner_id or None,
            status=wanted.status,
            month=wanted.month,
            q=wanted.q or None,
            limit=PER_PAGE,
            cursor=wanted.cursor,
        )
        billable = await use_cases.billable(principal) if principal.role == "partner" else None
    except Forbidden:
        return error_page(request, 403)
    except ValueError:  # a cursor of another list
        return redirect(request, wanted.address())
    return page(
        request,
        "settlements/list",
        principal=principal,
        wanted=wanted,
        rows=found.items,
        next_page=wanted.address(found.next_cursor) if found.next_cursor else None,
        states=tuple(SettlementStatus),
        now=use_cases.now,
        billable=billable,
        picking=Picking.of(Choice(), billable.lines) if billable else None,
        problem=None,
        changed=False,
    )


def _month(text: str) -> Month | None:
    try:
        return Month.parse(text.strip())
    except ValueError:
        return None
