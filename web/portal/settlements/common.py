"""Common parts of the pages of settlements: use cases, loading a settlement and texts of failures."""

from fastapi import Request

import words
from domain.errors import InvalidCommand
from domain.policies import UnknownPolicy
from domain.settlements.errors import SettlementRefused
from domain.values import Language
from records.settlements import StoredSettlement
from records.uploads import OverQuota
from temporal.calls import TemporalAway
from use_cases.access import Forbidden
from use_cases.orders import RequestReused
from use_cases.principal import Principal, Role
from use_cases.settlements import SettlementUseCases, UnknownSettlement
from web.portal.commands import repeat_text
from web.portal.formats import local
from web.portal.pages import EarlyResponse, error_page
from words.uploads import quota_text

READERS: tuple[Role, ...] = ("partner", "operations", "accounting")
PARTNERS: tuple[Role, ...] = ("partner", "operations")

Failure = (
    SettlementRefused | InvalidCommand | UnknownPolicy | RequestReused | TemporalAway | OverQuota
)


def settlement_use_cases(request: Request) -> SettlementUseCases:
    """The use cases of settlements."""
    use_cases: SettlementUseCases = request.app.state.settlement_use_cases
    return use_cases


async def find(request: Request, principal: Principal, settlement_id: str) -> StoredSettlement:
    """Load a settlement.

    Raises:
        EarlyResponse: a page with 404 or 403 if this person sees no such settlement.
    """
    try:
        return await settlement_use_cases(request).find(principal, settlement_id)
    except UnknownSettlement:
        raise EarlyResponse(error_page(request, 404)) from None
    except Forbidden:
        raise EarlyResponse(error_page(request, 403)) from None


def failure_text(failure: Failure, language: Language) -> str:
    """Why a command was not carried out, in the reader's language."""
    match failure:
        case OverQuota(excess=excess):
            return quota_text(excess, local(excess.frees_at), language)
        case SettlementRefused():
            return words.settlement_refusal_text(
                failure.action, failure.code, failure.status, failure.allowed, language
            )
        case InvalidCommand():
            return words.invalid_text(failure.code, language)
        case UnknownPolicy():
            return words.policy_missing_text(failure.name, language)
        case _:
            return repeat_text(failure, language)
