"""Who asks for something: a role, a name, a firm."""

from typing import Literal

from domain.values import Value

Role = Literal["partner", "operations", "shop", "warehouse", "accounting", "system"]


class Actor(Value):
    """Who asks. `name` is the login's or token's name; `partner_id` the firm that a partner's login belongs to."""

    role: Role
    name: str = ""
    partner_id: str | None = None
    email: str | None = None


SYSTEM = Actor(role="system")
