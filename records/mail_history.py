"""The mails about an order: who was told what, and when."""

from sqlalchemy import Connection, or_, select

from records.database import Database, storable
from records.mails import MailRow
from records.tables import asked_reminder_orders, mails

_MOST = 200


class MailHistory:
    """The mails of orders, sent or not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def about(self, sp_id: str) -> tuple[MailRow, ...]:
        """The mails about an order, also those about several, the earliest first; only the last ones of very many."""
        if not storable(sp_id):
            return ()
        asked = select(asked_reminder_orders.c.key).where(asked_reminder_orders.c.sp_id == sp_id)
        found = (
            select(mails)
            .where(or_(mails.c.about == sp_id, mails.c.key.in_(asked)))
            .order_by(mails.c.first_tried_at.desc(), mails.c.key.desc())
            .limit(_MOST)
        )

        def read(connection: Connection) -> tuple[MailRow, ...]:
            rows = connection.execute(found).all()
            return tuple(MailRow.model_validate(row._asdict()) for row in reversed(rows))

        return await self._database.read(read)
