"""Several orders at once: give them to another partner, cancel them, or remind their partners.

The list leads here with the ticked orders. The page shows them again before anything is done.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, NamedTuple

from fastapi import APIRouter, Request, Response

from domain.orders.commands import Cancel
from domain.orders.order import Order
from domain.values import Language
from use_cases.asked_reminders import AskedReminderUseCases, Reminded
from use_cases.orders import TemporalAway, UnknownOrder
from use_cases.principal import Principal
from use_cases.worklist import Task, WorklistUseCases
from web.portal.commands import command_id
from web.portal.formats import instant
from web.portal.forms import local_path
from web.portal.orders.common import (
    MOST_AT_ONCE,
    Result,
    order_use_cases,
    partner_choices,
    results_of,
)
from web.portal.orders.fields import Wrong, message, read_required_note
from web.portal.pages import Form, form_of, page, reader_language
from web.portal.staff.common import require_operations
from words.translations import TRANSLATIONS, mark, say

router = APIRouter(include_in_schema=False)

What = Literal["reassign", "cancel", "remind"]
_JUST_REMINDED = mark("Dazu ging schon um %(time)s eine Erinnerung hinaus.")
_NOT_WAITING = mark("Im Moment wartet nichts davon auf den Servicepartner.")
_UNKNOWN = mark("Diesen Auftrag gibt es nicht.")


class _Typed(NamedTuple):
    """The input of the form."""

    partner_id: str = ""
    reason: str = ""


_NOTHING = _Typed()


@router.get("/several/reassign")
async def choose_partner(request: Request) -> Response:
    """Ask which partner gets the ticked orders."""
    return await _ask(request, "reassign")


@router.get("/several/cancel")
async def ask_reason(request: Request) -> Response:
    """Ask for the reason for cancelling the ticked orders."""
    return await _ask(request, "cancel")


@router.get("/several/remind")
async def ask_to_remind(request: Request) -> Response:
    """Show the orders of which their partners will be reminded."""
    return await _ask(request, "remind")


@router.post("/several/reassign")
async def reassign_several(request: Request) -> Response:
    """Give the ticked orders to another partner. The answer has the result for each."""
    principal = await require_operations(request)
    form = await form_of(request)
    wrong = Wrong()
    partner_id = form.get("partner_id").strip()
    if not partner_id:
        wrong["partner_id"] = "choose"
    reason = read_required_note(form, "reason", wrong)
    results = None
    if not wrong:
        request_ids = _request_ids(principal, form, f"{partner_id}\n{reason}")
        use_cases: WorklistUseCases = request.app.state.worklist_use_cases
        done = await use_cases.reassign_many(principal, request_ids, partner_id, reason)
        results = results_of(done, reader_language(request, principal))
    return await _answer(
        request, principal, form, "reassign", results, wrong, _Typed(partner_id, reason)
    )


@router.post("/several/cancel")
async def cancel_several(request: Request) -> Response:
    """Cancel the ticked orders. The answer has the result for each."""
    principal = await require_operations(request)
    form = await form_of(request)
    wrong = Wrong()
    reason = read_required_note(form, "reason", wrong)
    results = None
    if not wrong:
        command = Cancel(reason=reason)
        content = command.model_dump_json()
        tasks = {
            sp_id: Task(command, request_id)
            for sp_id, request_id in _request_ids(principal, form, content).items()
        }
        use_cases: WorklistUseCases = request.app.state.worklist_use_cases
        done = await use_cases.do_all(principal, tasks)
        results = results_of(done, reader_language(request, principal))
    return await _answer(request, principal, form, "cancel", results, wrong, _Typed("", reason))


@router.post("/several/remind")
async def remind_several(request: Request) -> Response:
    """Remind the partners of the ticked orders, each with one mail. The answer has the result for each order."""
    principal = await require_operations(request)
    form = await form_of(request)
    use_cases: AskedReminderUseCases = request.app.state.asked_reminders
    sp_ids = _ticked(form.getlist("sp_id"))
    request_id = command_id(principal, form, "remind", "")
    reminded = await use_cases.remind(principal, sp_ids, request_id)
    language = reader_language(request, principal)
    results = [_result(sp_id, each, language) for sp_id, each in reminded.items()]
    return await _answer(request, principal, form, "remind", results)


def _ticked(sp_ids: list[str]) -> list[str]:
    return list(dict.fromkeys(sp_ids))[:MOST_AT_ONCE]


def _request_ids(principal: Principal, form: Form, content: str) -> dict[str, str]:
    return {
        sp_id: command_id(principal, form, sp_id, content)
        for sp_id in _ticked(form.getlist("sp_id"))
    }


def _result(sp_id: str, reminded: Reminded, language: Language) -> Result:
    match reminded.outcome:
        case "asked":
            return Result(sp_id, True, False, "")
        case "just_reminded":
            at = instant(reminded.at) if reminded.at else ""
            return Result(sp_id, False, False, say(language, _JUST_REMINDED, time=at[-5:]))
        case "not_waiting":
            return Result(sp_id, False, False, say(language, _NOT_WAITING))
        case "unknown":
            return Result(sp_id, False, False, say(language, _UNKNOWN))


async def _known(request: Request, principal: Principal, sp_ids: list[str]) -> dict[str, Order]:
    """The ticked orders that can be shown with their customers; of the others the page shows only the id."""
    known = {}
    for sp_id in sp_ids:
        with suppress(UnknownOrder, TemporalAway):
            known[sp_id] = (await order_use_cases(request).find(principal, sp_id)).order
    return known


async def _ask(request: Request, what: What) -> Response:
    principal = await require_operations(request)
    given = request.query_params
    return await _show(
        request,
        principal,
        what,
        _ticked(given.getlist("sp_id")),
        local_path(given.get("back", "/orders")),
    )


async def _answer(
    request: Request,
    principal: Principal,
    form: Form,
    what: What,
    results: list[Result] | None,
    wrong: Mapping[str, str] | None = None,
    typed: _Typed = _NOTHING,
) -> Response:
    return await _show(
        request,
        principal,
        what,
        _ticked(form.getlist("sp_id")),
        local_path(form.get("back", "/staff")),
        results,
        wrong or {},
        typed,
    )


async def _show(
    request: Request,
    principal: Principal,
    what: What,
    sp_ids: list[str],
    back: str,
    results: list[Result] | None = None,
    wrong: Mapping[str, str] = {},
    typed: _Typed = _NOTHING,
) -> Response:
    language = reader_language(request, principal)
    texts = TRANSLATIONS[language]
    return page(
        request,
        "staff/several",
        422 if wrong else 200,
        principal=principal,
        what=what,
        results=results,
        sp_ids=sp_ids,
        orders=await _known(request, principal, sp_ids) if results is None else {},
        partners=await partner_choices(request) if what == "reassign" else (),
        typed=typed,
        errors={
            f"move-{field.removesuffix('_id')}": message(code, language, texts.gettext)
            for field, code in wrong.items()
        },
        back_to=back,
    )
