"""The digest of the events of an order or a settlement: a hash chain, equal in two places that have the same events."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

_LENGTH = 32  # hexadecimal digits, 128 bits


class _Typed(Protocol):
    @property
    def type(self) -> str: ...


class ChainedEvent(Protocol):
    """The parts of a recorded event that the chain covers. It covers no other fields, so that a field that a newer
    release adds changes no digest."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def author(self) -> str: ...
    @property
    def event(self) -> _Typed: ...


def extend(digest: str, events: Iterable[ChainedEvent]) -> str:
    """The digest after these events. `digest`: the one before them, empty before the first event."""
    for recorded in events:
        digest = link(digest, recorded.seq, recorded.at, recorded.event.type, recorded.author)
    return digest


def link(digest: str, seq: int, at: datetime, event_type: str, author: str) -> str:
    """The digest after one more event, which is given by its parts."""
    instant = at.astimezone(UTC).isoformat(timespec="microseconds")
    text = f"{digest}|{seq}|{instant}|{event_type}|{author}"
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def continues(
    held_version: int,
    held_digest: str | None,
    version: int,
    digest: str,
    events: Sequence[ChainedEvent],
) -> bool:
    """Whether these events lead from the held version and digest, without a gap, to this version and digest."""
    new = [event for event in events if event.seq > held_version]
    return (
        held_digest is not None
        and len(new) == version - held_version
        and extend(held_digest, new) == digest
    )
