"""Brings the database's schema to the state that this version of the program needs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import SchemaItem

from records import limits
from records.database import Database
from records.engines import WRITING, new_engine
from records.failures import is_away

logger = logging.getLogger("cmi.records")

_LOCK = 0x434D49  # "CMI"
_Result = TypeVar("_Result")


async def migrate(url: str) -> None:
    """Upgrade the schema to the newest revision, unless the database has it already.

    Processes that call it at the same time wait for each other. It succeeds as a whole or changes nothing.
    """
    async with locked_connection(url) as connection:
        await connection.run_sync(_upgrade)


async def migrate_patiently(url: str) -> None:
    """Run `migrate`, and retry while the database is away: locked, without disk space, not up yet."""
    await patiently(lambda: migrate(url))


async def patiently(work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Call `work`, again while the database is away, and return its result."""
    pause = 0.5
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_away(error):
                raise
            logger.warning(
                "the database is away, trying again in %.0f s: %s",
                pause,
                str(error).splitlines()[0],
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, 15)


async def check_current(database: Database) -> str | None:
    """What is wrong with the schema and what to do, in one line; None if it is what this version needs."""
    script = ScriptDirectory.from_config(_config())
    wanted = script.get_current_head()
    async with database.reading() as connection:
        found = await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )
    if found == wanted:
        return None
    if found is None:
        return "the database has no tables yet; run: alembic upgrade head"
    if any(revision.revision == found for revision in script.walk_revisions()):
        return f"the database is at revision {found}, {wanted} is needed; run: alembic upgrade head"
    return f"the database is at revision {found}, which this version of CMI does not know: it is too old"


@asynccontextmanager
async def locked_connection(url: str) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction that excludes other migrations. Committed at the end."""
    parsed = make_url(url)
    engine = new_engine(parsed)
    token = limits.deadline.set(limits.until(limits.MIGRATION_SECONDS))
    try:
        async with engine.connect() as connection:
            await connection.execution_options(**{WRITING: True})
            async with connection.begin():
                if parsed.get_backend_name() == "postgresql":
                    await connection.execute(
                        text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK}
                    )
                yield connection
    finally:
        limits.deadline.reset(token)
        await engine.dispose()


def is_compared(
    dialect: str, item: SchemaItem, _name: str | None, kind: str, _reflected: bool, _other: object
) -> bool:
    """Whether Alembic compares a part of the metadata with this database. Indexes of the other dialect are left out."""
    return kind != "index" or item.info.get("only") in (None, dialect)


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
