"""The author of an event: who did something, and on behalf of which partner."""

from datetime import datetime
from typing import Any, NamedTuple

from pydantic import Field, field_serializer, model_validator

from domain.actors import Actor
from domain.values import Value

_FOR = " for partner:"


class Author(NamedTuple):
    """Who did something.

    Attributes:
        by: "partner:elektro-huber", "operations:Anna", "operations", "shop", "warehouse", "system".
        on_behalf_of: the partner on whose behalf operations acted; None otherwise.
        person: the name of the person who acted for its partner, if that is known.
    """

    by: str
    on_behalf_of: str | None = None
    person: str | None = None


def author_of(actor: Actor, *, on_behalf_of: str | None = None) -> Author:
    """The author of what an actor does. `on_behalf_of` is ignored unless operations act."""
    if actor.role == "partner":
        return Author(f"partner:{actor.partner_id}", person=actor.person)
    named = f"{actor.role}:{actor.name}" if actor.name else actor.role
    return Author(named, on_behalf_of if actor.role == "operations" else None)


class RecordedEvent(Value):
    """The number (from 1), the instant and the author of an event. A subclass adds the event itself.

    `by` and `on_behalf_of` are those of `Author`. In JSON they are one text, "operations:Anna for
    partner:elektro-huber", as histories, digests, older processes and the API have it. Reading splits this text.
    """

    seq: int
    at: datetime
    by: str
    on_behalf_of: str | None = Field(default=None, exclude=True)

    @property
    def author(self) -> str:
        """`by` and `on_behalf_of` in one text."""
        return self.by if self.on_behalf_of is None else f"{self.by}{_FOR}{self.on_behalf_of}"

    @field_serializer("by")
    def _serialize_author(self, _by: str) -> str:
        return self.author

    @model_validator(mode="before")
    @classmethod
    def _split_author(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("on_behalf_of") is not None:
            return value
        # The name of a login may contain the separator, a partner's identifier cannot: split at the last one.
        by, found, partner_id = str(value.get("by", "")).rpartition(_FOR)
        return {**value, "by": by, "on_behalf_of": partner_id} if found else value
