"""A partner's overview: what is overdue, what is due today, then by state; and actions on several orders at once."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from domain.orders.commands import Accept, ConfirmExecution, ExternalCommand
from domain.orders.order import Status
from records.customer_links import OpenWish
from records.messages import UnreadOrder
from records.reminders import DueReminder
from records.worklist import Job, Section
from use_cases.access import Forbidden
from use_cases.principal import Principal
from use_cases.worklist import WAITING, Task
from web.portal.commands import command_id
from web.portal.device import kept_on_device
from web.portal.formats import local
from web.portal.orders.common import (
    MOST_AT_ONCE,
    Result,
    assignment_use_cases,
    contact_links,
    results_of,
    worklist_use_cases,
)
from web.portal.orders.fields import message, read_day
from web.portal.orders.messages import message_use_cases
from web.portal.orders.reminders import reminders
from web.portal.pages import (
    Form,
    error_page,
    form_of,
    page,
    reader_language,
    redirect,
    require_login,
)
from web.portal.visit import customer_links
from words.translations import TRANSLATIONS

router = APIRouter(include_in_schema=False)

SHOWN = 20
"""How many orders a section shows; a link leads to the others."""


class Groups(NamedTuple):
    """The overview's jobs: overdue ones, those of today, and the others by state. Each job is in one of them.

    `hidden` has the number of jobs of each state that are not listed at all.
    """

    overdue: tuple[Job, ...]
    today: tuple[Job, ...]
    others: Mapping[Status, tuple[Job, ...]]
    hidden: Mapping[Status, int]


def grouped(sections: Mapping[Status, Section], now: datetime) -> Groups:
    """The jobs of these sections by urgency, the most urgent first. Jobs that wait for others stay in their section."""
    overdue: list[Job] = []
    today: list[Job] = []
    others: dict[Status, tuple[Job, ...]] = {}
    for state, section in sections.items():
        urgency = [None if state in WAITING else _urgency(job, now) for job in section.jobs]
        pairs = list(zip(section.jobs, urgency, strict=True))
        overdue += [job for job, when in pairs if when == "overdue"]
        today += [job for job, when in pairs if when == "today"]
        others[state] = tuple(job for job, when in pairs if when is None)
    return Groups(
        tuple(sorted(overdue, key=_instant_of)),
        tuple(sorted(today, key=_instant_of)),
        others,
        {state: section.total - len(section.jobs) for state, section in sections.items()},
    )


def _urgency(job: Job, now: datetime) -> str | None:
    if job.due is not None and job.due <= now:
        return "overdue"
    day = local(now).date()
    begins = (
        job.appointment.start
        if job.status is Status.CONFIRM_EXECUTION and job.appointment
        else None
    )
    is_today = any(at is not None and local(at).date() == day for at in (job.due, begins))
    return "today" if is_today else None


def _instant_of(job: Job) -> tuple[datetime, str]:
    at = job.due or (job.appointment.start if job.appointment else None)
    assert at is not None, "it is urgent for one of them"
    return at, job.placement.sp_id


def version_of(
    sections: Mapping[Status, Section],
    reminded: tuple[DueReminder, ...],
    news: tuple[UnreadOrder, ...],
    wishes: tuple[OpenWish, ...],
) -> str:
    """A text that changes whenever the content of the overview changes."""
    shown = [
        (
            str(state),
            section.total,
            [(job.placement.sp_id, job.due, job.appointment) for job in section.jobs],
        )
        for state, section in sections.items()
    ]
    asked = [each.wish for each in wishes]
    return hashlib.sha256(repr((shown, reminded, news, asked)).encode()).hexdigest()[:20]


@router.get("/overview/version")
async def version(request: Request) -> Response:
    """The version of the reader's overview (`version_of`), so that an open page can tell whether it is out of date."""
    principal = await require_login(request, "partner")
    use_cases = worklist_use_cases(request)
    sections = await use_cases.worklist(principal, SHOWN)
    reminded = await _reminded(request, principal, use_cases.now)
    news = await message_use_cases(request).news(principal)
    wishes = await customer_links(request).open_wishes(principal)
    return JSONResponse(
        {"version": version_of(sections, reminded, news, wishes)},
        headers={"Cache-Control": "no-store"},
    )


async def _reminded(
    request: Request, principal: Principal, now: datetime
) -> tuple[DueReminder, ...]:
    return await reminders(request).due(
        principal.login_id, principal.partner_id or "", now, principal.only_assigned_to
    )


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
    deed: str = "",
    error: str | None = None,
    day: str = "",
    ticked: list[str] | None = None,
) -> Response:
    use_cases = worklist_use_cases(request)
    sections = await use_cases.overview(principal, SHOWN)
    now = use_cases.now
    reminded = await _reminded(request, principal, now)
    news = await message_use_cases(request).shown_news(principal)
    wishes = await customer_links(request).open_wishes(principal)
    return page(
        request,
        "orders/overview",
        status,
        principal=principal,
        headers=kept_on_device(principal) if status == 200 and results is None else None,
        sections=sections,
        groups=grouped(sections, now),
        reminded=reminded,
        news=news,
        wishes=wishes,
        version=version_of(sections, reminded, news, wishes),
        contact_links=contact_links,
        assigned=await assignment_use_cases(request).of(
            principal,
            [job.placement.sp_id for section in sections.values() for job in section.jobs],
        ),
        open_count=sum(
            section.total for state, section in sections.items() if state not in WAITING
        ),
        quiet_states=WAITING,
        now=now,
        today=local(now).date(),
        results=results,
        deed=deed,
        error=error,
        day=day,
        ticked=ticked or [],
    )


@router.get("/several/accept")
@router.get("/several/execution")
async def back_to_overview(request: Request) -> Response:
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
    try:
        done = await worklist_use_cases(request).do_all(principal, tasks)
    except Forbidden:
        return error_page(request, 403)
    results = results_of(done, reader_language(request, principal))
    deed = "execution" if isinstance(command, ConfirmExecution) else "accept"
    return await _show(request, principal, results=results, deed=deed)
