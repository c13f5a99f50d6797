"""The page of a settlement: its state, lines, sums and documents, and the forms of the allowed actions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from domain.settlements.lines import CorrectionLine, Line, in_order
from invoices.problems import problem_text
from records.corrections import Correction
from records.settlements import StoredSettlement
from use_cases import access
from use_cases.principal import Principal
from web.portal.pages import page, reader_language, redirect, require_login
from web.portal.settlements.choice import PER_PAGE, Choice, Picking
from web.portal.settlements.common import READERS, find, settlement_use_cases
from words.settlement_view import settlement_view
from words.uploads import upload_outcome_text

router = APIRouter(include_in_schema=False)

LEFT_OUT_SHOWN = 100


@dataclass(frozen=True)
class RejectedForm:
    """A form of the page that was not accepted.

    `opened` names the form, `problem` says what is wrong with it as a whole, `errors` what is wrong with each field by
    its id. `typed` is the input by field, `wrong` the list of errors of an uploaded invoice.
    """

    opened: str = ""
    problem: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()


NO_FORM = RejectedForm()


@router.get("/settlements/{settlement_id}")
async def settlement(request: Request, settlement_id: str) -> Response:
    """A settlement. The query parameter `part` is the page of its lines."""
    principal = await require_login(request, *READERS)
    found = await find(request, principal, settlement_id)
    return await show(request, principal, found)


@router.get("/settlements/{settlement_id}/{form_name}")
async def back_to_settlement(request: Request, settlement_id: str, form_name: str) -> Response:
    """Redirect a person who opens the address of a form, such as by reloading its answer."""
    await require_login(request, *READERS)
    return redirect(request, f"/settlements/{quote(settlement_id, safe='')}")


async def show(
    request: Request,
    principal: Principal,
    found: StoredSettlement,
    status: int = 200,
    *,
    sent: RejectedForm = NO_FORM,
    choice: Choice | None = None,
) -> Response:
    """The page of a settlement as it is now. `sent` is a form that was not accepted, `choice` the selection in it."""
    use_cases, language = settlement_use_cases(request), reader_language(request, principal)
    view = settlement_view(
        found.settlement, found.account, found.events, use_cases.now, language, principal.role
    )
    picking: Picking | None = None
    to_come: tuple[CorrectionLine, ...] = ()
    if "select" in view.allowed:
        lines, to_come = await selectable(request, principal, found)
        picking = Picking.of(choice or picked_now(found, lines), lines)
    pages = max(1, -(-len(view.orders) // PER_PAGE))
    part = min(_part(request), pages)
    corrections: tuple[Correction, ...] = ()
    if principal.role in access.MAY["read_corrections"]:
        known = await use_cases.corrections.of(principal, view.partner_id)
        corrections = tuple(each for each in known if each.settlement_id is None)
    return page(
        request,
        "settlements/settlement",
        status,
        principal=principal,
        view=view,
        account=found.account,
        settlement=found.settlement,
        lines=view.orders[(part - 1) * PER_PAGE : part * PER_PAGE],
        part=part,
        pages=pages,
        first=(part - 1) * PER_PAGE,
        left_out_shown=LEFT_OUT_SHOWN,
        picking=picking,
        to_come=to_come,
        pending=corrections,
        held_problems=[problem_text(each, language) for each in held.verdict.problems]
        if (held := found.settlement.held)
        else [],
        uploaded=await use_cases.uploaded_invoices.list(principal, view.settlement_id),
        outcome_text=partial(upload_outcome_text, language=language),
        sent=sent,
        now=use_cases.now,
        today=use_cases.now.astimezone(use_cases.zone).date(),
    )


async def selectable(
    request: Request, principal: Principal, found: StoredSettlement
) -> tuple[tuple[Line, ...], tuple[CorrectionLine, ...]]:
    """The lines that can be selected while a settlement is open, and the corrections that closing it will add.

    The lines are those of the settlement and those of all other orders that are not billed yet.
    """
    partner_id = None if principal.role == "partner" else found.account.partner_id
    billable = await settlement_use_cases(request).billable(principal, partner_id)
    lines = {line.sp_id: line for line in (*found.account.lines, *billable.lines)}
    return in_order(lines.values()), tuple(each.line for each in billable.corrections)


def picked_now(found: StoredSettlement, lines: tuple[Line, ...]) -> Choice:
    """The settlement's present selection."""
    return Choice.only(frozenset(line.sp_id for line in found.account.lines), lines)


def _part(request: Request) -> int:
    text = request.query_params.get("part", "1")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 6 else 1
