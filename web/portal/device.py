"""What a browser may keep on the device of a partner's person, and how it tells whose form it sends later.

The service worker (`static/sw.js`, docs/security.md, "What a phone keeps") reads these headers.
"""

import hashlib
from urllib.parse import quote

from fastapi import Request

from use_cases.principal import Principal

PERSON = "CMI-Person"
"""Of an answer: whose page it is, or `NOBODY`. Of a form that is sent later: who typed it."""
KEEP = "CMI-Keep"
"""Of an answer: the page may be kept for a few days, to be read without a connection."""
REFUSAL = "CMI-Refusal"
"""Of the answer to a form that is sent later, or of the page it leads to: why it was not accepted, percent-encoded."""
NOBODY = "none"
OTHER_PERSON = "other-person"
"""The refusal if somebody else is logged in now."""


def person_key(principal: Principal) -> str:
    """The person as the browser knows it: always the same for a login, and says nothing about it."""
    return hashlib.sha256(f"cmi person\n{principal.login_id}".encode()).hexdigest()[:24]


def person_header(principal: Principal | None, is_login: bool) -> dict[str, str]:
    """The header by which the browser notices that another person, or nobody, is logged in.

    Pages without a principal prove nothing (the database may be away), but for the login page.
    """
    if principal is not None and principal.role == "partner":
        return {PERSON: person_key(principal)}
    return {PERSON: NOBODY} if principal is not None or is_login else {}


def kept_on_device(principal: Principal) -> dict[str, str]:
    """The header of a page that is worth reading without a connection. Only partners' people need it."""
    return {KEEP: "yes"} if principal.role == "partner" else {}


def is_sent_later(request: Request) -> bool:
    """Whether a form comes from the browser's store, so that nobody looks at the answer."""
    return PERSON in request.headers


def is_from_other_person(request: Request, principal: Principal | None) -> bool:
    """Whether a form from the browser's store was typed by somebody else than who is logged in now."""
    if not is_sent_later(request):
        return False
    return principal is None or request.headers[PERSON] != person_key(principal)


def refusal_header(request: Request, text: str) -> dict[str, str]:
    """The header that says why a form that was sent later is not accepted."""
    return {REFUSAL: quote(text[:1_000], safe="")} if is_sent_later(request) else {}
