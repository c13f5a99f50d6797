"""What the pages of orders have in common: find an order, links to the customer, what went wrong."""

import re
from typing import NamedTuple
from urllib.parse import quote

from fastapi import Request

from domain import words
from domain.errors import InvalidCommand
from domain.orders.order import Customer, Status
from domain.values import Language
from records.orders import StoredOrder
from use_cases.access import Forbidden
from use_cases.orders import NotAllowed, OrderDesk, TemporalAway, UnknownOrder
from use_cases.principal import Principal
from use_cases.worklist import Failure, WorkDesk
from web.portal.commands import repeat_text
from web.portal.pages import Answered, error_page
from web.portal.words import WORDS, mark
from web.problems import RETRY_AFTER_SECONDS

URGENT_STATES = (
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.SET_APPOINTMENT,
    Status.CONFIRM_EXECUTION,
)
"""The states in which the partner has something to do: their lists begin with what is due first."""

MAP = "https://www.openstreetmap.org/search?query="
SPOKEN: dict[Language, str] = {
    "de": mark("Deutsch"),
    "fr": mark("Französisch"),
    "it": mark("Italienisch"),
    "en": mark("Englisch"),
}
_NOT_FOUND = mark("Diesen Auftrag gibt es nicht, oder er ist nicht mehr Ihrer.")


class Reach(NamedTuple):
    """How the customer is reached: links for the telephone, the map and the mail program."""

    phone: str | None
    map: str
    mail: str


def order_desk(request: Request) -> OrderDesk:
    """The use cases of orders."""
    desk: OrderDesk = request.app.state.order_desk
    return desk


def work_desk(request: Request) -> WorkDesk:
    """The use cases of several orders."""
    desk: WorkDesk = request.app.state.work_desk
    return desk


async def find(request: Request, principal: Principal, sp_id: str) -> StoredOrder:
    """An order with its timeline.

    Raises:
        Answered: the page that says that there is none for this person, or that nobody can say just now.
    """
    try:
        return await order_desk(request).find(principal, sp_id)
    except UnknownOrder:
        raise Answered(error_page(request, 404)) from None
    except Forbidden:
        raise Answered(error_page(request, 403)) from None
    except TemporalAway:
        later = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise Answered(error_page(request, 503, later)) from None


def failure_text(failure: Failure, language: Language) -> str:
    """Why something was not done, in the reader's language."""
    match failure:
        case NotAllowed():
            return words.refusal_reason(failure.action, failure.code, failure.status, language)
        case InvalidCommand():
            return words.invalid_text(failure.code, language)
        case UnknownOrder():
            return WORDS[language].gettext(_NOT_FOUND)
        case _:
            return repeat_text(failure, language)


def reach(customer: Customer) -> Reach:
    """The links to a customer. A text without digits is no telephone number."""
    number = re.sub(r"\(0\)", "", customer.phone)
    number = ("+" if number.strip().startswith("+") else "") + re.sub(r"[^0-9]", "", number)
    address = f"{customer.street}, {customer.postal_code} {customer.city}"
    return Reach(
        phone=f"tel:{number}" if number.strip("+") else None,
        map=MAP + quote(address, safe=""),
        mail="mailto:" + quote(customer.email, safe="@"),
    )
