"""The page of a partner's people: its office invites and removes them, and sets their roles and notifications."""

from collections.abc import Mapping
from contextlib import suppress

from fastapi import APIRouter, Request, Response

from domain.people import NOTIFICATIONS, Notification, possible
from domain.values import LANGUAGES, Language
from use_cases import access
from use_cases.access import Forbidden
from use_cases.account_errors import Conflict, NotFound, PartnerEnded, Throttled, WrongFields
from use_cases.people import LastOfOffice, OwnLogin, PeopleUseCases, TooMany
from use_cases.principal import Principal
from web.portal.commands import command_id
from web.portal.confirming import Change, require_confirmed
from web.portal.formats import language_names
from web.portal.pages import (
    EarlyResponse,
    Form,
    error_page,
    form_of,
    page,
    reader_language,
    redirect,
    register_notices,
    require_login,
)
from web.portal.staff.common import PARTNER_ROLES, fault_texts, translated
from web.portal.staff.logins import INVITATIONS, TAKEN
from words.translations import mark, say

router = APIRouter(include_in_schema=False)
_NAMES = {
    "person-name": mark("Vorname und Name"),
    "person-email": mark("E-Mail"),
    "person-role": mark("Rolle"),
    "person-language": mark("Sprache"),
}

PATH = "/people"
MAILS: dict[Notification, str] = {
    "assigned": mark("Zugeteilte Aufträge"),
    "changes": mark("Termine, Stornos und Wechsel bei zugeteilten Aufträgen"),
    "today": mark("Am Morgen: die eigenen Termine von heute"),
    "new_orders": mark("Neue Aufträge der Firma"),
    "digest": mark("Am Morgen: was in der Firma offen ist"),
}
assert tuple(MAILS) == NOTIFICATIONS
_MANY_MAILS = mark(
    "So viele Einladungen in kurzer Zeit gehen nicht. Bitte versuchen Sie es in einer Stunde wieder."
)
register_notices(
    {
        "invitations_many": _MANY_MAILS,
        "person_changed": mark("Die Angaben sind gespeichert."),
        "person_removed": mark("Das Login ist gelöscht. Die Aufträge dieser Person sind niemandem mehr zugeteilt."),
        "mails_chosen": mark("Die Auswahl Ihrer E-Mails ist gespeichert."),
    }
)  # fmt: skip
register_notices(
    {
        "person_last": mark(
            "Jemand vom Büro muss sich anmelden können: Das ist die letzte Person."
        ),
        "people_many": mark("Mehr Personen kann eine Firma nicht haben."),
    },
    refused=True,
)


def people_use_cases(request: Request) -> PeopleUseCases:
    """The use cases of the firm's people."""
    use_cases: PeopleUseCases = request.app.state.people_use_cases
    return use_cases


@router.get("/people")
async def people(request: Request) -> Response:
    """The firm's people."""
    return await _show(request, await _office(request))


@router.get("/people/{user_id}")
@router.get("/people/{user_id}/{form_name}")
async def back_to_people(request: Request, user_id: str, form_name: str = "") -> Response:
    """Redirect a person who opens the address of a form."""
    await _office(request)
    return redirect(request, PATH)


@router.post("/people")
async def invite(request: Request) -> Response:
    """Make somebody's login and mail its invitation."""
    principal = await _office(request)
    form = await _confirmed(request, principal, "make_login")
    typed = {name: form.get(name).strip() for name in ("email", "name", "role", "language")}
    chosen: Language | None = next((each for each in LANGUAGES if each == typed["language"]), None)
    request_id = command_id(principal, form, PATH, "\n".join(typed.values()))
    language = reader_language(request, principal)
    try:
        made = await people_use_cases(request).invite(
            principal, typed["role"], typed["email"], typed["name"], chosen, request_id
        )
    except PartnerEnded:
        return redirect(request, PATH, said="no_access")
    except TooMany:
        return redirect(request, PATH, said="people_many")
    except Throttled:
        errors = {"person-email": say(language, _MANY_MAILS)}
    except Conflict:
        errors = {"person-email": say(language, TAKEN)}
    except WrongFields as error:
        errors = fault_texts(error.faults, typed, language, "person-")
    else:
        waits = made.user.invitation in ("waiting", "failed")
        return redirect(request, f"{PATH}#people", said="login_waits" if waits else "login_made")
    return await _show(request, principal, typed, errors)


