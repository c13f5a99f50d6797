"""Helpers for logins and tokens: identifiers, and the check of input."""

import secrets
from typing import NamedTuple

from pydantic import ValidationError

from domain.fields import EmailAddress, TextLine
from domain.values import Language, Value
from use_cases.account_errors import Fault, WrongFields, wrong_fields
from use_cases.link_mails import hash_of


def random_part(request_id: str | None) -> str:
    """The unique part of an identifier. The same request id always gives the same part."""
    if request_id is None:
        return secrets.token_hex(8)
    return hash_of(request_id)[:16]


def check_role(role: str, partner_id: str | None) -> None:
    """Check that logins of partners, and only these, have the role `partner`. Raises `WrongFields`."""
    if (role == "partner") != (partner_id is not None):
        message = "must be partner for a partner's login, and only there"
        raise WrongFields(Fault("role", "role", message))


class NewUser(NamedTuple):
    """The checked input about a person who gets a login."""

    email: str
    name: str
    language: Language


class _Given(Value):
    email: EmailAddress
    name: TextLine
    language: Language


def new_user(email: str, name: str, language: Language) -> NewUser:
    """The given values, checked and trimmed. Raises `WrongFields` with each that is invalid."""
    try:
        given = _Given(email=email, name=name, language=language)
    except ValidationError as error:
        raise wrong_fields(error) from None
    return NewUser(given.email, given.name, given.language)
