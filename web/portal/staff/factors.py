"""The forms that reset a lost second factor, in the lists of logins."""

from fastapi import APIRouter, Request, Response

from use_cases.account_errors import Conflict, NotFound, OwnFactor
from web.portal.accounts import accounts_of
from web.portal.confirming import confirmed_form
from web.portal.pages import error_page, redirect, register_notices
from web.portal.staff.common import require_operations
from web.portal.staff.partners import partner_path
from words.translations import mark

router = APIRouter(include_in_schema=False)

register_notices(
    {
        "factor_reset": mark(
            "Der zweite Faktor ist zurückgesetzt. Die Person ist abgemeldet und wird mit einer E-Mail informiert."
        ),
        "factor_own": mark("Den eigenen zweiten Faktor muss eine andere Person zurücksetzen."),
        "factor_none": mark("Dieses Login hat keinen zweiten Faktor."),
    }
)


@router.post("/staff/partners/{partner_id}/users/{user_id}/second-factor-reset")
async def reset_partner_factor(request: Request, partner_id: str, user_id: str) -> Response:
    """Reset the second factor of a partner's login."""
    return await _reset(request, partner_id, user_id, partner_path(partner_id))


@router.post("/staff/users/{user_id}/second-factor-reset")
async def reset_staff_factor(request: Request, user_id: str) -> Response:
    """Reset the second factor of a login of the staff. People cannot reset their own."""
    return await _reset(request, None, user_id, "/staff/users")


async def _reset(request: Request, partner_id: str | None, user_id: str, back: str) -> Response:
    principal = await require_operations(request)
    await confirmed_form(request, principal, "reset_factor")
    try:
        await accounts_of(request).second_factor.reset(partner_id, user_id, principal)
    except NotFound:
        return error_page(request, 404)
    except OwnFactor:
        said = "factor_own"
    except Conflict:
        said = "factor_none"
    else:
        said = "factor_reset"
    return redirect(request, f"{back}#logins", said=said)
