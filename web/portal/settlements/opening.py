"""Opening the current month's settlement: select orders, see the total, confirm. Operations can do it for a partner."""

from fastapi import APIRouter, Request, Response

from domain.errors import InvalidCommand
from domain.policies import UnknownPolicy
from temporal.calls import TemporalAway
from use_cases.access import Forbidden
from use_cases.orders import RequestReused
from use_cases.principal import Principal
from use_cases.settlements import AlreadySettled, Billable, NothingToBill
from web.portal.commands import command_id
from web.portal.forms import Form
from web.portal.pages import (
    EarlyResponse,
    error_page,
    form_of,
    page,
    reader_language,
    redirect,
    register_notices,
    require_login,
)
from web.portal.settlements.choice import Choice, Picking
from web.portal.settlements.common import PARTNERS, failure_text, settlement_use_cases
from words.translations import TRANSLATIONS, mark

router = APIRouter(include_in_schema=False)

register_notices(
    {
        "settlement-opened": mark("Die Verrechnung ist abgeschlossen. Der Beleg wird jetzt erstellt."),
        "settlement-exists": mark("Diesen Monat haben Sie bereits verrechnet. Hier ist die Verrechnung."),
    }
)  # fmt: skip
NOTHING_PICKED = mark("Wählen Sie mindestens einen Auftrag aus.")
NOTHING_LEFT = mark("Keiner dieser Aufträge lässt sich im Moment verrechnen.")


@router.get("/settlements/new")
async def choose(request: Request) -> Response:
    """The orders of a partner that can be settled now, for operations."""
    principal = await require_login(request, *PARTNERS)
    if principal.role == "partner":
        return redirect(request, "/settlements")
    billable = await _billable(request, principal, request.query_params.get("partner_id"))
    return _show(request, principal, billable, Choice())


@router.post("/settlements")
async def settle(request: Request) -> Response:
    """Recalculate, turn the page, ask for confirmation, or open and close the settlement once confirmed."""
    principal = await require_login(request, *PARTNERS)
    form = await form_of(request)
    partner_id = form.get("partner_id") or None
    if principal.role == "partner":
        partner_id = None
    billable = await _billable(request, principal, partner_id)
    choice = Choice.of(form)
    step = form.get("step", "count")
    if step not in ("confirm", "open"):
        return _show(request, principal, billable, choice)
    if step == "open":
        return await _open(request, principal, form, billable, choice)
    return _confirm(request, principal, billable, choice)


async def _open(
    request: Request, principal: Principal, form: Form, billable: Billable, choice: Choice
) -> Response:
    if billable.settlement_id is not None:  # a second click, or somebody else settled the month
        return redirect(request, f"/settlements/{billable.settlement_id}", said="settlement-exists")
    picking = Picking.of(choice, billable.lines)
    if picking.digest != form.get("digest"):
        return _confirm(request, principal, billable, choice, changed=True)
    language = reader_language(request, principal)
    sp_ids = [line.sp_id for line in picking.picked]
    request_id = command_id(principal, form, str(billable.month), picking.digest)
    try:
        opened = await settlement_use_cases(request).open(
            principal,
            sp_ids,
            request_id,
            None if principal.role == "partner" else billable.partner_id,
        )
    except AlreadySettled as error:
        return redirect(request, f"/settlements/{error.settlement_id}", said="settlement-exists")
    except NothingToBill:
        problem = TRANSLATIONS[language].gettext(NOTHING_LEFT)
        return _show(request, principal, billable, choice, 409, problem)
    except (InvalidCommand, UnknownPolicy, RequestReused, TemporalAway) as failure:
        status = 503 if isinstance(failure, (UnknownPolicy, TemporalAway)) else 409
        problem = failure_text(failure, language)
        return _confirm(request, principal, billable, choice, status=status, problem=problem)
    return redirect(
        request, f"/settlements/{opened.account.settlement_id}", said="settlement-opened"
    )


async def _billable(request: Request, principal: Principal, partner_id: str | None) -> Billable:
    try:
        return await settlement_use_cases(request).billable(principal, partner_id)
    except Forbidden:
        raise EarlyResponse(error_page(request, 403)) from None
    except InvalidCommand:
        raise EarlyResponse(error_page(request, 404)) from None


def _show(
    request: Request,
    principal: Principal,
    billable: Billable,
    choice: Choice,
    status: int = 200,
    problem: str | None = None,
) -> Response:
    return page(
        request,
        "settlements/choose",
        status,
        principal=principal,
        billable=billable,
        picking=Picking.of(choice, billable.lines),
        problem=problem,
    )


def _confirm(
    request: Request,
    principal: Principal,
    billable: Billable,
    choice: Choice,
    *,
    status: int = 200,
    problem: str | None = None,
    changed: bool = False,
) -> Response:
    """The page that asks for confirmation: how many orders, and their total."""
    picking = Picking.of(choice, billable.lines)
    if not picking.picked:
        problem = TRANSLATIONS[reader_language(request, principal)].gettext(NOTHING_PICKED)
        return _show(request, principal, billable, choice, 422, problem)
    return page(
        request,
        "settlements/confirm",
        status,
        principal=principal,
        billable=billable,
        picking=picking,
        problem=problem,
        changed=changed,
    )
