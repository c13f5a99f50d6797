"""Who must have a second factor, and since when (docs/accounts.md, "The second factor is mandatory for staff")."""

from datetime import datetime, timedelta

from records.accounts import User, email_key
from settings import Settings

AFTER_RESET = timedelta(days=1)
"""How long a login may be used without a second factor after operations have removed a lost one."""


class FactorDuty:
    """Which logins need a second factor: those of operations and accounting, after a grace from the first login.

    Without `CMI_SECRET_KEY` nobody can set one up, so nobody needs one.
    """

    def __init__(self, settings: Settings) -> None:
        self._grace = timedelta(days=settings.factor_grace_days)
        self._exempt = {email_key(each) for each in settings.factor_exempt.split(",")}
        self._is_possible = settings.secret_key is not None

    def due_at(self, user: User) -> datetime | None:
        """From when on this user is refused everything without a second factor. None: it has one, or needs none yet."""
        is_free = user.role == "partner" or email_key(user.email) in self._exempt
        if user.second_factor or is_free or not self._is_possible:
            return None
        if user.factor_reset_at is not None:
            return user.factor_reset_at + min(AFTER_RESET, self._grace)
        return None if user.first_login_at is None else user.first_login_at + self._grace
