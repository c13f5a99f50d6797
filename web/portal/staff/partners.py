"""The pages to list, search, add, change, pause and end partners."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from domain.policy import CANTONS
from records.iban_changes import NotPending, SamePerson
from records.partners import STATUSES, Partner, PartnerStatus
from use_cases.account_errors import Conflict, NotFound, WrongFields, wrong_fields
from use_cases.accounts import Accounts
from use_cases.partners import SENSITIVE_FIELDS
from use_cases.principal import Principal
from web.portal.accounts import accounts_of
from web.portal.confirming import Change, require_confirmed
from web.portal.formats import language_names
from web.portal.pages import error_page, form_of, page, reader_language, redirect, register_notices
from web.portal.staff.common import (
    PARTNER_ROLES,
    address,
    fault_texts,
    require_operations,
    translated,
)
from words.translations import TRANSLATIONS, mark

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
_OPTIONAL = ("vat_number", "vat_liable_from", "iban", "escalation_email", "policy")
_FIELDS = tuple(name for name in Partner.model_fields if name != "status")
PARTNER_STATUSES: dict[PartnerStatus, str] = {
    "active": mark("aktiv"),
    "paused": mark("pausiert"),
    "ended": mark("beendet"),
}

register_notices(
    {
        "partner_added": mark("Der Partner ist angelegt. Als Nächstes braucht er ein Login."),
        "partner_changed": mark("Die Änderungen sind gespeichert."),
        "nothing_changed": mark("Es war nichts zu ändern."),
        "iban_waits": mark(
            "Die Änderungen sind gespeichert. Das neue Konto gilt, sobald eine zweite Person es bestätigt hat."
        ),
        "iban_confirmed": mark("Das Konto ist bestätigt und gilt ab sofort."),
        "iban_refused": mark("Die Änderung des Kontos ist abgelehnt."),
        "iban_same_person": mark(
            "Wer ein Konto geändert hat, kann es nicht bestätigen. Das muss eine zweite Person tun."
        ),
        "iban_not_pending": mark("Über diese Änderung des Kontos ist schon entschieden."),
        "partner_active": mark("Der Partner erhält wieder Aufträge."),
        "partner_paused": mark("Der Partner pausiert: Er erhält keine neuen Aufträge."),
        "partner_ended": mark(
            "Die Zusammenarbeit ist beendet. Logins, Einladungen und Tokens des Partners gelten nicht mehr."
        ),
    }
)
_TAKEN = mark("Diese Partner-ID hat schon ein anderer Partner.")


@router.get("/staff/partners")
async def partners(request: Request) -> Response:
    """The list of partners, filtered by the search text `q` and by `status`."""
    principal = await require_operations(request)
    q = request.query_params.get("q", "").replace("\0", "")[:100]
    after = request.query_params.get("after") or None
    status = next((each for each in STATUSES if each == request.query_params.get("status")), None)
    found, total = await accounts_of(request).partners.search(q, PER_PAGE + 1, after, status)
    shown = found[:PER_PAGE]
    return page(
        request,
        "staff/partners",
        principal=principal,
        partners=shown,
        pending_ibans=await accounts_of(request).partners.pending_ibans(),
        total=total,
        q=q,
        chosen=status or "",
        statuses=PARTNER_STATUSES,
        status_pairs=translated(PARTNER_STATUSES, reader_language(request, principal)),
        next_page=address("/staff/partners", q=q, status=status, after=shown[-1].partner_id)
        if len(found) > PER_PAGE
        else None,
    )


@router.get("/staff/partners/new")
async def new_partner(request: Request) -> Response:
    """The form for a new partner."""
    principal = await require_operations(request)
    return _form(request, principal, {"language": "de"})


@router.post("/staff/partners")
async def add_partner(request: Request) -> Response:
    """Add a partner. Sending the same form again changes nothing."""
    principal = await require_operations(request)
    form = await form_of(request)
    typed = {name: form.get(name).strip() for name in _FIELDS}
    await require_confirmed(request, principal, form, "add_partner")
    try:
        partner = Partner.model_validate(_values(typed))
        await accounts_of(request).partners.add(partner, principal.person)
    except (ValidationError, WrongFields) as error:
        language = reader_language(request, principal)
        wrong = error if isinstance(error, WrongFields) else wrong_fields(error)
        return _form(request, principal, typed, fault_texts(wrong.faults, typed, language))
    except Conflict:
        text = TRANSLATIONS[reader_language(request, principal)].gettext(_TAKEN)
        return _form(request, principal, typed, {"partner_id": text})
    return redirect(request, partner_path(typed["partner_id"]), said="partner_added")


@router.get("/staff/partners/{partner_id}/edit")
async def edit_partner(request: Request, partner_id: str) -> Response:
    """The form with a partner's data."""
    principal = await require_operations(request)
    try:
        partner = await accounts_of(request).partners.get(partner_id)
    except NotFound:
        return error_page(request, 404)
    typed = _typed(partner)
    return _form(request, principal, typed, known=partner, was=typed)


