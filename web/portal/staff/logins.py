"""Logins and tokens: those of a partner on the partner's page, those of the retailer on a separate page."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from domain.values import LANGUAGES, Language
from records.accounts import Invitation, User
from records.tokens import Token
from use_cases.account_errors import Conflict, Fault, NotFound, PartnerEnded, WrongFields
from use_cases.accounts import Accounts
from use_cases.operations import Operations
from use_cases.principal import Principal
from web.portal.accounts import accounts_of
from web.portal.commands import command_id
from web.portal.confirming import confirmed_form
from web.portal.formats import ZURICH, language_names, today
from web.portal.pages import (
    Form,
    error_page,
    form_of,
    page,
    reader_language,
    redirect,
    register_notices,
)
from web.portal.staff.common import fault_texts, require_operations, translated
from web.portal.staff.partners import partner_facts, partner_path
from words.translations import TRANSLATIONS, mark

router = APIRouter(include_in_schema=False)

STAFF = "/staff/users"
STAFF_ROLES = {"operations": mark("Servicepartner-Team"), "accounting": mark("Buchhaltung")}
SYSTEM_ROLES = {
    "shop": mark("Shop"),
    "warehouse": mark("Lager"),
    "operations": mark("Servicepartner-Team"),
    "accounting": mark("Buchhaltung"),
}
INVITATIONS: dict[Invitation, str] = {
    "accepted": mark("aktiv"),
    "sent": mark("eingeladen"),
    "waiting": mark("Einladung wird noch zugestellt"),
    "failed": mark("Einladung nicht zustellbar"),
    "expired": mark("Einladung abgelaufen"),
}
register_notices(
    {
        "login_made": mark("Das Login ist angelegt, die Einladung ist unterwegs."),
        "login_waits": mark(
            "Das Login ist angelegt. Die Einladung konnte noch nicht versandt werden; sie geht von selbst hinaus."
        ),
        "login_invited": mark("Eine neue Einladung ist unterwegs. Der frühere Link gilt nicht mehr."),
        "login_active": mark("Diese Einladung ist schon angenommen."),
        "login_removed": mark("Das Login ist gelöscht, seine Sitzungen sind beendet."),
        "login_own": mark("Das eigene Login kann man nicht löschen."),
        "no_access": mark("Die Zusammenarbeit ist beendet: Es gibt keine Logins und Tokens mehr."),
        "token_revoked": mark("Das Token ist gesperrt."),
    }
)  # fmt: skip
TAKEN = mark("Zu dieser E-Mail-Adresse gibt es schon ein Login.")
_NO_DAY = mark("Das ist kein Datum.")


class _Owner(NamedTuple):
    """The owner of logins and tokens: a partner, or the retailer (None)."""

    partner_id: str | None

    @property
    def path(self) -> str:
        return STAFF if self.partner_id is None else partner_path(self.partner_id)


async def _show(
    request: Request,
    principal: Principal,
    owner: _Owner,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    accounts, partner_id = accounts_of(request), owner.partner_id
    language = reader_language(request, principal)
    values: dict[str, Any] = {"has_ended": False}
    try:
        if partner_id is not None:
            operations: Operations = request.app.state.operations
            values |= await partner_facts(accounts, principal, partner_id)
            values["open_orders"] = await operations.open_orders_of(principal, partner_id)
        users, tokens = await accounts.users(partner_id), await accounts.tokens.list(partner_id)
    except NotFound:
        return error_page(request, 404)
    return page(
        request,
        "staff/users" if partner_id is None else "staff/partner",
        422 if errors else 200,
        principal=principal,
        users=users,
        tokens=_in_use_first(tokens),
        ends_soon=accounts.tokens.ends_soon,
        is_over=accounts.tokens.is_over,
        token_days=accounts.tokens.longest.days,
        typed=typed or {},
        errors=errors or {},
        invitations=INVITATIONS,
        roles=STAFF_ROLES,
        system_roles=SYSTEM_ROLES,
        languages=language_names(language),
        role_pairs=translated(STAFF_ROLES, language),
        system_role_pairs=translated(SYSTEM_ROLES, language),
        path=owner.path,
        tokens_path=_tokens_path(owner),
        tomorrow=today() + timedelta(days=1),
        **values,
    )


def _tokens_path(owner: _Owner) -> str:
    return "/staff/tokens" if owner.partner_id is None else f"{owner.path}/tokens"


def _in_use_first(tokens: tuple[Token, ...]) -> list[Token]:
    return sorted(tokens, key=lambda each: each.revoked_at is not None)


# --- the two pages -----------------------------------------------------------------------------------------------


@router.get("/staff/partners/{partner_id}")
async def partner_page(request: Request, partner_id: str) -> Response:
    """A partner with its logins and tokens."""
    return await _show(request, await require_operations(request), _Owner(partner_id))


@router.get("/staff/users")
async def staff_page(request: Request) -> Response:
    """The logins of operations and accounting, and the tokens of the retailer's systems."""
    return await _show(request, await require_operations(request), _Owner(None))


