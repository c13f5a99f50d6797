"""Which life of an order or a settlement the records hold, and how a workflow's own word takes its place."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar

from domain.digest import ChainedEvent, continues, extend

logger = logging.getLogger("cmi.records")

_Snapshot = TypeVar("_Snapshot")
_Kept = TypeVar("_Kept", contravariant=True)
_TRIES = 5


class Head(NamedTuple):
    """The last event that the records hold: its number, and the digest of all until then (domain/digest.py).

    There is no digest in rows that an older release wrote.
    """

    version: int
    digest: str | None


class Diverged(Exception):
    """The records and a writer hold two different lives of one order or settlement: some event differs. The workflow
    knows which is true."""

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
    """What a write does that comes to `new` by these events, where the records hold `held`.

    `nothing`: they hold it, or it is a late write of an earlier version of the same life. `goes_on`: its events go on
    from what is held. `replaces`: its writer has asked the workflow after the records held `replaces`, and they still
    do. `later` gives the events that are held after the new version.

    Raises:
        Diverged: it is another life, and nobody has asked the workflow.
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
            "the records held another life, and are replaced",
            extra={"about": name, "held": held.version, "version": new.version},
        )
    return "replaces"


def is_in(
    held: Head | None, version: int, digest: str, later: Callable[[], Sequence[ChainedEvent]]
) -> bool:
    """Whether what is held is this version with this digest, or what came after it.

    An empty digest is that of a worker of an older release: then the version alone counts. `later` gives the events
    that are held after the version.
    """
    if held is None or held.version < version:
        return False
    return not digest or extend(digest, later()) == held.digest


class Keeper(Protocol[_Kept]):
    """Orders or settlements in the records."""

    async def head(self, name: str) -> Head | None:
        """What the records hold of one; None if they hold nothing."""

    async def save(self, snapshot: _Kept, *, replaces: Head | None = None) -> int:
        """Keep one."""


async def take_over(
    records: Keeper[_Snapshot], name: str, ask: Callable[[], Awaitable[_Snapshot]]
) -> _Snapshot:
    """Have the records hold what the workflow says, whatever they held. Returns what it said.

    The records never hold more than Temporal has kept. So the answer to a question that was asked after they were
    looked at is the truth about what was seen there, and replaces it if it is still there. If somebody has written
    meanwhile, all is done again.

    Raises:
        Diverged: somebody else writes all the time.
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
