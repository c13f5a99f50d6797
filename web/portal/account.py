"""The page of a person's own account: language, password, second factor, end of all sessions (docs/accounts.md)."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from domain.people import possible
from domain.values import LANGUAGES
from use_cases.account_errors import Conflict, SecondFactorUnavailable, Throttled, WrongFields
from use_cases.passwords import SHORTEST
from use_cases.principal import Principal, Role
from use_cases.sessions import id_of
from web.portal.accounts import accounts_of
from web.portal.confirming import (
    CODE,
    PASSWORD,
    WRONG_PASSWORD,
    confirm,
    confirmed_form,
    error_texts,
)
from web.portal.formats import language_name
from web.portal.login import (
    BAD_CODE,
    DIFFERENT,
    end_session,
    retry_after_header,
    throttled_text,
    weakness_text,
)
from web.portal.pages import (
    FACTOR_PAGE,
    current_principal,
    factor_needed_page,
    form_of,
    language_of,
    page,
    redirect,
    register_notices,
    require_login,
)
from web.portal.people import MAILS, people_use_cases
from web.portal.qr import qr_code
from web.security import session_secret
from words.translations import mark, say

router = APIRouter(include_in_schema=False)

_EVERYBODY: tuple[Role, ...] = ("partner", "operations", "accounting")

register_notices(
    {
        "language": mark("Die Sprache ist geändert."),
        "password": mark("Das Passwort ist geändert. Bitte melden Sie sich damit neu an."),
        "factor_off": mark("Der zweite Faktor ist ausgeschaltet."),
        "factor_changed": mark("Am zweiten Faktor hat sich inzwischen etwas geändert."),
        "factor_unavailable": mark("Der zweite Faktor kann hier nicht eingerichtet werden."),
        "everywhere": mark("Sie sind auf allen Geräten abgemeldet."),
    }
)
register_notices(
    {
        "factor_begin_again": mark(
            "Diese Einrichtung gilt nicht mehr. Bitte beginnen Sie neu, und löschen Sie den früheren Eintrag in Ihrer "
            "Authentifizierungs-App."
        ),
    },
    refused=True,
)


@router.get("/account")
async def account(request: Request) -> Response:
    """The account page."""
    return await _account_page(request, await require_login(request, *_EVERYBODY))


@router.post("/account/language")
async def set_language(request: Request) -> Response:
    """Change the language of pages and mails."""
    principal = await require_login(request, *_EVERYBODY, without_factor=True)
    form = await form_of(request)
    chosen = next((each for each in LANGUAGES if each == form.get("language")), None)
    if chosen is not None:
        await accounts_of(request).set_language(principal.login_id, chosen)
    back = FACTOR_PAGE if principal.is_factor_due else "/account"
    return redirect(request, back, said="language" if chosen else None)


@router.post("/account/password")
async def change_password(request: Request) -> Response:
    """Change the password. All sessions end, this one included."""
    principal = await require_login(request, *_EVERYBODY)
    form = await form_of(request)
    language = language_of(request, principal.language)
    if form.get("password") != form.get("again"):
        errors = {"again": say(language, DIFFERENT)}
        return await _account_page(request, principal, 422, errors)
    accounts = accounts_of(request)
    try:
        if principal.needs_confirmation:
            await confirm(request, form.get("former"), form.get(CODE))
        await accounts.change_password(principal.login_id, form.get("former"), form.get("password"))
    except WrongFields as error:
        field = error.faults[0].field
        if field in ("former", "current_password"):
            errors = {"former": say(language, WRONG_PASSWORD)}
        elif field == "code":
            errors = error_texts(request, principal, error)
        else:
            errors = {"password": weakness_text(language, error)}
        return await _account_page(request, principal, 422, errors)
    except Throttled as error:
        return await _throttled(request, principal, "former", error)
    return await end_session(request, said="password")


@router.post("/account/sessions/end")
async def log_out_everywhere(request: Request) -> Response:
    """End all sessions of this login."""
    principal = await require_login(request, *_EVERYBODY)
    await form_of(request)
    await accounts_of(request).sessions.end_all(principal.login_id)
    return await end_session(request, said="everywhere")


@router.post("/account/second-factor")
async def begin_second_factor(request: Request) -> Response:
    """Start the set-up of an authenticator app."""
    principal = await require_login(request, *_EVERYBODY, without_factor=True)
    await confirmed_form(request, principal, "set_up_factor")
    try:
        await accounts_of(request).second_factor.enrol(principal.login_id, session_secret(request))
    except SecondFactorUnavailable:
        return redirect(request, "/account", said="factor_unavailable")
    except Conflict:
        return redirect(request, "/account", said="factor_changed")
    return redirect(request, FACTOR_PAGE)


@router.get("/account/second-factor")
async def second_factor(request: Request) -> Response:
    """The QR code for the app, until a code from the app confirms the second factor."""
    principal = await require_login(request, *_EVERYBODY, without_factor=True)
    if not principal.needs_confirmation:
        return await _enrolment(request, principal)
    # The secret is not shown again without the password: `begin_second_factor` asks for that, and makes a new secret.
    return (
        factor_needed_page(request, principal)
        if principal.is_factor_due
        else redirect(request, "/account")
    )


@router.post("/account/second-factor/confirm")
async def confirm_second_factor(request: Request) -> Response:
    """Check the first code. The recovery codes are shown on this page only."""
    principal = await require_login(request, *_EVERYBODY, without_factor=True)
    form = await confirmed_form(request, principal, "set_up_factor")
    if PASSWORD in form and not form.get(
        "code"
    ):  # the code was not kept while the password was asked for
        return await _enrolment(request, principal)
    try:
        codes = await accounts_of(request).second_factor.confirm(
            principal.login_id, form.get("code").strip(), session_secret(request)
        )
    except WrongFields:
        error = say(language_of(request, principal.language), BAD_CODE)
        return await _enrolment(request, principal, 422, error)
    except Conflict:
        return await _not_confirmed(request, principal)
    principal = await current_principal(request) or principal  # the factor is no longer due
    return page(request, "account/recovery_codes", principal=principal, codes=codes)


@router.post("/account/second-factor/remove")
async def remove_second_factor(request: Request) -> Response:
    """Switch the second factor off with a code, and with the password if it was not given a moment ago."""
    principal = await require_login(request, *_EVERYBODY)
    form = await form_of(request)
    factors, code = accounts_of(request).second_factor, form.get("code").strip()
    try:
        if principal.needs_confirmation:
            await confirm(request, form.get(PASSWORD), code)
            await factors.remove_checked(principal.login_id)
        else:
            await factors.remove(principal.login_id, code)
    except WrongFields as error:
        if error.faults[0].field == "current_password":
            errors = error_texts(request, principal, error)
        else:
            errors = {"code": say(language_of(request, principal.language), BAD_CODE)}
        return await _account_page(request, principal, 422, errors)
    except Throttled as error:
        return await _throttled(request, principal, "code", error)
    return redirect(request, "/account", said="factor_off")


async def _account_page(
    request: Request,
    principal: Principal,
    status: int = 200,
    errors: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    session = session_secret(request)
    factor = await accounts_of(request).second_factor.status(principal.login_id, session)
    this_session = id_of(session)
    sessions = await accounts_of(request).sessions.of(principal.login_id)
    return page(
        request,
        "account/account",
        status,
        principal=principal,
        headers=headers,
        factor=factor,
        sessions=sorted(sessions, key=lambda each: each.session_id != this_session),
        this_session=this_session,
        languages=[(each, language_name(each, each)) for each in LANGUAGES],
        shortest=SHORTEST,
        mails=MAILS,
        mails_chosen=await people_use_cases(request).own(principal),
        mails_possible=possible(principal.partner_role) if principal.partner_role else (),
        errors=errors or {},
    )


async def _throttled(
    request: Request, principal: Principal, field: str, error: Throttled
) -> HTMLResponse:
    errors = {field: throttled_text(language_of(request, principal.language), error)}
    return await _account_page(request, principal, 429, errors, retry_after_header(error))


async def _enrolment(
    request: Request, principal: Principal, status: int = 200, error: str | None = None
) -> Response:
    session = session_secret(request)
    enrolment = (
        await accounts_of(request).second_factor.status(principal.login_id, session)
    ).enrolment
    if enrolment is None and principal.is_factor_due:
        return factor_needed_page(request, principal)
    if enrolment is None:
        return redirect(request, "/account")
    return page(
        request,
        "account/second_factor",
        status,
        principal=principal,
        code=qr_code(enrolment.uri),
        uri=enrolment.uri,
        secret=" ".join(_groups_of_four(enrolment.secret)),
        error=error,
    )


async def _not_confirmed(request: Request, principal: Principal) -> Response:
    """The answer to a code for a set-up that another session has begun or completed, or that nobody has begun."""
    if (await accounts_of(request).second_factor.status(principal.login_id)).on:
        return redirect(request, "/account", said="factor_changed")
    back = FACTOR_PAGE if principal.is_factor_due else "/account#factor-title"
    return redirect(request, back, said="factor_begin_again")


def _groups_of_four(text: str) -> list[str]:
    return [text[at : at + 4] for at in range(0, len(text), 4)]
