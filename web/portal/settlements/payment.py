"""The forms on a settlement's page from the invoice to the payment: make the invoice, approve, return, note as paid."""

from datetime import date

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError

from domain.errors import InvalidCommand
from domain.settlements.commands import NotePaid, ReturnInvoice
from domain.settlements.errors import SettlementRefused
from domain.settlements.invoicing import InvoiceNumber, OwnInvoice
from domain.settlements.payments import read_day
from temporal.calls import TemporalAway
from use_cases.orders import RequestReused
from use_cases.settlements import PaperNotMade
from web.portal.commands import command_id
from web.portal.pages import form_of, reader_language, redirect, register_notices, require_login
from web.portal.settlements.actions import carry_out, failure_page, invoice_errors
from web.portal.settlements.common import PARTNERS, failure_text, find, settlement_use_cases
from web.portal.settlements.settlement import RejectedForm, show
from words import paper_not_made_text
from words.translations import TRANSLATIONS, mark

router = APIRouter(include_in_schema=False)

register_notices(
    {
        "settlement-made": mark("Die Rechnung ist erstellt und bei der Buchhaltung."),
        "settlement-approved": mark("Die Rechnung ist freigegeben."),
        "settlement-sent-back": mark("Die Rechnung ist zurückgewiesen. Der Partner wird benachrichtigt."),
        "settlement-paid": mark("Die Zahlung ist erfasst."),
    }
)  # fmt: skip
_NUMBER: TypeAdapter[str] = TypeAdapter(InvoiceNumber)
_BAD_NUMBER = mark(
    "Geben Sie Ihre Rechnungsnummer an: 1 bis 35 Zeichen, darunter ein Buchstabe oder eine Ziffer."
)
_NO_DAY = mark("Geben Sie einen Tag an, zum Beispiel 05.11.2026.")
_EMPTY = mark("Bitte ausfüllen.")
_TOO_LONG = mark("Das ist zu lang, oder enthält Zeichen, die hier nicht möglich sind.")


@router.post("/settlements/{settlement_id}/make-invoice")
async def make_invoice(request: Request, settlement_id: str) -> Response:
    """Make the partner's invoice and hand it in. Its problems are shown beside the form."""
    principal = await require_login(request, *PARTNERS)
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    language = reader_language(request, principal)
    gettext = TRANSLATIONS[language].gettext
    typed = {name: form.get(name).strip() for name in ("invoice_number", "invoice_date")}
    errors: dict[str, str] = {}
    number, day = "", read_day(typed["invoice_date"])
    try:
        number = _NUMBER.validate_python(typed["invoice_number"])
    except ValidationError:
        errors["invoice_number"] = gettext(_BAD_NUMBER)
    if day is None:
        errors["invoice_date"] = gettext(_NO_DAY)
    if errors or day is None:
        sent = RejectedForm("make", errors=errors, typed=typed)
        return await show(request, principal, found, 422, sent=sent)
    papers = settlement_use_cases(request).papers
    try:
        verdict = await papers.make_invoice(
            principal, settlement_id, OwnInvoice(number=number, date=day)
        )
    except InvalidCommand as invalid:
        text = failure_text(invalid, language)
        sent = RejectedForm("make", errors={invalid.field: text}, typed=typed)
        return await show(request, principal, found, 422, sent=sent)
    except PaperNotMade:
        sent = RejectedForm("make", problem=paper_not_made_text(language), typed=typed)
        return await show(request, principal, found, 503, sent=sent)
    except (SettlementRefused, RequestReused, TemporalAway) as failure:
        return await failure_page(request, principal, settlement_id, failure, "make", typed)
    if verdict.accepted or verdict.accounting_decides:
        said = "settlement-made" if verdict.accepted else "settlement-held"
        return redirect(request, f"/settlements/{settlement_id}", said=said)
    found = await find(request, principal, settlement_id)
    sent = RejectedForm(
        "make", typed={**typed, "name": number}, wrong=invoice_errors(verdict, language)
    )
    return await show(request, principal, found, 422, sent=sent)


@router.post("/settlements/{settlement_id}/approve")
async def approve(request: Request, settlement_id: str) -> Response:
    """Approve the invoice for payment."""
    principal = await require_login(request, "accounting")
    form = await form_of(request)
    await find(request, principal, settlement_id)
    request_id = command_id(principal, form, f"{settlement_id} approve", "")
    work = settlement_use_cases(request).payments.approve(principal, settlement_id, request_id)
    return await carry_out(
        request, principal, settlement_id, work, "approve", {}, "settlement-approved"
    )


@router.post("/settlements/{settlement_id}/return")
async def return_invoice(request: Request, settlement_id: str) -> Response:
    """Return the invoice to its partner."""
    principal = await require_login(request, "accounting")
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    reason = form.get("return_reason").strip()
    typed = {"return_reason": reason}
    try:
        reason = ReturnInvoice(reason=reason).reason
    except ValidationError:
        text = TRANSLATIONS[reader_language(request, principal)].gettext(
            _TOO_LONG if reason else _EMPTY
        )
        sent = RejectedForm("return", errors={"return_reason": text}, typed=typed)
        return await show(request, principal, found, 422, sent=sent)
    request_id = command_id(principal, form, f"{settlement_id} return", reason)
    work = settlement_use_cases(request).payments.return_invoice(
        principal, settlement_id, reason, request_id
    )
    return await carry_out(
        request, principal, settlement_id, work, "return", typed, "settlement-sent-back"
    )


@router.post("/settlements/{settlement_id}/paid")
async def note_paid(request: Request, settlement_id: str) -> Response:
    """Note the day of the payment."""
    principal = await require_login(request, "accounting")
    form = await form_of(request)
    found = await find(request, principal, settlement_id)
    language = reader_language(request, principal)
    typed = {name: form.get(name).strip() for name in ("paid_on", "reference")}
    payment, errors = _payment(read_day(typed["paid_on"]), typed["reference"])
    if payment is not None:
        request_id = command_id(principal, form, f"{settlement_id} pay", payment.model_dump_json())
        work = settlement_use_cases(request).payments.pay(
            principal, settlement_id, payment, request_id
        )
        try:
            return await carry_out(
                request, principal, settlement_id, work, "pay", typed, "settlement-paid"
            )
        except InvalidCommand as invalid:
            errors = {invalid.field: failure_text(invalid, language)}
    else:
        errors = {field: TRANSLATIONS[language].gettext(text) for field, text in errors.items()}
    sent = RejectedForm("pay", errors=errors, typed=typed)
    return await show(request, principal, found, 422, sent=sent)


def _payment(paid_on: date | None, reference: str) -> tuple[NotePaid | None, dict[str, str]]:
    """The payment that was typed, or the errors by field."""
    if paid_on is None:
        return None, {"paid_on": _NO_DAY}
    try:
        return NotePaid(paid_on=paid_on, reference=reference), {}
    except ValidationError:
        return None, {"reference": _TOO_LONG}
