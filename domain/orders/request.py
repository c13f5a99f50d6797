"""A command as it is sent to an order's workflow."""

from typing import Annotated

from pydantic import Field, ValidationError

from domain.actors import Actor
from domain.fields import Instant
from domain.orders.commands import ExternalCommand
from domain.values import Value


class Request(Value):
    """A command, who gives it, and the id under which it may be repeated.

    `at`: when the command was received, if it is sent later. It takes effect as of that instant.
    """

    command: Annotated[ExternalCommand, Field(discriminator="type")]
    actor: Actor
    request_id: str
    at: Instant | None = None


def is_newer(error: Exception) -> bool:
    """Whether a `Request` could not be read because a newer process made it.

    Then its only errors are an unknown command, or unknown codes in it.
    """
    return isinstance(error, ValidationError) and all(
        each["type"] in ("union_tag_invalid", "literal_error") for each in error.errors()
    )
