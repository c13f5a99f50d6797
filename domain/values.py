"""What every value of the domain is: immutable, strict about unknown fields, comparable."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Language = Literal["de", "fr", "it", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "fr", "it", "en")


class Value(BaseModel):
    """An immutable value. Unknown fields are refused, so that a typing error in a file is named and not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")
