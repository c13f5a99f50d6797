"""Whether a text can be an SP-ID."""

from pydantic import TypeAdapter, ValidationError

from domain.fields import Identifier

_SP_ID: TypeAdapter[str] = TypeAdapter(Identifier)


def is_sp_id(text: str) -> bool:
    """Whether a text has the form of an SP-ID."""
    try:
        _SP_ID.validate_python(text)
    except ValidationError:
        return False
    return True
