"""The forms on a settlement's page: select, close, upload the invoice, note it as received, void, correct."""

import re
from collections.abc import Awaitable
from decimal import Decimal, InvalidOperation

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from domain.errors import InvalidCommand
from domain.settlements.commands import NoteInvoice, RefuseHeldInvoice, VoidSettlement
from domain.settlements.errors import SettlementRefused
from domain.settlements.invoicing import Verdict
from domain.settlements.lines import CorrectionLine
from domain.settlements.settlement import month_runs
from domain.values import Language
from invoices.check import LARGEST
from invoices.problems import problem_text
from records.settlements import StoredSettlement
from records.uploads import OverQuota
from temporal.calls import TemporalAway
from use_cases.access import Forbidden
from use_cases.orders import RequestReused
from use_cases.principal import Principal, Role
from use_cases.settlements import NothingToBill, UnknownPartner, UnknownSettlement
from web.portal.commands import command_id
from web.portal.pages import (
    error_page,
    form_of,
    page,
    reader_language,
    redirect,
    register_notices,
    require_login,
)
from web.portal.settlements.choice import Choice, Picking
from web.portal.settlements.common import (
    PARTNERS,
    failure_text,
    find,
    settlement_use_cases,
)
from web.portal.settlements.opening import NOTHING_LEFT, NOTHING_PICKED
from web.portal.settlements.settlement import RejectedForm, picked_now, selectable, show
from words.translations import TRANSLATIONS, mark

router = APIRouter(include_in_schema=False)

register_notices(
    {
        "settlement-selected": mark("Die Auswahl ist gespeichert."),
        "settlement-closed": mark("Die Auswahl ist abgeschlossen. Der Beleg wird jetzt erstellt."),
        "settlement-invoiced": mark("Die Rechnung stimmt und ist bei der Buchhaltung."),
        "settlement-held": mark(
            "Die Rechnung nennt ein anderes Konto als das hinterlegte. Die Buchhaltung entscheidet."
        ),
        "settlement-accepted": mark("Die Rechnung ist angenommen."),
        "settlement-noted": mark("Die Rechnung ist als erhalten vermerkt."),
        "settlement-voided": mark("Die Verrechnung ist storniert. Ihre Aufträge werden wieder frei."),
        "settlement-corrected": mark("Die Korrektur kommt in die nächste Verrechnung des Partners."),
    }
)  # fmt: skip
_STAFF: tuple[Role, ...] = ("operations", "accounting")
_MOST_NAMED = 200
_AMOUNT = re.compile(r"[+-]?\d+(\.\d{1,2})?")
_NO_FILE = mark("Wählen Sie die Rechnung als PDF-Datei aus.")
_TOO_LARGE = mark("Die Datei ist grösser als %(megabytes)s MB. Bitte speichern Sie sie kleiner.")
_EMPTY = mark("Bitte ausfüllen.")
_TOO_LONG = mark("Das ist zu lang, oder enthält Zeichen, die hier nicht möglich sind.")
_NO_AMOUNT = mark("Geben Sie einen Betrag in Franken an, zum Beispiel -12.50.")
_NO_SP_ID = mark("Das ist keine SP-ID.")
_MISSING = mark("%(sp_id)s fehlt auf der Rechnung.")
_FOREIGN = mark("%(sp_id)s gehört nicht auf diese Rechnung.")


@router.post("/settlements/{settlement_id}/selection")
async def select(request: Request, settlement_id: str) -> Response:
    """Recalculate, turn the page, save the selection, ask for confirmation, or close it once confirmed."""
    principal = await require_login(request, *PARTNERS)
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    choice, step = Choice.of(form), form.get("step", "count")
    if step not in ("save", "confirm", "close"):
        return await show(request, principal, found, choice=choice)
    lines, to_come = await selectable(request, principal, found)
    picking = Picking.of(choice, lines)
    language, use_cases = reader_language(request, principal), settlement_use_cases(request)
    if step != "save" and not picking.picked:
        sent = RejectedForm("select", problem=TRANSLATIONS[language].gettext(NOTHING_PICKED))
        return await show(request, principal, found, 422, sent=sent, choice=choice)
    if step == "confirm" or (step == "close" and picking.digest != form.get("digest")):
        return page(
            request,
            "settlements/confirm_close",
            principal=principal,
            found=found,
            picking=picking,
            to_come=to_come,
            changed=step == "close",
            runs=found.account.month if month_runs(found.settlement, use_cases.now) else None,
        )
    try:
        if picking.picked != Picking.of(picked_now(found, lines), lines).picked:
            request_id = command_id(principal, form, f"{settlement_id} select", picking.digest)
            sp_ids = [line.sp_id for line in picking.picked]
            found = await use_cases.select(principal, settlement_id, sp_ids, request_id)
        if step == "close":
            request_id = command_id(principal, form, f"{settlement_id} close", picking.digest)
            await use_cases.close(principal, settlement_id, request_id)
    except NothingToBill:
        sent = RejectedForm("select", problem=TRANSLATIONS[language].gettext(NOTHING_LEFT))
        return await show(request, principal, found, 409, sent=sent, choice=choice)
    except (SettlementRefused, RequestReused, TemporalAway) as failure:
        return await failure_page(request, principal, settlement_id, failure, "select", {}, choice)
    said = "settlement-closed" if step == "close" else "settlement-selected"
    return redirect(request, f"/settlements/{settlement_id}", said=said)


