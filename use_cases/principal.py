"""The principal: the authenticated caller behind a token or session."""

from typing import Literal

from domain.actors import Actor
from domain.values import Language, Value

Role = Literal["partner", "operations", "shop", "warehouse", "accounting"]


class Principal(Value):
    """An authenticated caller. `login_id` is the id of the token or user; `partner_id` is None except for partners."""

    role: Role
    login_id: str
    name: str
    partner_id: str | None = None
    email: str | None = None
    language: Language | None = None

    @property
    def actor(self) -> Actor:
        """The caller as an actor of the rules."""
        return Actor(role=self.role, name=self.name, partner_id=self.partner_id, email=self.email)
