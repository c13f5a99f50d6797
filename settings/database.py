"""The settings about connections to PostgreSQL; `Settings` has them beside its own."""

from typing import NamedTuple

from pydantic import BaseModel, Field


class Connections(NamedTuple):
    """How many connections to PostgreSQL a process has, and after how many seconds the server ends what takes too long.

    Attributes:
        pool: the most connections of a process. A task that needs another one waits.
        statement_seconds: the longest that a statement may run.
        lock_seconds: the longest that a statement may wait for a lock.
        idle_seconds: the longest that a transaction may send nothing, for example because its process was paused.
    """

    pool: int = 20
    statement_seconds: float = 60
    lock_seconds: float = 30
    idle_seconds: float = 30


CONNECTIONS = Connections()
"""The defaults."""


class DatabaseSettings(BaseModel):
    """Connections to PostgreSQL. SQLite ignores them."""

    database_pool: int = Field(
        CONNECTIONS.pool,
        ge=2,
        le=500,
        description="connections to PostgreSQL that a process keeps at most",
    )
    database_statement_seconds: float = Field(
        CONNECTIONS.statement_seconds,
        ge=5,
        le=3600,
        description="PostgreSQL ends a statement of the application that takes longer",
    )
    database_lock_seconds: float = Field(
        CONNECTIONS.lock_seconds,
        ge=1,
        le=3600,
        description="PostgreSQL ends a statement of the application that waits longer for a lock",
    )
    database_idle_seconds: float = Field(
        CONNECTIONS.idle_seconds,
        ge=5,
        le=3600,
        description="PostgreSQL ends a transaction in which a process sends nothing for longer",
    )

    @property
    def connections(self) -> Connections:
        """These settings as one value."""
        return Connections(
            self.database_pool,
            self.database_statement_seconds,
            self.database_lock_seconds,
            self.database_idle_seconds,
        )
