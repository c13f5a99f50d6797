"""What needs the attention of operations: unassigned orders, late ones, reviews, unsent mails, findings."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response

from contracts.activities import FindingKind
from domain.settlements.ids import is_settlement_id
from use_cases.operations import Operations
from web.portal.accounts import accounts_of
from web.portal.orders.common import partner_choices
from web.portal.orders.messages import message_use_cases
from web.portal.pages import page, redirect
from web.portal.staff.common import address, require_operations
from web.portal.temporal_ui import LATE, list_address
from words.translations import mark

router = APIRouter(include_in_schema=False)

PER_PAGE = 25
FIRST = 5
"""How many messages that wait for an answer the overview shows."""
FINDINGS: dict[FindingKind, str] = {
    "terminated": mark("Der Ablauf wurde von Hand beendet."),
    "failed": mark("Der Ablauf ist an einem Fehler gescheitert."),
    "timed_out": mark("Der Ablauf hat seine Zeit überschritten."),
    "canceled": mark("Der Ablauf wurde von aussen abgebrochen."),
    "missing": mark("Der Server kennt den Ablauf nicht."),
    "ended": mark("Der Ablauf ist zu Ende, obwohl noch etwas zu tun ist."),
    "stuck": mark("Der Ablauf steht still; «starter.py stuck» sagt, warum und was hilft."),
    "reset": mark("Der Ablauf steht an einer früheren Stelle als das, was gespeichert ist."),
    "different": mark("Was gespeichert ist, war etwas anderes, als im Ablauf steht."),
    "stale": mark("Was gespeichert ist, hinkt dem Ablauf nach."),
    "unclosed": mark("Gespeichert ist noch nicht, dass es zu Ende ist."),
    "unrecorded": mark("Der Ablauf läuft, ist aber nicht gespeichert."),
}


class _ListPage(Protocol):
    """One page of a list."""

    @property
    def items(self) -> Sequence[object]:
        """The entries of the page."""

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page; None on the last one."""


def _operations(request: Request) -> Operations:
    operations: Operations = request.app.state.operations
    return operations


@router.get("/staff")
async def overview(request: Request) -> Response:
    """The overview: for each subject the number of entries and the first few."""
    principal = await require_operations(request)
    situation = await _operations(request).overview(principal)
    names = {each.partner_id: each.name for each in await accounts_of(request).partners.list()}
    return page(
        request,
        "staff/overview",
        principal=principal,
        situation=situation,
        questions=await message_use_cases(request).waiting(principal, FIRST),
        names=names,
        partners=await partner_choices(request) if situation.unassigned else (),
        is_settlement=is_settlement_id,
        finding_texts=FINDINGS,
        temporal_ui=list_address(request, LATE),
    )


@router.get("/staff/unassigned")
async def unassigned(request: Request) -> Response:
    """Orders that no partner has."""
    principal = await require_operations(request)
    operations = _operations(request)
    return await _list_page(
        request,
        "staff/unassigned",
        lambda cursor: operations.unassigned(principal, PER_PAGE, cursor),
        partners=await partner_choices(request),
    )


@router.get("/staff/late")
async def late(request: Request) -> Response:
    """All late orders, or those of one partner."""
    principal = await require_operations(request)
    partner_id = request.query_params.get("partner_id", "")[:64]
    operations = _operations(request)
    return await _list_page(
        request,
        "staff/late",
        lambda cursor: operations.late(principal, partner_id or None, PER_PAGE, cursor),
        partner_id=partner_id,
    )


@router.get("/staff/transmissions")
async def transmissions(request: Request) -> Response:
    """Orders that should have been sent to their partner by now."""
    principal = await require_operations(request)
    operations = _operations(request)
    return await _list_page(
        request,
        "staff/transmissions",
        lambda cursor: operations.untransmitted(principal, PER_PAGE, cursor),
    )


@router.get("/staff/reviews")
async def reviews(request: Request) -> Response:
    """Orders that wait for a decision."""
    principal = await require_operations(request)
    operations = _operations(request)
    return await _list_page(
        request, "staff/reviews", lambda cursor: operations.reviews(principal, PER_PAGE, cursor)
    )


@router.get("/staff/questions")
async def questions(request: Request) -> Response:
    """Orders whose partner waits for an answer."""
    principal = await require_operations(request)
    found = await message_use_cases(request).waiting(principal)
    now = _operations(request).now
    return page(request, "staff/questions_page", principal=principal, questions=found, now=now)


@router.get("/staff/mails")
async def mails(request: Request) -> Response:
    """Mails and invitations that could not be sent."""
    principal = await require_operations(request)
    operations = _operations(request)
    return await _list_page(
        request,
        "staff/mails",
        lambda cursor: operations.stuck_mails(principal, PER_PAGE, cursor),
        invitations=await operations.not_invited(principal),
        is_settlement=is_settlement_id,
    )


@router.get("/staff/findings")
async def findings(request: Request) -> Response:
    """How orders and settlements differ from their workflows."""
    principal = await require_operations(request)
    operations = _operations(request)
    found = await operations.findings(principal)
    return page(
        request,
        "staff/findings",
        principal=principal,
        findings=found,
        finding_texts=FINDINGS,
        is_settlement=is_settlement_id,
    )


async def _list_page(
    request: Request,
    template: str,
    read: Callable[[str | None], Awaitable[_ListPage]],
    **values: Any,
) -> Response:
    """A page of a list. An invalid cursor redirects to the start of the list."""
    query = {k: v for k, v in request.query_params.items() if k not in ("cursor", "said")}
    path = request.scope["path"]
    try:
        listed = await read(request.query_params.get("cursor") or None)
    except ValueError:
        return redirect(request, address(path, **query))
    following = listed.next_cursor
    return page(
        request,
        template,
        items=listed.items,
        next_page=address(path, **query, cursor=following) if following else None,
        is_first="cursor" not in request.query_params,
        now=_operations(request).now,
        **values,
    )