@router.post("/settlements/{settlement_id}/invoice")
async def send_invoice(request: Request, settlement_id: str) -> Response:
    """Upload the partner's invoice. Its problems are shown beside the form."""
    principal = await require_login(request, *PARTNERS)
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    language = reader_language(request, principal)
    file = form.files.get("invoice")
    if file is None or not file.content:
        errors = {"invoice": TRANSLATIONS[language].gettext(_NO_FILE)}
        return await show(
            request, principal, found, 422, sent=RejectedForm("invoice", errors=errors)
        )
    if len(file.content) > LARGEST:
        text = TRANSLATIONS[language].gettext(_TOO_LARGE) % {"megabytes": LARGEST >> 20}
        sent = RejectedForm("invoice", errors={"invoice": text})
        return await show(request, principal, found, 422, sent=sent)
    work = settlement_use_cases(request).papers.upload_invoice(
        principal, settlement_id, file.content, file.filename
    )
    try:
        verdict = await work
    except (SettlementRefused, RequestReused, TemporalAway, OverQuota) as failure:
        return await failure_page(request, principal, settlement_id, failure, "invoice", {})
    if verdict.accepted or verdict.accounting_decides:
        said = "settlement-invoiced" if verdict.accepted else "settlement-held"
        return redirect(request, f"/settlements/{settlement_id}", said=said)
    found = await find(request, principal, settlement_id)
    sent = RejectedForm(
        "invoice", typed={"name": file.filename}, wrong=invoice_errors(verdict, language)
    )
    return await show(request, principal, found, 422, sent=sent)


@router.post("/settlements/{settlement_id}/invoice-decision")
async def decide_about_invoice(request: Request, settlement_id: str) -> Response:
    """Accept the invoice that names another account than the registered one, or return it with a reason."""
    principal = await require_login(request, *_STAFF)
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    accepts = form.get("decision") == "accept"
    reason, paper_id = form.get("account_reason").strip(), form.get("paper")
    opened = "accept_invoice" if accepts else "refuse_invoice"
    typed = {"account_reason": reason}
    if not accepts:
        try:
            reason = RefuseHeldInvoice(paper_id=paper_id, reason=reason).reason
        except ValidationError:
            text = TRANSLATIONS[reader_language(request, principal)].gettext(
                _TOO_LONG if reason else _EMPTY
            )
            sent = RejectedForm(opened, errors={"account_reason": text}, typed=typed)
            return await show(request, principal, found, 422, sent=sent)
    request_id = command_id(principal, form, f"{settlement_id} {opened}", f"{paper_id} {reason}")
    work = settlement_use_cases(request).papers.decide_about_held(
        principal,
        settlement_id,
        reason=None if accepts else reason,
        request_id=request_id,
        paper_id=paper_id,
    )
    said = "settlement-accepted" if accepts else "settlement-sent-back"
    return await carry_out(request, principal, settlement_id, work, opened, typed, said)


@router.post("/settlements/{settlement_id}/invoice-received")
async def note_invoice(request: Request, settlement_id: str) -> Response:
    """Note that accounting received the invoice some other way, and that it is correct."""
    principal = await require_login(request, *_STAFF)
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    note = form.get("note")
    try:
        note = NoteInvoice(note=note).note
    except ValidationError:
        errors = {"note": TRANSLATIONS[reader_language(request, principal)].gettext(_TOO_LONG)}
        sent = RejectedForm("note_invoice", errors=errors, typed={"note": note})
        return await show(request, principal, found, 422, sent=sent)
    request_id = command_id(principal, form, f"{settlement_id} note_invoice", note)
    work = settlement_use_cases(request).note_invoice(principal, settlement_id, note, request_id)
    return await carry_out(
        request, principal, settlement_id, work, "note_invoice", {"note": note}, "settlement-noted"
    )


@router.post("/settlements/{settlement_id}/void")
async def void(request: Request, settlement_id: str) -> Response:
    """Void the settlement. Its orders can be settled again."""
    principal = await require_login(request, "operations")
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    reason = form.get("reason").strip()
    try:
        reason = VoidSettlement(reason=reason).reason
    except ValidationError:
        text = TRANSLATIONS[reader_language(request, principal)].gettext(
            _TOO_LONG if reason else _EMPTY
        )
        sent = RejectedForm("void", errors={"reason": text}, typed={"reason": reason})
        return await show(request, principal, found, 422, sent=sent)
    request_id = command_id(principal, form, f"{settlement_id} void", reason)
    work = settlement_use_cases(request).void(principal, settlement_id, reason, request_id)
    return await carry_out(
        request, principal, settlement_id, work, "void", {"reason": reason}, "settlement-voided"
    )


