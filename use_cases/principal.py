"""The principal: the authenticated caller behind a token or session."""

from datetime import datetime
from typing import Literal

from domain.actors import Actor
from domain.people import PartnerRole
from domain.values import Language, Value
from records.iban_changes import Person

Role = Literal["partner", "operations", "shop", "warehouse", "accounting"]


class Principal(Value):
    """An authenticated caller. `login_id` is the id of the token or user; `partner_id` is None except for partners.

    `made_by`: the key of the person who made the token, if a person's login did.
    `factor_due_at`: from then on this person gets only the page that sets up the second factor; None: there is one, or
    none is needed. `is_factor_due`: that time has come.
    `needs_confirmation`: a sensitive change needs password and code again, because they were given too long ago. Never
    set for a token.
    `partner_role`: the role of the partner's person, also for a token that this person made; None: staff, or software
    of a partner, which may do what its office may. `person_name`: the name of that person.
    """

    role: Role
    login_id: str
    name: str
    partner_id: str | None = None
    email: str | None = None
    language: Language | None = None
    made_by: str | None = None
    factor_due_at: datetime | None = None
    is_factor_due: bool = False
    needs_confirmation: bool = False
    partner_role: PartnerRole | None = None
    person_name: str | None = None

    @property
    def needs_factor(self) -> bool:
        """Whether this person must have a second factor and has none, within its grace or after it."""
        return self.factor_due_at is not None

    @property
    def only_assigned_to(self) -> str | None:
        """The person whose assigned orders are all that this caller sees; None if it sees more than that.

        A technician without a login sees nothing.
        """
        return (self.login_person or self.login_id) if self.partner_role == "technician" else None

    @property
    def person(self) -> Person:
        """The person behind the caller, for what two different people have to do.

        A login is a person. A token is the person whose login made it, directly or with another token. A token that no
        login made is the person that it is named after.
        """
        key = self.login_person
        return Person(key, self.name) if key is not None else Person.named(self.name)

    @property
    def login_person(self) -> str | None:
        """The key of the person who owns the tokens that this caller makes; None if there is no login behind it."""
        return self.login_id if self.email is not None else self.made_by

    @property
    def actor(self) -> Actor:
        """The caller as an actor of the rules."""
        return Actor(
            role=self.role,
            name=self.name,
            partner_id=self.partner_id,
            email=self.email,
            person=self.person_name,
        )