@router.post("/staff/partners/{partner_id}/edit")
async def change_partner(request: Request, partner_id: str) -> Response:
    """Save only the fields that this person changed, so that two people can edit a partner at the same time."""
    principal = await require_operations(request)
    form = await form_of(request)
    accounts = accounts_of(request)
    names = [name for name in _FIELDS if name != "partner_id"]
    typed = {name: form.get(name).strip() for name in names}
    was = {name: form.get(f"was_{name}") for name in names}
    changes = {name: value for name, value in _values(typed).items() if typed[name] != was[name]}
    try:
        partner = await accounts.partners.get(partner_id)
    except NotFound:
        return error_page(request, 404)
    if changes.keys() & SENSITIVE_FIELDS:
        change: Change = "change_iban" if "iban" in changes else "change_email"
        await require_confirmed(request, principal, form, change)
    try:
        if changes:
            await accounts.partners.change(partner_id, changes, principal.person)
    except WrongFields as error:
        errors = fault_texts(error.faults, typed, reader_language(request, principal))
        return _form(request, principal, typed, errors, known=partner, was=was)
    said = "partner_changed" if changes else "nothing_changed"
    if "iban" in changes and partner_id in await accounts.partners.pending_ibans():
        said = "iban_waits"
    return redirect(request, partner_path(partner_id), said=said)


@router.post("/staff/partners/{partner_id}/iban/{change_id}/{decision}")
async def decide_iban(
    request: Request, partner_id: str, change_id: str, decision: Literal["confirm", "refuse"]
) -> Response:
    """Confirm a changed IBAN, which another person has to do, or refuse it."""
    principal = await require_operations(request)
    form = await form_of(request)
    if decision == "confirm":
        await require_confirmed(request, principal, form, "confirm_iban")
    said = "iban_confirmed" if decision == "confirm" else "iban_refused"
    try:
        await accounts_of(request).partners.decide_iban(
            partner_id, change_id, confirm=decision == "confirm", by=principal.person
        )
    except NotFound:
        return error_page(request, 404)
    except SamePerson:
        said = "iban_same_person"
    except NotPending:
        said = "iban_not_pending"
    return redirect(request, partner_path(partner_id), said=said)


@router.get("/staff/partners/{partner_id}/status")
async def back_to_page(request: Request, partner_id: str) -> Response:
    """Redirect a person who opens the address of the form, such as by reloading its answer."""
    await require_operations(request)
    return redirect(request, partner_path(partner_id))


@router.post("/staff/partners/{partner_id}/status")
async def change_status(request: Request, partner_id: str) -> Response:
    """Pause a partner, end it, or make it active again."""
    principal = await require_operations(request)
    form = await form_of(request)
    partners, status = accounts_of(request).partners, form.get("status")
    try:
        known = await partners.get(partner_id)
        if known.status == "ended" and status != "ended":  # its logins work again
            await require_confirmed(request, principal, form, "resume_partner")
        changed = await partners.change(partner_id, {"status": status})
    except (NotFound, WrongFields):
        return error_page(request, 404)
    return redirect(request, partner_path(partner_id), said=f"partner_{changed.status}")


async def partner_facts(
    accounts: Accounts, principal: Principal, partner_id: str
) -> dict[str, Any]:
    """The values for a partner's page, with the history of its IBAN. Raises `NotFound`."""
    known = await accounts.partners.get(partner_id)
    history = await accounts.partners.iban_history(partner_id)
    pending = next((each for each in history if each.status == "pending"), None)
    is_mine = pending is not None and principal.person.is_same(pending.person, pending.by)
    return {
        "partner": known,
        "partner_roles": PARTNER_ROLES,
        "has_ended": known.status == "ended",
        "policy_known": known.policy in (None, *accounts.partners.policies),
        "iban_history": history,
        "pending_iban": pending,
        "may_confirm": pending is not None and not is_mine,
    }


def partner_path(partner_id: str) -> str:
    """The address of a partner's page."""
    return f"/staff/partners/{quote(partner_id, safe='')}"


def _form(
    request: Request,
    principal: Principal,
    typed: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
    known: Partner | None = None,
    was: Mapping[str, str] | None = None,
) -> Response:
    return page(
        request,
        "staff/partner_form",
        422 if errors else 200,
        principal=principal,
        typed={name: typed.get(name, "") for name in _FIELDS},
        errors=errors or {},
        known=known,
        was=was or {},
        cantons=[(canton, canton) for canton in CANTONS],
        policies=[(name, name) for name in _policies(request, typed)],
        languages=language_names(reader_language(request, principal)),
    )


def _policies(request: Request, typed: Mapping[str, str]) -> list[str]:
    """The policies to choose from, and the chosen one even if it is missing."""
    return sorted({*accounts_of(request).partners.policies, typed.get("policy", "")} - {""})


def _values(typed: Mapping[str, str]) -> dict[str, Any]:
    """The input as values of a partner: an empty optional field becomes None."""
    return {name: None if name in _OPTIONAL and not text else text for name, text in typed.items()}


def _typed(partner: Partner) -> dict[str, str]:
    values = partner.model_dump(include=set(_FIELDS), mode="json")
    return {name: value or "" for name, value in values.items()}
