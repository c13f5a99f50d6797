"""The text of an order that is searched, and how searches compare texts (docs/rules.md, "Search")."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from domain.orders.order import Order
from domain.postal_codes import canton_of_postal_code

_UMLAUTS = re.compile("([aou])e")
_OTHER_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})
_SP_ID = re.compile(r"\bsp[\s_–-]*(?=\d)")
_NUMBER = re.compile(r"[+\d][\d\s/().'-]{5,}")
_FEWEST_DIGITS = 6


def normalized(text: str) -> str:
    """A text in the form that searches compare: without case and accents, and with ä, ae and a alike."""
    bare = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return _UMLAUTS.sub(r"\1", letters.translate(_OTHER_LETTERS))


class SearchText(NamedTuple):
    """What a search for orders reads, one line each. Each line has a line break before and after it.

    Attributes:
        public: SP-ID, sales order, settlement, tracking numbers, customer's name, postal code and town.
        contact: the customer's street, telephone and e-mail address, which not everybody who sees an order may search.
    """

    public: str
    contact: str


def searchable(order: Order) -> SearchText:
    """The text of an order that searches read."""
    placement = order.intake.placement
    customer = placement.customer
    trackings = tuple(chain.from_iterable(shipment.trackings for shipment in order.shipments))
    return SearchText(
        _lines(
            placement.sp_id,
            placement.sales_order_id,
            order.settlement_id or "",
            *trackings,
            *map(digits, trackings),
            customer.name,
            f"{customer.postal_code} {customer.city}",
        ),
        _lines(customer.street, digits(customer.phone), customer.email or ""),
    )


def _lines(*texts: str) -> str:
    return "\n".join(("", *(normalized(text) for text in texts if text), ""))


def digits(number: str) -> str:
    """Only the digits of a telephone or tracking number; Swiss telephone numbers without +41."""
    bare = re.sub(r"[^\d+]", "", number.replace("(0)", ""))
    return re.sub(r"\D", "", re.sub(r"^(\+41|0041)0?", "0", bare))


class Wanted(NamedTuple):
    """What somebody searches for.

    Attributes:
        whole: the whole text.
        words: the words, all of which an order must contain.
        number: the digits of a telephone or tracking number, if the text is one; None otherwise.
    """

    whole: str
    words: tuple[str, ...]
    number: str | None

    @property
    def patterns(self) -> Iterable[str]:
        """The text to look for, for each word. A Swiss postal code is the beginning of a place, not part of an id."""
        for word in self.words:
            is_postal_code = len(word) == 4 and canton_of_postal_code(word) is not None
            yield f"\n{word} " if is_postal_code else word


def wanted(q: str) -> Wanted | None:
    """What a typed text searches for; None if it is blank."""
    whole = " ".join(normalized(q).split())
    if not whole:
        return None
    number = digits(q.strip()) if _NUMBER.fullmatch(q.strip()) else ""
    whole = _SP_ID.sub("sp-", whole)
    return Wanted(whole, tuple(whole.split()), number if len(number) >= _FEWEST_DIGITS else None)


def is_named(key: str, q: str) -> bool:
    """Whether a typed text is this SP-ID or number in any spelling: `"SP 1050049"` is `"SP-1050049"`."""
    searched = wanted(q)
    return searched is not None and searched.whole == normalized(key)
