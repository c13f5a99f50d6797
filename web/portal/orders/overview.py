"""A partner's overview with a section for each state, and actions on several orders at once."""

from fastapi import APIRouter, Request, Response

from domain.orders.commands import Accept, ConfirmExecution, ExternalCommand
from use_cases.principal import Principal
from use_cases.worklist import WAITING, Task
from web.portal.commands import command_id
from web.portal.formats import local
from web.portal.orders.common import MOST_AT_ONCE, Result, results_of, worklist_use_cases
from web.portal.orders.fields import message, read_day
from web.portal.pages import Form, form_of, page, reader_language, redirect, require_login
from words.translations import TRANSLATIONS

router = APIRouter(include_in_schema=False)

SHOWN = 20
"""How many orders a section shows; a link leads to the others."""


@router.get("/")
async def overview(request: Request) -> Response:
    """A partner's open tasks, the most urgent first. Staff is redirected to its own overviews."""
    principal = await require_login(request, "partner", "operations", "accounting")
    if principal.role != "partner":
        return redirect(request, "/staff" if principal.role == "operations" else "/settlements")
    return await _show(request, principal)


async def _show(
    request: Request,
    principal: Principal,
    status: int = 200,
    results: list[Result] | None = None,
    error: str | None = None,
    day: str = "",
    ticked: list[str] | None = None,
) -> Response:
    use_cases = worklist_use_cases(request)
    sections = await use_cases.worklist(principal, SHOWN)
    now = use_cases.now
    return page(
        request,
        "orders/overview",
        status,
        principal=principal,
        sections=sections,
        open_count=sum(
            section.total for state, section in sections.items() if state not in WAITING
        ),
        quiet_states=WAITING,
        now=now,
        today=local(now).date(),
        results=results,
        error=error,
        day=day,
        ticked=ticked or [],
    )


@router.get("/several/{what}")
async def back_to_overview(request: Request, what: str) -> Response:
    """Redirect a person who opens the address of a form, such as by reloading its answer."""
    return redirect(request, "/")


@router.post("/several/accept")
async def accept_several(request: Request) -> Response:
    """Accept the ticked orders, or all that the section showed."""
    principal = await require_login(request, "partner")
    form = await form_of(request)
    which = "shown" if form.get("which") == "all" else "sp_id"
    return await _carry_out(request, principal, form, form.getlist(which), Accept())


@router.post("/several/execution")
async def confirm_several(request: Request) -> Response:
    """Confirm the execution of the ticked orders, all on one day."""
    principal = await require_login(request, "partner")
    form = await form_of(request)
    wrong: dict[str, str] = {}
    day = read_day(form.get("executed_on"), "executed_on", wrong)
    if day is None:
        language = reader_language(request, principal)
        error = message(wrong["executed_on"], language, TRANSLATIONS[language].gettext)
        typed, ticked = form.get("executed_on"), form.getlist("sp_id")
        return await _show(request, principal, 422, error=error, day=typed, ticked=ticked)
    command = ConfirmExecution(executed_on=day)
    return await _carry_out(request, principal, form, form.getlist("sp_id"), command)


async def _carry_out(
    request: Request,
    principal: Principal,
    form: Form,
    sp_ids: list[str],
    command: ExternalCommand,
) -> Response:
    content = command.model_dump_json()
    tasks = {
        sp_id: Task(command, command_id(principal, form, sp_id, content))
        for sp_id in sp_ids[:MOST_AT_ONCE]
    }
    done = await worklist_use_cases(request).do_all(principal, tasks)
    results = results_of(done, reader_language(request, principal))
    return await _show(request, principal, results=results)
