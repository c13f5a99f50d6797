"""Finds what a production database must not have: a role that may change tables, and sample logins."""

from sqlalchemy import Connection, inspect, select, text

from records.database import Database
from records.failures import is_away
from records.migrate import patiently
from records.tables.accounts import users
from settings.production import Finding, Found, is_sample_address

# A superuser is a member of every role.
_MAY_CHANGE_TABLES = text(
    """
    SELECT has_schema_privilege(current_schema(), 'CREATE') OR EXISTS (
        SELECT FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
          AND pg_has_role(relowner, 'MEMBER')
    )
    """
)


async def database_findings(url: str, *, waits: bool = True) -> tuple[Found, ...]:
    """What must not be in production. If the database is away, it waits, or (without `waits`) finds nothing.

    A database without tables has no logins.
    """
    database = Database(url)
    try:
        if waits:
            return await patiently(lambda: database.read(_findings))
        return await database.read(_findings)
    except Exception as error:
        if not is_away(error):
            raise
        return ()
    finally:
        await database.close()


def _findings(connection: Connection) -> tuple[Found, ...]:
    found = []
    if connection.dialect.name == "postgresql" and connection.scalar(_MAY_CHANGE_TABLES):
        found.append(Finding.DATABASE_ROLE)
    if inspect(connection).has_table(users.name) and any(
        is_sample_address(address) for address in connection.scalars(select(users.c.email))
    ):
        found.append(Finding.SAMPLE_LOGINS)
    return tuple(Found(finding, finding.subject) for finding in found)