@router.get("/staff/partners/{partner_id}/users")
@router.get("/staff/partners/{partner_id}/tokens")
async def back_to_partner(request: Request, partner_id: str) -> Response:
    """Redirect a person who opens the address of a form, such as by reloading its answer."""
    await require_operations(request)
    return redirect(request, partner_path(partner_id))


@router.get("/staff/tokens")
async def back_to_staff(request: Request) -> Response:
    """Redirect a person who opens the address of a form for logins of staff or tokens of systems."""
    await require_operations(request)
    return redirect(request, STAFF)


# --- logins ------------------------------------------------------------------------------------------------------


@router.post("/staff/partners/{partner_id}/users")
async def invite_partner_user(request: Request, partner_id: str) -> Response:
    """Make a partner's login and mail its invitation."""
    return await _invite(request, _Owner(partner_id))


@router.post("/staff/users")
async def invite_staff_user(request: Request) -> Response:
    """Make a login of the staff and mail its invitation."""
    return await _invite(request, _Owner(None))


async def _invite(request: Request, owner: _Owner) -> Response:
    principal = await require_operations(request)
    form = await confirmed_form(request, principal, "make_login")
    typed = _typed(form, "email", "name", "language", "role")
    language = reader_language(request, principal)
    try:
        user = await _invited(accounts_of(request), principal, owner, form, typed)
    except NotFound:
        return error_page(request, 404)
    except PartnerEnded:
        return redirect(request, owner.path, said="no_access")
    except Conflict:
        errors = {"login-email": TRANSLATIONS[language].gettext(TAKEN)}
    except WrongFields as error:
        errors = fault_texts(error.faults, typed, language, "login-")
    else:
        said = "login_waits" if user.invitation in ("waiting", "failed") else "login_made"
        return redirect(request, f"{owner.path}#logins", said=said)
    return await _show(request, principal, owner, typed=_prefixed(typed, "login-"), errors=errors)


async def _invited(
    accounts: Accounts, principal: Principal, owner: _Owner, form: Form, typed: Mapping[str, str]
) -> User:
    role: Any = "partner" if owner.partner_id else typed["role"]
    if role not in ("partner", *STAFF_ROLES):
        raise WrongFields(Fault("role", "missing", "must be chosen"))
    chosen: Language | None = next((each for each in LANGUAGES if each == typed["language"]), None)  # fmt: skip
    content = "\n".join(typed.values())
    request_id = command_id(principal, form, owner.path, content)
    return await accounts.invite(
        owner.partner_id, role, typed["email"], typed["name"], chosen, request_id
    )


@router.post("/staff/partners/{partner_id}/users/{user_id}/invitation")
async def invite_partner_user_again(request: Request, partner_id: str, user_id: str) -> Response:
    """Mail a new invitation."""
    return await _invite_again(request, _Owner(partner_id), user_id)


@router.post("/staff/users/{user_id}/invitation")
async def invite_staff_user_again(request: Request, user_id: str) -> Response:
    """Mail a new invitation."""
    return await _invite_again(request, _Owner(None), user_id)


async def _invite_again(request: Request, owner: _Owner, user_id: str) -> Response:
    principal = await require_operations(request)
    await confirmed_form(request, principal, "invite_again")
    try:
        user = await accounts_of(request).invite_again(owner.partner_id, user_id)
    except NotFound:
        return error_page(request, 404)
    except PartnerEnded:
        return redirect(request, owner.path, said="no_access")
    except Conflict:
        said = "login_active"
    else:
        said = "login_waits" if user.invitation in ("waiting", "failed") else "login_invited"
    return redirect(request, f"{owner.path}#logins", said=said)


