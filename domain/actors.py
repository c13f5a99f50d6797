"""Who asks for something: a role, a name, a firm."""

from typing import Literal

from pydantic import Field

from domain.values import Value

Role = Literal["partner", "operations", "shop", "warehouse", "accounting", "system"]


class Actor(Value):
    """Who asks. `name` is the login's or token's name; `partner_id` the firm that a partner's login belongs to.

    `person`: the name of the partner's person, if one asks and no software. In JSON it is left out without one, so that
    what was stored before there was this field stays as it is.
    """

    role: Role
    name: str = ""
    partner_id: str | None = None
    email: str | None = None
    person: str | None = Field(default=None, exclude_if=lambda person: person is None)


SYSTEM = Actor(role="system")
