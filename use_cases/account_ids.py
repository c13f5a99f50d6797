"""Helpers for logins and tokens: identifiers, and the check of a role."""

import secrets

from use_cases.account_errors import Fault, WrongFields
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
