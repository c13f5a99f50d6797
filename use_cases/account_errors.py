"""The errors of the use cases of accounts."""

from typing import Any, NamedTuple

from pydantic import ValidationError


class BadLogin(Exception):
    """Wrong e-mail, password or code; the message does not say which."""


class LoginEnded(BadLogin):
    """E-mail and password are right, but the user's partner has ended."""


class Throttled(Exception):
    """Too many attempts. `retry_after` is in whole seconds, at least 1."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many guesses; again in {retry_after} s")


class Busy(Exception):
    """More passwords wait to be checked than there is memory and time for; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__("too many passwords are being checked")


class SecondFactorNeeded(Exception):
    """The password is right, but a code of the second factor is needed, too.

    `ticket` replaces the password for five minutes: `SessionUseCases.finish_log_in`.
    """

    def __init__(self, ticket: str) -> None:
        self.ticket = ticket
        super().__init__("a code of the second factor is needed")


class SecondFactorUnavailable(Exception):
    """The second factor cannot be set up; the text says why."""


class LinkUnusable(Exception):
    """The link or ticket is unknown, used, replaced by a newer one, or expired."""

    def __init__(self) -> None:
        super().__init__("this link does not work (any more)")


class NotFound(Exception):
    """There is no such partner, user or token (`kind`), or it belongs to another partner."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"There is no such {kind}.")


class Conflict(Exception):
    """The current state does not allow it; the text says why."""


class PartnerEnded(Conflict):
    """The partner has ended, so it gets no logins, links or tokens."""

    def __init__(self) -> None:
        super().__init__("This partner has ended, and gets no logins or tokens.")


class OwnFactor(Conflict):
    """Nobody can reset their own second factor: another person of operations has to."""

    def __init__(self) -> None:
        super().__init__("Another person has to reset your second factor.")


class Fault(NamedTuple):
    """What is wrong with one field. `code` is for programs and translations, `message` is English."""

    field: str
    code: str
    message: str


class WrongFields(Exception):
    """Some fields have values that are not allowed; `faults` has one entry for each."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))


_MESSAGES = {"missing": "is missing", "extra_forbidden": "is not known"}


def wrong_fields(error: ValidationError) -> WrongFields:
    """Convert a pydantic error. The result does not contain the rejected values."""
    return WrongFields(*map(_fault, error.errors()))


def _fault(error: Any) -> Fault:
    field, kind = ".".join(map(str, error["loc"])), error["type"]
    if kind == "value_error":
        message = str(error["ctx"]["error"])
    elif kind == "string_pattern_mismatch" and field.endswith("email"):
        message = "must be an e-mail address"
    else:
        message = _MESSAGES.get(kind) or error["msg"].replace("Input should be", "must be")
    return Fault(field, kind, message)
