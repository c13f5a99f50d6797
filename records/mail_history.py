"""Who was told what about an order: its mails, the earliest first."""

from sqlalchemy import Connection, select

from records.database import Database, storable
from records.mails import MailRow
from records.tables import mails

_MOST = 200


class MailHistory:
    """The mails of orders, sent or not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def about(self, sp_id: str) -> tuple[MailRow, ...]:
        """The mails about an order in the order in which they were first tried; the last ones of very many."""
        if not storable(sp_id):
            return ()
        found = (
            select(mails)
            .where(mails.c.about == sp_id)
            .order_by(mails.c.first_tried_at.desc(), mails.c.key.desc())
            .limit(_MOST)
        )

        def read(connection: Connection) -> tuple[MailRow, ...]:
            rows = connection.execute(found).all()
            return tuple(MailRow.model_validate(row._asdict()) for row in reversed(rows))

        return await self._database.read(read)
