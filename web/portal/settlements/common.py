"""What the pages of settlements have in common: the desk behind them, what is not there, why something was not done."""

from collections.abc import Callable
from datetime import date

from babel.dates import format_date
from fastapi import Request

from domain import words
from domain.errors import InvalidCommand
from domain.months import Month
from domain.settlements.errors import SettlementRefused
from domain.values import Language
from records.settlements import StoredSettlement
from temporal.calls import TemporalAway
from use_cases.access import Forbidden
from use_cases.orders import RequestReused
from use_cases.principal import Principal, Role
from use_cases.settlements import SettlementDesk, UnknownSettlement
from web.portal.commands import repeat_text
from web.portal.pages import Answered, error_page

READERS: tuple[Role, ...] = ("partner", "operations", "accounting")
PARTNERS: tuple[Role, ...] = ("partner", "operations")

Failure = SettlementRefused | InvalidCommand | RequestReused | TemporalAway


def desk_of(request: Request) -> SettlementDesk:
    """The use cases of settlements."""
    desk: SettlementDesk = request.app.state.settlement_desk
    return desk


async def find(request: Request, principal: Principal, settlement_id: str) -> StoredSettlement:
    """A settlement.

    Raises:
        Answered: the page that says that there is none for this person.
    """
    try:
        return await desk_of(request).find(principal, settlement_id)
    except UnknownSettlement:
        raise Answered(error_page(request, 404)) from None
    except Forbidden:
        raise Answered(error_page(request, 403)) from None


def failure_text(failure: Failure, language: Language) -> str:
    """Why something was not done, in the reader's language."""
    match failure:
        case SettlementRefused():
            return words.settlement_refusal_text(
                failure.action, failure.code, failure.status, failure.allowed, language
            )
        case InvalidCommand():
            return words.invalid_text(failure.code, language)
        case _:
            return repeat_text(failure, language)


def month_name(language: Language) -> Callable[[Month | date], str]:
    """Names a month: "November 2026"."""

    def named(month: Month | date) -> str:
        day = month.first_day if isinstance(month, Month) else month
        return format_date(day, "LLLL y", locale=f"{language}_CH")

    return named
