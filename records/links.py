"""Mailed links, and tickets between password and second factor. Each works once; only hashes of secrets are stored."""

from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from records.database import Database
from records.endings import has_not_ended
from records.mails import MailedPurpose, PendingMail, add_pending, make_obsolete
from records.tables import links, users

Purpose = Literal["invitation", "reset", "second_factor"]

MAILED: tuple[MailedPurpose, ...] = ("invitation", "reset")


class NewLink(NamedTuple):
    """A link to store, and the mail that contains it. A ticket has no mail."""

    user_id: str
    purpose: Purpose
    secret_hash: str
    expires_at: datetime
    mail: PendingMail | None = None


class Link(NamedTuple):
    """A valid link: its user, its purpose, and when it expires."""

    user_id: str
    purpose: Purpose
    expires_at: datetime


class Links:
    """The links of users. A user has at most one of each purpose."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, link: NewLink) -> bool:
        """Store a link and its pending mail. The user's former link of this purpose no longer works.

        False: the user is gone.
        """
        there = select(users.c.user_id).where(users.c.user_id == link.user_id).with_for_update()

        def put(connection: Connection) -> bool:
            if connection.execute(there).one_or_none() is None:
                return False
            put_link(connection, link)
            return True

        return await self._database.write(put)

    async def find(self, secret_hash: str, now: datetime) -> Link | None:
        """The link with this secret, if it is valid and its user's partner has not ended. It stays usable."""
        found = (
            select(links.c.user_id, links.c.purpose, links.c.expires_at)
            .join(users, users.c.user_id == links.c.user_id)
            .where(
                links.c.secret_hash == secret_hash,
                links.c.expires_at > now,
                has_not_ended(users.c.partner_id),
            )
        )
        row = await self._database.read(lambda connection: connection.execute(found).one_or_none())
        return None if row is None else Link(*row)

    async def renew(self, due: PendingMail, link: NewLink) -> bool:
        """Claim a mail that is due: its link gets a new secret and the mail of `link`, and `due` becomes obsolete.

        False: another process has claimed it, or the link was used or replaced meanwhile.
        """
        assert link.mail is not None
        mail = link.mail
        its_link = and_(
            links.c.user_id == link.user_id,
            links.c.purpose == link.purpose,
            links.c.mail_key == due.key,
        )
        # The link is locked before its mail, in the same order as when a user is removed, to avoid a deadlock.
        held = select(links.c.user_id).where(its_link).with_for_update()
        renewed = (
            update(links)
            .where(its_link)
            .values(secret_hash=link.secret_hash, expires_at=link.expires_at, mail_key=mail.key)
        )

        def renew(connection: Connection) -> bool:
            there = connection.execute(held).one_or_none() is not None
            if not make_obsolete(connection, due) or not there:
                return False
            connection.execute(renewed)
            add_pending(connection, mail)
            return True

        return await self._database.write(renew)

    async def tidy(self, now: datetime) -> None:
        """Delete links that have expired. Invitations stay, because they are shown as expired."""
        expired = delete(links).where(links.c.expires_at <= now, links.c.purpose != "invitation")
        await self._database.write(lambda connection: connection.execute(expired))


def put_link(connection: Connection, link: NewLink) -> None:
    """Store a link and its pending mail, in the caller's transaction."""
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    mail = link.mail
    row = {
        "secret_hash": link.secret_hash,
        "expires_at": link.expires_at,
        "mail_key": mail.key if mail else None,
    }
    connection.execute(
        upsert(links)
        .values(user_id=link.user_id, purpose=link.purpose, **row)
        .on_conflict_do_update(index_elements=[links.c.user_id, links.c.purpose], set_=row)
    )
    if mail is not None:
        add_pending(connection, mail)
