"""Asks for password and code again before a sensitive change, and goes on with the change once they are right.

The page that asks for them sends the form of the change again, with its fields and the two secrets. So the input is
kept without a script, and without storing it. Staff without a second factor sets it up first, and the page keeps the
input in the same way.
"""

from typing import Literal

from fastapi import Request

from use_cases.account_errors import NotFound, Throttled, WrongFields
from use_cases.principal import Principal
from web.portal.accounts import accounts_of
from web.portal.forms import SavedForm
from web.portal.login import BAD_CODE, retry_after_header, throttled_text
from web.portal.pages import (
    EarlyResponse,
    Form,
    form_of,
    language_of,
    page,
)
from web.security import session_secret
from words.translations import mark, say

WRONG_PASSWORD = mark("Das ist nicht Ihr Passwort.")
NO_CODE = mark("Bitte geben Sie auch einen Code ein.")
Change = Literal[
    "make_login", "invite_again", "remove_login", "make_token", "reset_factor", "set_up_factor", "add_partner",
    "change_iban", "confirm_iban", "change_email", "resume_partner", "change_role", "make_calendar",
]  # fmt: skip
CHANGES: dict[Change, str] = {
    "make_login": mark("Login anlegen"),
    "invite_again": mark("Neu einladen"),
    "remove_login": mark("Login löschen"),
    "make_token": mark("Token anlegen"),
    "reset_factor": mark("Zweiten Faktor zurücksetzen"),
    "make_calendar": mark("Kalender abonnieren"),
    "set_up_factor": mark("Zweiten Faktor einrichten"),
    "add_partner": mark("Partner anlegen"),
    "change_iban": mark("IBAN des Partners erfassen oder ändern"),
    "confirm_iban": mark("Neue IBAN des Partners bestätigen"),
    "change_email": mark("E-Mail-Adresse des Partners ändern"),
    "resume_partner": mark("Zusammenarbeit mit dem Partner wieder aufnehmen"),
    "change_role": mark("Rolle ändern"),
}
"""The names of the changes on the page that asks for password and code."""
PASSWORD, CODE = "confirm_password", "confirm_code"


async def confirmed_form(request: Request, principal: Principal, change: Change) -> Form:
    """The fields of the form of a sensitive change. Raises as `form_of` and `require_confirmed` do."""
    form = await form_of(request)
    await require_confirmed(request, principal, form, change)
    return form


async def require_confirmed(
    request: Request, principal: Principal, form: Form, change: Change
) -> None:
    """Let a sensitive change pass if password and code were right a moment ago, or are right in this form.

    A person who must have a second factor and has none may only set it up: a stolen password alone must not give access
    that lasts longer than the grace.

    Raises:
        EarlyResponse: they are missing or wrong, or the person has no second factor yet. The response is the page that
        asks for them, or that leads to the second factor. It keeps the form's fields.
    """
    saved = SavedForm.of(request, form)
    if principal.needs_factor and change != "set_up_factor":
        what = CHANGES[change]
        raise EarlyResponse(
            page(request, "account/factor_first", 403, principal=principal, what=what, saved=saved)
        )
    if not principal.needs_confirmation:
        return
    errors: dict[str, str] = {}
    headers: dict[str, str] | None = None
    status, language = 403, language_of(request, principal.language)
    if PASSWORD in form:
        try:
            await confirm(request, form.get(PASSWORD), form.get(CODE))
            return
        except WrongFields as error:
            errors, status = error_texts(request, principal, error), 422
        except Throttled as error:
            errors, status = {PASSWORD: throttled_text(language, error)}, 429
            headers = retry_after_header(error)
        except NotFound:  # the session has just ended
            status = 403
    factor = await accounts_of(request).second_factor.status(principal.login_id)
    raise EarlyResponse(
        page(
            request,
            "account/confirm",
            status,
            principal=principal,
            headers=headers,
            what=CHANGES[change],
            saved=saved,
            has_factor=factor.on,
            errors=errors,
        )
    )


async def confirm(request: Request, password: str, code: str) -> None:
    """Confirm the session of this browser. Raises what `SessionUseCases.confirm` does."""
    await accounts_of(request).sessions.confirm(session_secret(request), password, code.strip())


def error_texts(request: Request, principal: Principal, error: WrongFields) -> dict[str, str]:
    """What is wrong with the password or the code, by the field."""
    fault = error.faults[0]
    language = language_of(request, principal.language)
    if fault.field == "current_password":
        return {PASSWORD: say(language, WRONG_PASSWORD)}
    text = NO_CODE if fault.code == "missing" else BAD_CODE
    return {CODE: say(language, text)}
