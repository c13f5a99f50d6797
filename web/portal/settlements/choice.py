"""The selection of orders in a form that shows them page by page and works without JavaScript."""

import hashlib
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from domain.settlements.lines import Line
from web.portal.forms import Form

PER_PAGE = 100
_NOTHING = Decimal("0.00")

Base = Literal["all", "none"]


class Choice(NamedTuple):
    """All orders except `others`, or none except `others`: a form carries exceptions only, even with 10,000 orders."""

    base: Base = "all"
    others: frozenset[str] = frozenset()
    page: int = 1

    @classmethod
    def only(cls, picked: Collection[str], lines: Sequence[Line]) -> "Choice":
        """The choice of exactly these of the lines."""
        left = frozenset(line.sp_id for line in lines) - frozenset(picked)
        return cls("all", left) if len(left) <= len(picked) else cls("none", frozenset(picked))

    @classmethod
    def of(cls, form: Form) -> "Choice":
        """The choice in a form: its ticks for the orders of its page (field `shown`), its hidden fields for all others.

        The button that sent the form may also select all or none, or turn the page.
        """
        base: Base = "none" if form.get("base") == "none" else "all"
        others = set(form.get("others").split())
        ticked = set(form.getlist("sp_id"))
        for sp_id in form.get("shown").split():
            if (sp_id in ticked) == (base == "all"):
                others.discard(sp_id)
            else:
                others.add(sp_id)
        step = form.get("step")
        if step in ("all", "none"):
            base, others = ("all" if step == "all" else "none"), set()
        page = _number(form.get("page"))
        if step in ("next", "previous"):
            page += 1 if step == "next" else -1
        return cls(base, frozenset(others), max(1, page))

    def has(self, sp_id: str) -> bool:
        """Whether an order is selected."""
        return (sp_id in self.others) != (self.base == "all")

    def picked(self, lines: Sequence[Line]) -> tuple[Line, ...]:
        """The selected lines."""
        return tuple(line for line in lines if self.has(line.sp_id))


class Picking(NamedTuple):
    """One page of the lines to select from (`shown`), and the selection from all of them (`picked`)."""

    choice: Choice
    lines: tuple[Line, ...]
    shown: tuple[Line, ...]
    picked: tuple[Line, ...]
    pages: int

    @classmethod
    def of(cls, choice: Choice, lines: Sequence[Line]) -> "Picking":
        """The page of the lines at which the choice is."""
        pages = max(1, -(-len(lines) // PER_PAGE))
        choice = choice._replace(page=min(choice.page, pages))
        begin = (choice.page - 1) * PER_PAGE
        shown = tuple(lines[begin : begin + PER_PAGE])
        return cls(choice, tuple(lines), shown, choice.picked(lines), pages)

    @property
    def net(self) -> Decimal:
        """The sum of the selected fees."""
        return sum((line.fee for line in self.picked), _NOTHING)

    @property
    def elsewhere(self) -> tuple[int, Decimal]:
        """The number of lines selected on other pages, and the sum of their fees."""
        here = {line.sp_id for line in self.shown}
        others = [line for line in self.picked if line.sp_id not in here]
        return len(others), sum((line.fee for line in others), _NOTHING)

    @property
    def digest(self) -> str:
        """A hash of the selected orders and their fees, so that only the confirmed selection is carried out."""
        text = "\n".join(f"{line.sp_id} {line.fee}" for line in self.picked)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 1
