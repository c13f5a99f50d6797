"""The versions of the rules: what changed when, and which rows of a table hold under a version.

Every order and every settlement carries the version that it was placed under (`Order.rules`, `Settlement.rules`).
A rule asks the order and never the clock or Temporal, so a running order keeps its rules until `RulesAdopted` moves
it to newer ones. docs/changing-rules.md says how to change a rule, docs/rules.md what the rules are.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple, Protocol, TypeVar

from domain.errors import NotUnderstood


class Version(NamedTuple):
    """One version of the rules. `since` is the day from which new orders are placed under it."""

    number: int
    since: date
    what: str
    why: str


VERSIONS: tuple[Version, ...] = (
    Version(
        number=1,
        since=date(2026, 11, 23),
        what="The rules of the first release.",
        why="Orders that were placed before orders carried a version are under these.",
    ),
    Version(
        number=2,
        since=date(2026, 11, 29),
        what="The life of an order as the trade has it: only what was done is paid, problems can be reported at any "
        "time, "
        "partners decline, orders are put on hold and reassigned in every open state, VAT is rounded once.",
        why="Under the first rules work could be paid that was never done, and some orders could not go on.",
    ),
)
"""Numbered from 1 without gaps; a version that was released is never changed."""

CURRENT = VERSIONS[-1].number
"""The version that new orders and settlements are placed under."""


def check(version: int) -> None:
    """Check that this process knows a version that an order is under or is to adopt.

    Raises:
        NotUnderstood: it does not. This is not a refusal: a worker of an older release fails its workflow task, instead
            of replaying the history under other rules.
    """
    if not is_known(version):
        raise NotUnderstood(f"rules version {version}; the newest known here is {CURRENT}")


def is_known(version: int) -> bool:
    """Whether this process knows the version."""
    return 1 <= version <= CURRENT


class Row(Protocol):
    """A row of a table of rules: it holds from version `since` to version `until` (None: to the newest)."""

    @property
    def since(self) -> int:
        """The first version in which the row holds."""

    @property
    def until(self) -> int | None:
        """The last version in which it holds, if a newer one has changed or dropped it."""


_Row = TypeVar("_Row", bound=Row)
_Key = TypeVar("_Key")
_Entry = TypeVar("_Entry")


def holding(rows: Iterable[_Row], version: int) -> Iterator[_Row]:
    """The rows of a table that hold under a version, in their order."""
    return (
        row for row in rows if row.since <= version and (row.until is None or version <= row.until)
    )


def under(table: Mapping[int, Mapping[_Key, _Entry]], version: int) -> dict[_Key, _Entry]:
    """What a table keyed by version holds under one version: later versions replace and add entries of earlier ones."""
    merged: dict[_Key, _Entry] = {}
    for since in sorted(table):
        if since <= version:
            merged.update(table[since])
    return merged
