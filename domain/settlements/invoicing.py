"""The result of checking a partner's invoice. `invoices/check.py` does the check."""

from typing import Annotated, Literal

from pydantic import Field

from domain.values import OPEN, Value

ProblemCode = Literal[
    "not_a_pdf",
    "statement",
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
    "other_iban",
    "no_registered_iban",
]


class Problem(Value):
    """Something that is wrong, other than SP-IDs. `detail`: what was expected, or what was found."""

    code: Annotated[ProblemCode, OPEN]
    detail: Annotated[str, Field(max_length=200)] = ""


class Verdict(Value):
    """The verdict on an invoice. `missing`, `foreign`: SP-IDs that it lacks or must not have, at most 200 of each.

    `accounting_decides`: it is right but for its account, so it is neither accepted nor refused; the problem says why.
    """

    accepted: bool
    accounting_decides: bool = False
    missing: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
