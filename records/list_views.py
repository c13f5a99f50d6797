"""Views of the list of orders: filters that a person keeps under a name."""

import secrets
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from records.database import Database
from records.tables import list_views

MOST = 30
"""How many views a person can keep."""


class ListView(NamedTuple):
    """A view. `query` is the query of the list's address: "status=new&sort=oldest"."""

    view_id: str
    name: str
    query: str


class ListViews:
    """The views of all people. Each person has its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, login_id: str) -> tuple[ListView, ...]:
        """A person's views by name."""
        found = (
            select(list_views.c.view_id, list_views.c.name, list_views.c.query)
            .where(list_views.c.login_id == login_id)
            .order_by(func.lower(list_views.c.name), list_views.c.view_id)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(ListView(*row) for row in rows)

    async def keep(self, login_id: str, name: str, query: str) -> bool:
        """Keep a view, instead of the person's view of the same name. False if the person has `MOST` others."""
        own = list_views.c.login_id == login_id

        def keep(connection: Connection) -> bool:
            changed = update(list_views).where(own, list_views.c.name == name).values(query=query)
            if connection.execute(changed).rowcount:
                return True
            count = select(func.count()).select_from(list_views).where(own)
            if connection.execute(count).scalar_one() >= MOST:
                return False
            row = {
                "view_id": secrets.token_urlsafe(9),
                "login_id": login_id,
                "name": name,
                "query": query,
            }
            connection.execute(insert(list_views), row)
            return True

        return await self._database.write(keep)

    async def remove(self, login_id: str, view_id: str) -> None:
        """Remove a person's view, if it is there."""
        gone = delete(list_views).where(
            list_views.c.login_id == login_id, list_views.c.view_id == view_id
        )
        await self._database.write(lambda connection: connection.execute(gone))
