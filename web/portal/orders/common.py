"""Common parts of the pages of orders: use cases, loading an order, links to the customer, texts of failures."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from fastapi import Request

import words
from domain.errors import InvalidCommand
from domain.orders.order import Status
from domain.values import Language
from records.orders import StoredOrder
from use_cases.access import Forbidden
from use_cases.assignments import AssignmentUseCases
from use_cases.orders import NotAllowed, OrderUseCases, Stored, TemporalAway, UnknownOrder
from use_cases.principal import Principal
from use_cases.worklist import Failure, WorklistUseCases
from web.portal.commands import repeat_text
from web.portal.pages import EarlyResponse, error_page
from web.problems import RETRY_AFTER_SECONDS
from words.order_view import CustomerView
from words.translations import TRANSLATIONS, mark

URGENT_STATES = (
    Status.UNASSIGNED,
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.SET_APPOINTMENT,
    Status.CONFIRM_EXECUTION,
)
"""The states in which partners or operations have something to do. Their lists are sorted by due time."""

MOST_AT_ONCE = 100
"""How many orders one form can change."""

MAP = "https://www.openstreetmap.org/search?query="
_NOT_FOUND = mark("Diesen Auftrag gibt es nicht, oder er ist nicht mehr Ihrer.")


class Result(NamedTuple):
    """The result for one of several orders: `done`, `stored` (accepted, done later), or neither and the reason."""

    sp_id: str
    done: bool
    stored: bool
    why: str


class ContactLinks(NamedTuple):
    """Links to call the customer, to show the address on a map, and to write a mail."""

    phone: str | None
    map: str | None
    mail: str | None


def order_use_cases(request: Request) -> OrderUseCases:
    """The use cases of orders."""
    use_cases: OrderUseCases = request.app.state.order_use_cases
    return use_cases


def worklist_use_cases(request: Request) -> WorklistUseCases:
    """The use cases for several orders at once."""
    use_cases: WorklistUseCases = request.app.state.worklist_use_cases
    return use_cases


def assignment_use_cases(request: Request) -> AssignmentUseCases:
    """The use cases of assignments."""
    use_cases: AssignmentUseCases = request.app.state.assignment_use_cases
    return use_cases


async def partner_choices(request: Request, without: str | None = None) -> list[tuple[str, str]]:
    """The active partners, which an order can be given to: pairs of id and name. `without` is the one that has it."""
    known = await request.app.state.accounts.partners.list("active")
    return [(each.partner_id, each.name) for each in known if each.partner_id != without]


async def find(request: Request, principal: Principal, sp_id: str) -> StoredOrder:
    """Load an order with its timeline.

    Raises:
        EarlyResponse: a page with 404 or 403 if this person sees no such order, or with 503 if Temporal is away.
    """
    try:
        return await order_use_cases(request).find(principal, sp_id)
    except UnknownOrder:
        raise EarlyResponse(error_page(request, 404)) from None
    except Forbidden:
        raise EarlyResponse(error_page(request, 403)) from None
    except TemporalAway:
        later = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise EarlyResponse(error_page(request, 503, later)) from None


def failure_text(failure: Failure, language: Language) -> str:
    """Why a command was not carried out, in the reader's language."""
    match failure:
        case NotAllowed():
            return words.refusal_reason(failure.action, failure.code, failure.status, language)
        case InvalidCommand():
            return words.invalid_text(failure.code, language)
        case UnknownOrder():
            return TRANSLATIONS[language].gettext(_NOT_FOUND)
        case _:
            return repeat_text(failure, language)


def results_of(
    done: Mapping[str, StoredOrder | Stored | Failure], language: Language
) -> list[Result]:
    """The results for several orders in the reader's language."""
    return [_result(sp_id, outcome, language) for sp_id, outcome in done.items()]


def _result(sp_id: str, outcome: StoredOrder | Stored | Failure, language: Language) -> Result:
    match outcome:
        case StoredOrder():
            return Result(sp_id, True, False, words.status_label(outcome.order.status, language))
        case Stored():
            return Result(sp_id, False, True, "")
        case _:
            return Result(sp_id, False, False, failure_text(outcome, language))


def contact_links(customer: CustomerView) -> ContactLinks:
    """The links to a customer; only for data that the caller sees. A telephone number without digits has no link."""
    place = " ".join(filter(None, (customer.postal_code, customer.city)))
    address = ", ".join(filter(None, (customer.street, place)))
    return ContactLinks(
        phone=phone_link(customer.phone or ""),
        map=MAP + quote(address, safe="") if customer.street else None,
        mail="mailto:" + quote(customer.email, safe="@") if customer.email else None,
    )


def phone_link(phone: str) -> str | None:
    """The link that dials a telephone number; None for a text without digits."""
    number = re.sub(r"\(0\)", "", phone)
    number = ("+" if number.strip().startswith("+") else "") + re.sub(r"[^0-9]", "", number)
    return f"tel:{number}" if number.strip("+") else None
