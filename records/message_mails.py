"""The queue of mails about messages. A mail tells one side what the other side wrote within a short time."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from domain.orders.messages import Message, Side
from records.database import Database
from records.tables import message_mails, message_reads, order_messages

COLLECTED = timedelta(minutes=2)
"""How long a mail waits for further messages after its first one."""


class MessageMail(NamedTuple):
    """A mail about messages that is to be sent. `audience`: the side that it goes to."""

    key: str
    sp_id: str
    partner_id: str
    audience: Side
    asked_at: datetime
    next_attempt_at: datetime


def add_to_mail(connection: Connection, message: Message) -> str:
    """Add a message to the mail that waits for the other side, or to a new one. Returns the key of the mail.

    The caller's transaction has locked the order's row.
    """
    audience: Side = "operations" if message.side == "partner" else "partner"
    waiting = (
        select(message_mails.c.key)
        .where(
            message_mails.c.sp_id == message.sp_id,
            message_mails.c.partner_id == message.partner_id,
            message_mails.c.audience == audience,
            ~message_mails.c.begun,
        )
        .order_by(message_mails.c.asked_at, message_mails.c.key)
        .limit(1)
        .with_for_update()  # nobody begins to send the mail before the message is in it
    )
    key: str | None = connection.execute(waiting).scalar_one_or_none()
    if key is not None:
        return key
    key = f"message/{audience}/{message.message_id}"
    connection.execute(
        insert(message_mails).values(
            key=key,
            sp_id=message.sp_id,
            partner_id=message.partner_id,
            audience=audience,
            asked_at=message.at,
            next_attempt_at=message.at + COLLECTED,
            begun=False,
        )
    )
    return key


class MessageMailQueue:
    """The mails about messages that are still to be sent. Several processes may share the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: datetime, limit: int) -> tuple[MessageMail, ...]:
        """The mails whose next attempt is due, the longest waiting first."""
        found = (
            select(*(message_mails.c[name] for name in MessageMail._fields))
            .where(message_mails.c.next_attempt_at <= now)
            .order_by(message_mails.c.next_attempt_at, message_mails.c.key)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(MessageMail(*row) for row in rows)

    async def try_next(self, mail: MessageMail, at: datetime) -> bool:
        """Set when a mail is tried next; from then on it takes no more messages.

        False if another process has done so meanwhile.
        """
        changed = (
            update(message_mails)
            .where(
                message_mails.c.key == mail.key,
                message_mails.c.next_attempt_at == mail.next_attempt_at,
            )
            .values(next_attempt_at=at, begun=True)
        )
        return await self._database.write(
            lambda connection: connection.execute(changed).rowcount == 1
        )

    async def delete(self, key: str) -> None:
        """Delete a mail that is sent, given up, or no longer needed."""
        done = delete(message_mails).where(message_mails.c.key == key)
        await self._database.write(lambda connection: connection.execute(done))

    async def messages(self, key: str) -> tuple[Message, ...]:
        """The messages of a mail in their order; none if the customer's data were erased meanwhile."""
        found = (
            select(*(order_messages.c[name] for name in Message._fields))
            .where(order_messages.c.mail_key == key)
            .order_by(order_messages.c.seq)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(Message(*row) for row in rows)


def erase_messages(connection: Connection, sp_id: str) -> None:
    """Delete all messages and notes of an order, with their read marks and their pending mails."""
    for table in (order_messages, message_reads, message_mails):
        connection.execute(delete(table).where(table.c.sp_id == sp_id))