@router.post("/people/{user_id}/invitation")
async def invite_again(request: Request, user_id: str) -> Response:
    """Mail a new invitation."""
    principal = await _office(request)
    await _confirmed(request, principal, "invite_again")
    try:
        person = await people_use_cases(request).invite_again(principal, user_id)
    except NotFound:
        return error_page(request, 404)
    except PartnerEnded:
        return redirect(request, PATH, said="no_access")
    except Conflict:
        return redirect(request, f"{PATH}#people", said="login_active")
    except Throttled:
        return redirect(request, f"{PATH}#people", said="invitations_many")
    waits = person.user.invitation in ("waiting", "failed")
    return redirect(request, f"{PATH}#people", said="login_waits" if waits else "login_invited")


@router.post("/people/{user_id}/change")
async def change(request: Request, user_id: str) -> Response:
    """Set somebody's role and notifications. Another role asks for the password again."""
    principal = await _office(request)
    form = await form_of(request)
    use_cases = people_use_cases(request)
    try:
        before = await use_cases.get(principal, user_id)
        role = form.get("role") or before.role
        if role != before.role:
            await require_confirmed(request, principal, form, "change_role")
        # The ticked notifications that the new role can have.
        allowed = possible("technician" if role == "technician" else "office")
        ticked = [each for each in form.getlist("notifications") if each in allowed]
        await use_cases.change(principal, user_id, role, ticked)
    except NotFound:
        return error_page(request, 404)
    except LastOfOffice:
        return redirect(request, f"{PATH}#people", said="person_last")
    except WrongFields:
        return error_page(request, 422)
    own_office_is_over = user_id == principal.login_id and role == "technician"
    return redirect(request, "/" if own_office_is_over else f"{PATH}#people", said="person_changed")


@router.post("/people/{user_id}/removal")
async def remove(request: Request, user_id: str) -> Response:
    """Remove somebody's login."""
    principal = await _office(request)
    await _confirmed(request, principal, "remove_login")
    said = "person_removed"
    try:
        with suppress(NotFound):  # it was removed before
            await people_use_cases(request).remove(principal, user_id)
    except OwnLogin:
        said = "login_own"
    except LastOfOffice:
        said = "person_last"
    return redirect(request, f"{PATH}#people", said=said)


@router.post("/account/notifications")
async def choose_own(request: Request) -> Response:
    """Set the mails that a partner's person gets itself."""
    principal = await require_login(request, "partner")
    form = await form_of(request)
    try:
        await people_use_cases(request).choose_own(principal, form.getlist("notifications"))
    except (NotFound, WrongFields):
        return error_page(request, 422)
    return redirect(request, "/account", said="mails_chosen")


async def _office(request: Request) -> Principal:
    """The person who is logged in, who must be of a partner's office. Raises `EarlyResponse`."""
    principal = await require_login(request, "partner")
    try:
        access.check(principal, "manage_people")
    except Forbidden:
        raise EarlyResponse(error_page(request, 403)) from None
    return principal


async def _confirmed(request: Request, principal: Principal, change: Change) -> Form:
    form = await form_of(request)
    await require_confirmed(request, principal, form, change)
    return form


async def _show(
    request: Request,
    principal: Principal,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    language = reader_language(request, principal)
    return page(
        request,
        "people/people",
        422 if errors else 200,
        principal=principal,
        people=await people_use_cases(request).list(principal),
        role_pairs=translated(PARTNER_ROLES, language),
        mails=MAILS,
        possible=possible,
        roles=PARTNER_ROLES,
        invitations=INVITATIONS,
        languages=language_names(language),
        typed=typed or {},
        errors=errors or {},
        error_names={name: say(language, label) for name, label in _NAMES.items()},
    )
