"""Give several orders to another partner: those without one, or the open ones of a partner."""

from fastapi import APIRouter, Request, Response

from use_cases.worklist import WorklistUseCases
from web.portal.commands import command_id
from web.portal.forms import local_path
from web.portal.orders.common import MOST_AT_ONCE, partner_choices, results_of
from web.portal.orders.fields import Wrong, message, read_required_note
from web.portal.pages import form_of, page, reader_language
from web.portal.staff.common import require_operations
from words.translations import TRANSLATIONS

router = APIRouter(include_in_schema=False)


@router.post("/several/reassign")
async def reassign_several(request: Request) -> Response:
    """Give the ticked orders to another partner. The answer says what became of each."""
    principal = await require_operations(request)
    form = await form_of(request)
    language = reader_language(request, principal)
    sp_ids = list(dict.fromkeys(form.getlist("sp_id")))[:MOST_AT_ONCE]
    wrong = Wrong()
    partner_id = form.get("partner_id").strip()
    if not partner_id:
        wrong["partner_id"] = "choose"
    reason = read_required_note(form, "reason", wrong)
    results = None
    if not wrong:
        content = f"{partner_id}\n{reason}"
        request_ids = {sp_id: command_id(principal, form, sp_id, content) for sp_id in sp_ids}
        use_cases: WorklistUseCases = request.app.state.worklist_use_cases
        done = await use_cases.reassign_many(principal, request_ids, partner_id, reason)
        results = results_of(done, language)
    return page(
        request,
        "staff/reassigned",
        422 if wrong else 200,
        principal=principal,
        results=results,
        sp_ids=sp_ids,
        partners=await partner_choices(request),
        partner_id=partner_id,
        reason=reason,
        errors={
            f"move-{field.removesuffix('_id')}": message(
                code, language, TRANSLATIONS[language].gettext
            )
            for field, code in wrong.items()
        },
        back_to=local_path(form.get("back", "/staff")),
    )
