"""Checks the payment part of an invoice: its Swiss QR code, and the account to which it asks to pay."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from stdnum import iban as ibans

from domain.iban import masked
from domain.settlements.ids import creditor_reference, is_creditor_reference
from domain.settlements.invoicing import Problem
from invoices.amounts import pattern

_MOST_ACCOUNTS = 5
# The longest IBAN has 34 characters. They are printed in groups.
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?:\s?[A-Z0-9]){11,30}", re.ASCII)


class Bill(NamedTuple):
    """What a Swiss QR code says (SIX, Implementation Guidelines QR-bill). An empty amount leaves it open."""

    iban: str
    amount: str
    currency: str
    kind: str
    reference: str


def bills_of(codes: Iterable[str]) -> tuple[Bill, ...]:
    """The payment parts among the QR codes of an invoice."""
    read = ([line.strip() for line in code.split("\n")] for code in codes)
    return tuple(
        Bill(lines[3], lines[18], lines[19], lines[27], lines[28])
        for lines in read
        if len(lines) >= 30 and lines[0] == "SPC"
    )


def bill_problems(
    bills: Iterable[Bill], settlement_id: str, totals: Iterable[Decimal]
) -> Iterator[Problem]:
    """Check that each payment part asks for one of these totals, in CHF, with this settlement's reference."""
    right, expected = creditor_reference(settlement_id), frozenset(totals)
    for bill in bills:
        is_amount = re.fullmatch(r"\d{1,12}(\.\d{1,2})?", bill.amount, re.ASCII)
        if bill.amount and not (is_amount and Decimal(bill.amount) in expected):
            yield Problem(code="qr_amount", detail=bill.amount[:40])
        if bill.currency != "CHF":
            yield Problem(code="qr_currency", detail=bill.currency[:10])
        # A QR reference (QRR) is the partner's own number.
        if bill.kind == "SCOR" and (
            not is_creditor_reference(bill.reference) or bill.reference != right
        ):
            yield Problem(code="qr_reference", detail=bill.reference[:40])


def asked_total(bills: Iterable[Bill], text: str, totals: Iterable[Decimal]) -> Decimal:
    """The total that a correct invoice asks for: that of its payment part, or else the last one in its text.

    `totals`: the possible totals that the text names.
    """
    asked = [Decimal(bill.amount) for bill in bills if bill.amount]
    if asked:
        return asked[0]
    return max(totals, key=lambda total: max(m.end() for m in pattern(total).finditer(text)))


def account_problems(
    text: str, bills: Iterable[Bill], registered: str | None
) -> tuple[Problem, ...]:
    """The accounts that the invoice names, in its QR code or in its text, and that are not the registered one.

    The text is checked as well: a sender who wants to be paid elsewhere may leave out the QR code.
    """
    known = _compact(registered or "")
    named = dict.fromkeys([*(_compact(bill.iban) for bill in bills), *_ibans_in(text)])
    return tuple(
        Problem(code="other_iban" if known else "no_registered_iban", detail=masked(iban))
        for iban in [each for each in named if each != known][:_MOST_ACCOUNTS]
    )


def _ibans_in(text: str) -> Iterator[str]:
    """The IBANs in a text. Text after an IBAN may look like part of it, so the shortest valid one counts."""
    for match in _IBAN.finditer(text):
        candidate = _compact(match[0])
        for length in range(15, len(candidate) + 1):
            if ibans.is_valid(candidate[:length]):
                yield candidate[:length]
                break


def _compact(iban: str) -> str:
    return "".join(iban.split()).upper()
