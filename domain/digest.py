"""The digest of a life: a hash chain over its events, which tells whether two places know the same ones."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

_LENGTH = 32  # hexadecimal digits, 128 bits


class _Typed(Protocol):
    @property
    def type(self) -> str: ...


class ChainedEvent(Protocol):
    """What the chain covers of a recorded event. The event's own data is left out, so that a field that a newer
    release adds changes no digest; number, instant and author tell two events apart."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def author(self) -> str: ...
    @property
    def event(self) -> _Typed: ...


def extend(digest: str, events: Iterable[ChainedEvent]) -> str:
    """The digest of a life after these events. `digest` is the one before them; it is empty before the first event."""
    for recorded in events:
        digest = link(digest, recorded.seq, recorded.at, recorded.event.type, recorded.author)
    return digest


def link(digest: str, seq: int, at: datetime, event_type: str, author: str) -> str:
    """The digest after one event, from its parts."""
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
    """Whether these events go on from the life that is held, without a gap, to the one with this version and digest."""
    new = [event for event in events if event.seq > held_version]
    return (
        held_digest is not None
        and len(new) == version - held_version
        and extend(held_digest, new) == digest
    )