@router.post("/settlements/{settlement_id}/correction")
async def correct(request: Request, settlement_id: str) -> Response:
    """Add an amount, plus or minus, to the partner's next settlement."""
    principal = await require_login(request, "operations")
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    language = reader_language(request, principal)
    typed = {name: form.get(name).strip() for name in ("sp_id", "amount", "correction_reason")}
    line, errors = _correction(typed, language)
    if line is None:
        sent = RejectedForm("correct", errors=errors, typed=typed)
        return await show(request, principal, found, 422, sent=sent)
    partner_id = found.account.partner_id
    request_id = command_id(principal, form, f"{partner_id} correct", line.model_dump_json())
    try:
        await settlement_use_cases(request).corrections.add(
            principal, partner_id, line.sp_id, line.amount, line.reason, request_id
        )
    except Forbidden:
        return error_page(request, 403)
    except UnknownPartner:
        return error_page(request, 404)
    except InvalidCommand as invalid:
        sent = RejectedForm(
            "correct", errors={invalid.field: failure_text(invalid, language)}, typed=typed
        )
        return await show(request, principal, found, 422, sent=sent)
    except (RequestReused, TemporalAway) as failure:
        return await failure_page(request, principal, settlement_id, failure, "correct", typed)
    return redirect(request, f"/settlements/{settlement_id}", said="settlement-corrected")


async def carry_out(
    request: Request,
    principal: Principal,
    settlement_id: str,
    work: Awaitable[StoredSettlement],
    opened: str,
    typed: dict[str, str],
    said: str,
) -> Response:
    """Do the work of a form, and go to the settlement's page, or show what went wrong."""
    try:
        await work
    except Forbidden:
        return error_page(request, 403)
    except UnknownSettlement:
        return error_page(request, 404)
    except (SettlementRefused, RequestReused, TemporalAway) as failure:
        return await failure_page(request, principal, settlement_id, failure, opened, typed)
    return redirect(request, f"/settlements/{settlement_id}", said=said)


async def failure_page(
    request: Request,
    principal: Principal,
    settlement_id: str,
    failure: SettlementRefused | RequestReused | TemporalAway | OverQuota,
    opened: str,
    typed: dict[str, str],
    choice: Choice | None = None,
) -> Response:
    """The settlement's page as it is now, with the reason why the command was not carried out."""
    found = await find(request, principal, settlement_id)
    problem = failure_text(failure, reader_language(request, principal))
    status = 503 if isinstance(failure, TemporalAway) else 409
    if isinstance(failure, OverQuota):
        status = 429
    sent = RejectedForm(opened, problem=problem, typed=typed)
    return await show(request, principal, found, status, sent=sent, choice=choice)


def _correction(
    typed: dict[str, str], language: Language
) -> tuple[CorrectionLine | None, dict[str, str]]:
    """The correction that was typed, or the errors by field."""
    gettext = TRANSLATIONS[language].gettext
    errors: dict[str, str] = {}
    amount = read_amount(typed["amount"])
    if amount is None:
        errors["amount"] = gettext(_NO_AMOUNT)
    for name in ("sp_id", "correction_reason"):
        if not typed[name]:
            errors[name] = gettext(_EMPTY)
    if errors:
        return None, errors
    try:
        return CorrectionLine(
            sp_id=typed["sp_id"], reason=typed["correction_reason"], amount=amount
        ), {}
    except ValidationError as error:
        texts = {"sp_id": _NO_SP_ID, "amount": _NO_AMOUNT, "reason": _TOO_LONG}
        fields = {"reason": "correction_reason"}
        return None, {
            fields.get(name, name): gettext(texts[name])
            for name in (str(each["loc"][0]) for each in error.errors())
        }


def read_amount(text: str) -> Decimal | None:
    """An amount as people write it: "-12.50", "1'234.5", "12,50"."""
    plain = re.sub(r"[\s'’]|CHF|Fr\.", "", text).replace("−", "-").replace(",", ".")
    try:
        return Decimal(plain) if _AMOUNT.fullmatch(plain) else None
    except InvalidOperation:
        return None


def invoice_errors(verdict: Verdict, language: Language) -> tuple[str, ...]:
    """The problems of an invoice, one text for each."""
    gettext = TRANSLATIONS[language].gettext
    return (
        *(problem_text(problem, language) for problem in verdict.problems),
        *(gettext(_MISSING) % {"sp_id": sp_id} for sp_id in verdict.missing[:_MOST_NAMED]),
        *(gettext(_FOREIGN) % {"sp_id": sp_id} for sp_id in verdict.foreign[:_MOST_NAMED]),
    )
