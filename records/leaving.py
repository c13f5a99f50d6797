"""Removes a login, and with it its sessions, links and mails, and the tokens that its person made."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from domain.orders.erasure import ERASED
from records.account_notices import TOKENS, Recipient, tell
from records.database import Database
from records.mails import USER
from records.people import keep_office
from records.person_mails import PERSON
from records.tables import mails, partners, tokens, users


class EndedToken(NamedTuple):
    """A token that ended with the login of its maker."""

    token_id: str
    name: str
    owner: str | None
    """The name of the partner that it belongs to; None for the retailer's own."""


class Leaving:
    """Removes logins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove_user(
        self,
        user_id: str,
        now: datetime,
        operations: Recipient,
        office_of: str | None = None,
    ) -> tuple[EndedToken, ...]:
        """Remove a user with its sessions, links, mails and assignments. End the tokens that it made, and return them.

        Mails about orders stay without the address. Operations are notified of the tokens that ended, so that somebody
        makes new ones. `office_of`: the partner that must keep at least one person of the office who can log in.

        Raises:
            LastOffice: the user is the last one.
        """
        sent = delete(mails).where(mails.c.about == user_id, mails.c.audience.in_((USER, PERSON)))
        # Those about orders are in the histories of the orders.
        about_orders = update(mails).values(recipient=ERASED).where(mails.c.audience == PERSON)
        theirs = (tokens.c.made_by == user_id, tokens.c.revoked_at.is_(None))
        person = select(users.c.name, users.c.email).where(users.c.user_id == user_id)
        running = (
            select(tokens.c.token_id, tokens.c.name, partners.c.name.label("owner"))
            .outerjoin(partners, partners.c.partner_id == tokens.c.partner_id)
            .where(*theirs, tokens.c.expires_at.is_(None) | (tokens.c.expires_at > now))
            .order_by(tokens.c.created_at, tokens.c.token_id)
        )
        end = update(tokens).where(*theirs).values(revoked_at=now, ended_because="maker_left")

        def remove(connection: Connection) -> tuple[EndedToken, ...]:
            if office_of is not None:
                keep_office(connection, office_of, user_id)
            # The lock: `Tokens.add` waits.
            maker = connection.execute(person.with_for_update()).one_or_none()
            if maker is None:
                return ()
            ended = tuple(EndedToken(*row) for row in connection.execute(running))
            connection.execute(end)
            connection.execute(delete(users).where(users.c.user_id == user_id))
            connection.execute(sent)
            connection.execute(about_orders.where(mails.c.recipient == maker.email))
            if ended:
                facts = {"maker": maker.name, "tokens": [[each.name, each.owner] for each in ended]}
                tell(connection, "tokens_ended", TOKENS, [operations], facts, now)
            return ended

        return await self._database.write(remove)
