"""What logins and tokens have in common: their identifiers, and which roles belong to a partner."""

import secrets

from use_cases.account_errors import Fault, WrongFields
from use_cases.link_mails import hash_of


def random_part(request_id: str | None) -> str:
    """The part of an identifier that makes it unique; it is the same for the same request id."""
    if request_id is None:
        return secrets.token_hex(8)
    return hash_of(request_id)[:16]


def check_role(role: str, partner_id: str | None) -> None:
    """Check that a partner's login has the role `partner`, and no other. Raises `WrongFields`."""
    if (role == "partner") != (partner_id is not None):
        message = "must be partner for a partner's login, and only there"
        raise WrongFields(Fault("role", "role", message))
