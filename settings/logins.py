"""The settings about logins and tokens; `Settings` has them beside its own."""

from datetime import timedelta

from pydantic import BaseModel, Field


class LoginSettings(BaseModel):
    """How long tokens last, and who must have a second factor."""

    token_days: int = Field(
        365,
        ge=1,
        le=3650,
        description="days that an API token lasts at most, also one that is made without an end",
    )
    factor_grace_days: float = Field(
        7,
        ge=0,
        le=90,
        description="days from the first login in which operations and accounting may be without a second factor",
    )
    factor_exempt: str = Field(
        "",
        description="e-mail addresses, comma-separated, of development logins that need no second factor",
    )

    @property
    def longest_token(self) -> timedelta:
        """`token_days` as a span of time."""
        return timedelta(days=self.token_days)
