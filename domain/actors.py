"""Who gives a command: a role, a name, a firm."""

from typing import Literal

from pydantic import Field

from domain.values import Value

Role = Literal["partner", "operations", "shop", "warehouse", "accounting", "system"]


class Actor(Value):
    """Who gives a command. `name`: that of the login or token. `partner_id`: the firm of a partner's login.

    `person`: the name of the person at the partner; None if software gives the command. JSON leaves out None, so that
    values stored before the field existed stay as they are.
    """

    role: Role
    name: str = ""
    partner_id: str | None = None
    email: str | None = None
    person: str | None = Field(default=None, exclude_if=lambda person: person is None)


SYSTEM = Actor(role="system")
