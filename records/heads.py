"""Which life of an order or a settlement the records hold, and how a workflow's own word takes its place."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar

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
