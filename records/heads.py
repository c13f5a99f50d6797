"""Which history of an order or settlement the records hold, and how the workflow's answer replaces a wrong one."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar

from domain.digest import ChainedEvent, continues, extend

logger = logging.getLogger("cmi.records")

_Snapshot = TypeVar("_Snapshot")
_Kept = TypeVar("_Kept", contravariant=True)
_TRIES = 5


class Head(NamedTuple):
    """The last event that the records hold: its number, and the digest of all events up to it (domain/digest.py).

    The digest is None in rows that an older release wrote.
    """

    version: int
    digest: str | None


class Diverged(Exception):
    """The records and a writer hold different histories of one order or settlement: some event differs.

    The workflow knows which is true.
    """

    def __init__(self, name: str, held: int, version: int) -> None:
        super().__init__(f"{name}: version {held} in the records and version {version} differ")


def step(
    name: str,
    held: Head,
    new: Head,
    events: Sequence[ChainedEvent],
    replaces: Head | None,
    later: Callable[[], Sequence[ChainedEvent]],
) -> Literal["nothing", "goes_on", "replaces"]:
    """What to do with a write whose events lead to `new`, when the records hold `held`.

    `nothing`: the records hold it already, or it is a late write of an earlier version of the same history. `goes_on`:
    its events follow what is held. `replaces`: the writer asked the workflow after the records held `replaces`, and
    they still hold that. `later` returns the held events after the new version.

    Raises:
        Diverged: it is a different history, and its writer has not asked the workflow.
    """
    asked = held == replaces
    if held.version > new.version and not asked:
        if extend(new.digest or "", later()) == held.digest:
            return "nothing"
    elif held == new and not asked:
        return "nothing"
    elif held.version < new.version and continues(
        held.version, held.digest, new.version, new.digest or "", events
    ):
        return "goes_on"
    if not asked:
        raise Diverged(name, held.version, new.version)
    if held != new:
        logger.warning(
            "the records held a different history, and are replaced",
            extra={"about": name, "held": held.version, "version": new.version},
        )
    return "replaces"


def is_in(
    held: Head | None, version: int, digest: str, later: Callable[[], Sequence[ChainedEvent]]
) -> bool:
    """Whether the records hold this version with this digest, or a later version of the same history.

    A worker of an older release sends an empty digest: then only the version counts. `later` returns the held events
    after the version.
    """
    if held is None or held.version < version:
        return False
    return not digest or extend(digest, later()) == held.digest


class Keeper(Protocol[_Kept]):
    """Orders or settlements in the records."""

    async def head(self, name: str) -> Head | None:
        """The head of one that the records hold; None if they hold none."""

    async def save(self, snapshot: _Kept, *, replaces: Head | None = None) -> int:
        """Keep one."""


async def take_over(
    records: Keeper[_Snapshot], name: str, ask: Callable[[], Awaitable[_Snapshot]]
) -> _Snapshot:
    """Replace what the records hold by the workflow's answer, and return the answer.

    The records never hold more than Temporal has stored. So an answer that was asked for after the records were read
    may replace what was read. If another process has written meanwhile, both steps are repeated.

    Raises:
        Diverged: another process wrote during each of several tries.
    """
    tries = 0
    while True:
        head = await records.head(name)
        said = await ask()
        tries += 1
        try:
            await records.save(said, replaces=head)
        except Diverged:
            if tries == _TRIES:
                raise
        else:
            return said
