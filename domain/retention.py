"""How long each kind of data is kept, and why (docs/data-protection.md, "Retention")."""

from datetime import timedelta
from typing import Literal, NamedTuple, get_args

Kind = Literal[
    "orders", "contact", "mails", "answers", "findings", "traces", "refused_invoices", "settlements"
]


class Rule(NamedTuple):
    """A kind of data: the days that it is kept by default, the fewest that the law allows, and the reason."""

    days: int
    at_least: int
    reason: str


RULES: dict[Kind, Rule] = {
    "orders": Rule(
        730,
        0,
        "with what was written and recorded: two years of warranty after the end (OR 210), then no purpose is left",
    ),
    "contact": Rule(90, 0, "complaints about the work; later the partner needs to reach nobody"),
    "mails": Rule(365, 0, "proof of what was sent, until all settlements of a year are paid"),
    "answers": Rule(7, 1, "repetitions of a call come within days"),
    "findings": Rule(365, 0, "what was found and repaired, for operations"),
    "traces": Rule(
        365, 0, "security events and who looked at whom, for inquiries after an incident"
    ),
    "refused_invoices": Rule(
        30,
        2,
        "files that accounting never had: the partner asks why, or sends a right one, within days",
    ),
    "settlements": Rule(
        4018, 4018, "accounting records: ten years after the end of the business year (OR 958f)"
    ),
}
"""Days after the end of an order, the sending of a mail, the answer to a call, the upload of an invoice, the issue of a
statement."""


def parse_retention(text: str) -> dict[Kind, timedelta]:
    """The spans of all kinds: those of `kind=days[,kind=days…]`, and the defaults of the others.

    Raises:
        ValueError: an entry names no kind, or has no possible number of days.
    """
    rules: dict[str, Rule] = {str(kind): rule for kind, rule in RULES.items()}
    days = {kind: rule.days for kind, rule in rules.items()}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        kind, _, number = (part.strip() for part in entry.partition("="))
        if kind not in get_args(Kind):
            raise ValueError(f"must be kind=days, with a kind of {', '.join(get_args(Kind))}")
        least = rules[kind].at_least
        if not (number.isascii() and number.isdecimal() and least <= int(number) <= 36525):
            raise ValueError(f"{kind} must be days, from {least} to 36525")
        days[kind] = int(number)
    return {kind: timedelta(days=days[kind]) for kind in RULES}