@router.post("/staff/partners/{partner_id}/users/{user_id}/removal")
async def remove_partner_user(request: Request, partner_id: str, user_id: str) -> Response:
    """Remove a login."""
    return await _remove(request, _Owner(partner_id), user_id)


@router.post("/staff/users/{user_id}/removal")
async def remove_staff_user(request: Request, user_id: str) -> Response:
    """Remove a login. People cannot remove their own."""
    return await _remove(request, _Owner(None), user_id)


async def _remove(request: Request, owner: _Owner, user_id: str) -> Response:
    principal = await require_operations(request)
    await confirmed_form(request, principal, "remove_login")
    if user_id == principal.login_id:
        return redirect(request, f"{owner.path}#logins", said="login_own")
    with suppress(NotFound):  # it was removed before
        await accounts_of(request).remove_user(owner.partner_id, user_id)
    return redirect(request, f"{owner.path}#logins", said="login_removed")


# --- tokens ------------------------------------------------------------------------------------------------------


@router.post("/staff/partners/{partner_id}/tokens")
async def make_partner_token(request: Request, partner_id: str) -> Response:
    """Make a token for a partner's software. Only this answer shows it."""
    return await _make_token(request, _Owner(partner_id))


@router.post("/staff/tokens")
async def make_system_token(request: Request) -> Response:
    """Make a token for a system of the retailer. Only this answer shows it."""
    return await _make_token(request, _Owner(None))


async def _make_token(request: Request, owner: _Owner) -> Response:
    principal = await require_operations(request)
    form = await confirmed_form(request, principal, "make_token")
    typed = _typed(form, "name", "role", "expires_at")
    language = reader_language(request, principal)
    request_id = command_id(principal, form, owner.path, "\n".join(typed.values()))
    role: Any = "partner" if owner.partner_id else typed["role"]
    try:
        if role not in ("partner", *SYSTEM_ROLES):
            raise WrongFields(Fault("role", "missing", "must be chosen"))
        expires = _end_of_day(typed["expires_at"])
        _, token = await accounts_of(request).tokens.make(
            role,
            typed["name"],
            owner.partner_id,
            expires,
            request_id,
            principal.login_person,
        )
    except NotFound:
        return error_page(request, 404)
    except PartnerEnded:
        return redirect(request, owner.path, said="no_access")
    except Conflict:
        return page(request, "staff/token", 409, principal=principal, token=None, owner=owner)
    except WrongFields as error:
        errors = fault_texts(error.faults, typed, language, "token-")
        if any(fault.code == "day" for fault in error.faults):
            errors["token-expires_at"] = TRANSLATIONS[language].gettext(_NO_DAY)
        typed = _prefixed(typed, "token-")
        return await _show(request, principal, owner, typed=typed, errors=errors)
    return page(
        request, "staff/token", principal=principal, token=token, name=typed["name"], owner=owner
    )


def _end_of_day(text: str) -> datetime | None:
    """The end of a day in Switzerland. The text is a day as browsers send it ("2026-11-30"); None if it is empty."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
        return datetime.combine(day + timedelta(days=1), time(), ZURICH)
    except (ValueError, OverflowError):
        raise WrongFields(Fault("expires_at", "day", "must be a day")) from None


@router.post("/staff/partners/{partner_id}/tokens/{token_id}/revocation")
async def revoke_partner_token(request: Request, partner_id: str, token_id: str) -> Response:
    """Revoke a token."""
    return await _revoke(request, _Owner(partner_id), token_id)


@router.post("/staff/tokens/{token_id}/revocation")
async def revoke_system_token(request: Request, token_id: str) -> Response:
    """Revoke a token."""
    return await _revoke(request, _Owner(None), token_id)


async def _revoke(request: Request, owner: _Owner, token_id: str) -> Response:
    await require_operations(request)
    await form_of(request)
    try:
        await accounts_of(request).tokens.revoke(owner.partner_id, token_id)
    except NotFound:
        return error_page(request, 404)
    return redirect(request, f"{owner.path}#tokens", said="token_revoked")


def _typed(form: Form, *names: str) -> dict[str, str]:
    return {name: form.get(name).strip() for name in names}


def _prefixed(typed: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {f"{prefix}{name}": text for name, text in typed.items()}
