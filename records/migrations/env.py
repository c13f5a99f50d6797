"""Alembic's environment: runs the revisions on the connection of `records.migrate`, or on `CMI_DATABASE_URL`."""

import asyncio
from functools import partial
from logging.config import fileConfig

from alembic import context
from sqlalchemy import Connection

from records.migrate import is_compared, locked_connection
from records.tables import metadata
from settings import Settings, keep_files_private


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=partial(is_compared, connection.dialect.name),
        # SQLite knows little of ALTER TABLE: so Alembic copies the table
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run_by_command() -> None:
    async with locked_connection(Settings.from_env().database_url) as connection:
        await connection.run_sync(_run)


def _print_sql() -> None:
    context.configure(
        url=Settings.from_env().database_url, target_metadata=metadata, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
if context.is_offline_mode():
    _print_sql()
elif given is not None:
    _run(given)
else:
    keep_files_private()
    asyncio.run(_run_by_command())
