"""What the check of a partner's invoice can find. `invoices/check.py` reads the invoice."""

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
]


class Problem(Value):
    """Something that is wrong, besides SP-IDs. `detail` is what was expected, or what was found."""

    code: Annotated[ProblemCode, OPEN]
    detail: Annotated[str, Field(max_length=200)] = ""


class Verdict(Value):
    """What came of a check. `missing` and `foreign` are SP-IDs, of each at most 200."""

    accepted: bool
    missing: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
