"""The settlements: a partner's, with what it can settle now; all partners' for operations and accounting."""

from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from domain.months import Month
from domain.settlements.settlement import SettlementStatus
from use_cases.access import Forbidden
from use_cases.principal import Principal
from web.portal.pages import error_page, member, page, redirect, spoken
from web.portal.settlements.choice import Choice, Picking
from web.portal.settlements.common import READERS, desk_of, month_name

router = APIRouter(include_in_schema=False)

PER_PAGE = 25


class Wanted(NamedTuple):
    """What the list shows, as its address says; anything that cannot be is left out."""

    q: str
    status: SettlementStatus | None
    month: Month | None
    partner_id: str
    cursor: str | None

    @classmethod
    def of(cls, request: Request, principal: Principal) -> "Wanted":
        """From the address."""
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
        """Whether it is the whole list."""
        return not (self.q or self.status or self.month or self.partner_id)

    def address(self, cursor: str | None = None) -> str:
        """The address of the list, from its beginning or from a place in it on."""
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
    """The list; a partner has above it what it can settle now."""
    principal = await member(request, *READERS)
    wanted = Wanted.of(request, principal)
    desk = desk_of(request)
    try:
        found = await desk.list(
            principal,
            partner_id=wanted.partner_id or None,
            status=wanted.status,
            month=wanted.month,
            q=wanted.q or None,
            limit=PER_PAGE,
            cursor=wanted.cursor,
        )
        billable = await desk.billable(principal) if principal.role == "partner" else None
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
        now=desk.now,
        billable=billable,
        picking=Picking.of(Choice(), billable.lines) if billable else None,
        problem=None,
        changed=False,
        month_name=month_name(spoken(request, principal)),
    )


def _month(text: str) -> Month | None:
    try:
        return Month.parse(text.strip())
    except ValueError:
        return None
