"""Who calls: what a token or a session stands for, and as whom it acts."""

from typing import Literal

from domain.actors import Actor
from domain.values import Language, Value

Role = Literal["partner", "operations", "shop", "warehouse", "accounting"]


class Principal(Value):
    """An authenticated caller. `login_id` is the token's or the user's id; `partner_id` stands for partners alone."""

    role: Role
    login_id: str
    name: str
    partner_id: str | None = None
    email: str | None = None
    language: Language | None = None

    @property
    def actor(self) -> Actor:
        """The caller as the rules know it."""
        return Actor(role=self.role, name=self.name, partner_id=self.partner_id, email=self.email)
