"""A partner's invoice: its own number and date, and the result of the check that `invoices/check.py` makes."""

import datetime
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from domain.fields import Note
from domain.settlements.lines import Amount
from domain.values import OPEN, Value

ProblemCode = Literal[
    "not_a_pdf",
    "statement",
    "draft",
    "returned",
    "too_large",
    "too_many_pages",
    "encrypted",
    "unreadable",
    "no_text",
    "no_settlement_id",
    "other_settlement",
    "bad_reference",
    "no_total",
    "other_total",
    "qr_amount",
    "qr_currency",
    "qr_reference",
    "qr_pages",
    "other_iban",
    "no_registered_iban",
    "active_content",
    "attachment",
    "virus",
]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


def _not_only_signs(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("must have a letter or a digit")
    return text


InvoiceNumber = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=35),
    AfterValidator(_printable),
    AfterValidator(_not_only_signs),
]
"""The number that a partner gives its invoice: 1 to 35 printable characters, at least one of them a letter or digit."""

PaymentReference = Annotated[Note, StringConstraints(max_length=140), AfterValidator(_printable)]
"""The reference of a payment: at most 140 printable characters, which is what a bank transmits. May be empty."""


class OwnInvoice(Value):
    """The partner's own number and date of an invoice that CMI makes for it."""

    number: InvoiceNumber
    date: datetime.date


def number_key(number: str) -> str:
    """An invoice number in one form, whatever case, blanks and full-width forms it is written with."""
    return "".join(unicodedata.normalize("NFKC", number).split()).casefold()


class Problem(Value):
    """Something that is wrong, other than SP-IDs. `detail`: what was expected, or what was found."""

    code: Annotated[ProblemCode, OPEN]
    detail: Annotated[str, Field(max_length=200)] = ""


class Verdict(Value):
    """The verdict on an invoice. `missing`, `foreign`: SP-IDs that it lacks or must not have, at most 200 of each.

    `accounting_decides`: it is right except for its account, so it is neither accepted nor refused (`problems`).
    `total`: what it asks for, which may be rounded otherwise than the statement's total; None if it is refused.
    """

    accepted: bool
    accounting_decides: bool = False
    total: Amount | None = None
    missing: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
