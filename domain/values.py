"""The base classes of the domain's values: immutable, and readable by older and newer processes."""

from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

Language = Literal["de", "fr", "it", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def mark(text: str) -> str:
    """Mark a German text for translation. It is translated where it is shown (`say` in words/translations.py)."""
    return text


class Meaning(NamedTuple):
    """A marked text with a context, because the same German text has other translations elsewhere."""

    context: str
    text: str


def pmark(context: str, text: str) -> Meaning:
    """Mark a text that has a meaning of its own in this context."""
    return Meaning(context, text)


class Value(BaseModel):
    """An immutable value, as our processes store it and send it to each other.

    A newer process may have written it: fields that this one does not know are not read, and are written again with the
    others. What comes from outside is an `Input`, or is validated with `extra="forbid"`, which holds at any depth.

    A value that changes has a method `replace(**changes: Unpack[Changes])`, whose `TypedDict` lists the fields that
    change, with their types. This lets mypy find a misspelt field, which `model_copy` would keep as an unknown one.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The OpenAPI document: unknown fields are refused in a body, and not described in an answer."""
        described = handler(schema)
        fields = handler.resolve_ref_schema(described)
        if handler.mode == "validation":
            fields["additionalProperties"] = False
        else:
            fields.pop("additionalProperties", None)
        return described


class Input(BaseModel):
    """An immutable value from outside. Unknown fields are refused, so that a misspelt one is reported."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Value = TypeVar("_Value", bound=Value)


def without_unknown(value: _Value) -> _Value:
    """The value without the fields that this process does not know, at any depth, for callers from outside.

    This process cannot know who may see a field of a newer release.
    """
    if not _has_unknown(value):
        return value
    return type(value).model_validate(value.model_dump(), extra="ignore")


def _has_unknown(value: object) -> bool:
    match value:
        case Value():
            return bool(value.model_extra) or any(map(_has_unknown, value.__dict__.values()))
        case tuple():
            return any(map(_has_unknown, value))
        case dict():
            return any(map(_has_unknown, value.values()))
        case _:
            return False


class _Open:
    """Marks the `Literal` of a stored field: a newer process may have written another text, which is kept as it is."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.union_schema(
            [handler(source), core_schema.str_schema()], mode="left_to_right"
        )


OPEN = _Open()


class OpenEnum(StrEnum):
    """Names that are stored. A name that only a newer process knows becomes a member that iteration leaves out."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether this process knows what it means."""
        return any(self is member for member in type(self))
