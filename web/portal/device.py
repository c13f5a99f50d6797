"""The headers that say what a browser may keep on the device of a partner's person, and whose form it sends later.

The service worker (`static/sw.js`, docs/security.md, "What a phone keeps") reads these headers.
"""

import hashlib
from urllib.parse import quote

from fastapi import Request

from use_cases.principal import Principal

PERSON = "CMI-Person"
"""In an answer: whose page it is, or `NOBODY`. In a form that is sent later: who typed it."""
KEEP = "CMI-Keep"
"""In an answer: the page may be kept for a few days, to be read without a connection."""
REFUSAL = "CMI-Refusal"
"""In the answer to a form that is sent later, or of the page it leads to: why it was not accepted, percent-encoded."""
NOBODY = "none"
OTHER_PERSON = "other-person"
"""The refusal if somebody else is logged in now."""


def person_key(principal: Principal) -> str:
    """The key by which the browser knows a person: always the same for a login, without revealing anything about it."""
    return hashlib.sha256(f"cmi person\n{principal.login_id}".encode()).hexdigest()[:24]


def person_header(principal: Principal | None, is_login: bool) -> dict[str, str]:
    """The header by which the browser notices that another person, or nobody, is logged in.

    Of the pages without a principal only the login page proves that nobody is logged in: the database may be away.
    """
    if principal is not None and principal.role == "partner":
        return {PERSON: person_key(principal)}
    return {PERSON: NOBODY} if principal is not None or is_login else {}


def kept_on_device(principal: Principal) -> dict[str, str]:
    """The header of a page that the browser keeps for reading without a connection; only for partners' people."""
    return {KEEP: "yes"} if principal.role == "partner" else {}


def is_sent_later(request: Request) -> bool:
    """Whether a form comes from the browser's store, so that nobody sees the answer."""
    return PERSON in request.headers


def is_from_other_person(request: Request, principal: Principal | None) -> bool:
    """Whether a form from the browser's store was typed by somebody other than the person who is logged in now."""
    if not is_sent_later(request):
        return False
    return principal is None or request.headers[PERSON] != person_key(principal)


def refusal_header(request: Request, text: str) -> dict[str, str]:
    """The header that says why a form that was sent later is not accepted."""
    return {REFUSAL: quote(text[:1_000], safe="")} if is_sent_later(request) else {}
