"""The migrations make what tables.py describes, once, also when several processes start at the same time."""

import asyncio
import os
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, select, text
from sqlalchemy.engine import make_url

from contracts.activities import Snapshot
from domain.actors import Actor
from domain.orders.commands import Accept
from records.accounts import AccountRecords
from records.database import Database
from records.mails import MailLog
from records.migrate import _config, check_current, is_compared, locked_connection, migrate
from records.order_lists import OrderFilter
from records.orders import Orders
from records.tables import metadata, orders
from scripts.system_packages import postgres_programs
from tests.support.builders import AGREED, COMPLETED, GOODS_THERE, MONDAY, TRANSMITTED, lived
from tests.support.databases import as_text, execute, postgres_server, records_copy
from tests.support.processes import run_python
from tests.support.users import add_user


async def test_migrations_equal_the_metadata(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        compared = partial(is_compared, connection.dialect.name)
        opts = {"compare_type": True, "include_object": compared}
        context = MigrationContext.configure(connection, opts=opts)
        return compare_metadata(context, metadata)

    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrations_equal_the_metadata_to_the_letter(
    owned_database: Database, tmp_path: Path
) -> None:
    """compare_metadata does not look at collations, conditions of indexes and the like."""
    database = owned_database

    async def schema() -> list[tuple[object, ...]]:
        queries = (
            ["SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"]
            if database.is_sqlite
            else [
                "SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision,"
                " numeric_scale, is_nullable, collation_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%'",
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
                " AND tablename NOT LIKE 'alembic%'",
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%'",
            ]
        )
        async with database.reading() as connection:
            rows = [
                tuple(row) for query in queries for row in await connection.execute(text(query))
            ]
        return sorted(tuple(" ".join(str(cell).split()) for cell in row) for row in rows)

    migrated = await schema()
    async with database.writing() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    assert migrated == await schema()


async def test_migrate_is_safe_in_many_processes_at_once(
    empty_sqlite_url: str, empty_postgres_url: str
) -> None:
    code = """
import asyncio, sys, warnings
from records.migrate import migrate
warnings.simplefilter("error")
for url in sys.argv[1:]:
    asyncio.run(migrate(url))
"""
    arguments = ["-c", code, empty_sqlite_url, empty_postgres_url]
    for done in await asyncio.gather(*(run_python(arguments, dict(os.environ)) for _ in range(3))):
        assert done.returncode == 0, done.stderr
    for url in (empty_sqlite_url, empty_postgres_url):
        database = Database(url)
        assert await check_current(database) is None
        await database.close()


async def test_a_migration_waits_for_a_longer_one_of_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction waits for five seconds at most; a migration of another process may well take longer."""
    monkeypatch.setattr("records.limits.LIMIT_SECONDS", 0.1)
    file = tmp_path / "cmi.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        migrating = asyncio.create_task(migrate(f"sqlite+aiosqlite:///{file}"))
        _, waiting = await asyncio.wait([migrating], timeout=1)
        assert waiting, "it gave up"
        other.execute("COMMIT")
        await migrating


async def test_check_current(empty_url: str) -> None:
    database = Database(empty_url)
    assert "no tables yet" in (await check_current(database) or "")
    await migrate(empty_url)
    assert await check_current(database) is None
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "does not know" in (await check_current(database) or "")
    await database.close()


async def test_a_migration_that_fails_leaves_nothing(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("half way")

    monkeypatch.setattr(op, "create_index", fail)
    with pytest.raises(RuntimeError, match="half way"):
        await migrate(empty_url)
    monkeypatch.undo()
    await migrate(empty_url)


async def test_the_alembic_command_upgrades_and_downgrades(empty_url: str) -> None:
    code = """
from alembic.config import main
for arguments in ("upgrade head", "check", "downgrade base", "upgrade head"):
    main(arguments.split(), prog="alembic")
"""
    done = await run_python(["-c", code], {**os.environ, "CMI_DATABASE_URL": empty_url})
    assert done.returncode == 0, done.stdout + done.stderr
    database = Database(empty_url)
    assert await check_current(database) is None
    await database.close()


async def test_rows_of_today_come_back_from_each_earlier_revision(migrated_url: str) -> None:
    """On the way back and forward again, each revision has what it kept of the rows.

    `test_upgrades.py` begins with rows that earlier releases wrote.
    """
    database = Database(migrated_url)
    records = Orders(database)
    lives = (TRANSMITTED, GOODS_THERE, AGREED, COMPLETED)
    snapshots = []
    for number, steps in enumerate(lives):
        order, events = lived(*steps, sp_id=f"SP-{number}")
        snapshots.append(Snapshot(order=order, events=events))
        await records.save(snapshots[-1])
    await add_user(
        AccountRecords(database), "u", "operations", None, "u@x.example", "U", "de", MONDAY
    )
    await database.close()
    # The first revision whose way back keeps the documents as they are.
    await stepped(migrated_url, command.downgrade, "0014")
    await stepped(migrated_url, command.upgrade, "head")
    database = Database(migrated_url)
    assert await check_current(database) is None
    for snapshot in snapshots:
        stored = await Orders(database).get(snapshot.order.sp_id)
        assert stored is not None
        assert stored.order == snapshot.order
    page = await Orders(database).page(OrderFilter(), 10)
    assert len(page.items) == len(lives)
    assert sum((await Orders(database).counts(OrderFilter())).values()) == len(lives)
    await database.close()


async def test_the_way_back_is_a_backup(tmp_path: Path) -> None:
    """As docs/operations.md says: dumped before the upgrade, restored into a new database after it."""
    programs = postgres_programs()
    assert programs is not None
    async with records_copy(tmp_path, "postgresql") as upgraded:
        order, events = lived(*AGREED)
        database = Database(upgraded.owner)
        await Orders(database).save(Snapshot(order=order, events=events))
        await database.close()
        await stepped(upgraded.owner, command.downgrade, "-1")
        before, kept = await contents(upgraded.owner)
        assert len(kept) == len(events)
        server = postgres_server()
        restored = server.set(database=f"cmi_restored_{uuid.uuid4().hex}")
        source, target = (
            as_text(make_url(url).set(drivername="postgresql"))
            for url in (upgraded.owner, as_text(restored))
        )
        file = str(tmp_path / "before.dump")
        await ran(programs / "pg_dump", "--format=custom", "--file", file, source)
        await migrate(upgraded.owner)
        await execute(server, f"CREATE DATABASE {restored.database}")
        await ran(programs / "pg_restore", "--exit-on-error", "--dbname", target, file)
        assert await contents(as_text(restored)) == (before, kept)
        await migrate(as_text(restored))
        database = Database(as_text(restored))
        assert await Orders(database).holds(Snapshot(order=order, events=events))
        await database.close()
        await execute(server, f"DROP DATABASE {restored.database} WITH (FORCE)")


async def contents(url: str) -> tuple[str, list[tuple[object, ...]]]:
    """The revision of a database, and its timelines."""
    database = Database(url)
    async with database.reading() as connection:
        revision = (await connection.execute(text("SELECT * FROM alembic_version"))).scalar_one()
        rows = await connection.execute(text("SELECT * FROM timeline ORDER BY sp_id, seq"))
        found = [tuple(row) for row in rows]
    await database.close()
    return revision, found


async def ran(program: Path, *arguments: str) -> None:
    """Run a program, which must succeed."""
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


async def stepped(url: str, step: Callable[[Config, str], None], revision: str) -> None:
    """Run a command of Alembic in this process: `command.upgrade` or `command.downgrade`."""

    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        step(config, revision)

    async with locked_connection(url) as connection:
        await connection.run_sync(run)


async def test_an_older_release_finds_in_one_column_who_did_it_for_whom(migrated_url: str) -> None:
    database = Database(migrated_url)
    order, events = lived(*TRANSMITTED, (Accept(), Actor(role="operations", name="Anna")))
    await Orders(database).save(Snapshot(order=order, events=events))
    await database.close()
    await stepped(migrated_url, command.downgrade, "0009")
    database = Database(migrated_url)
    async with database.reading() as connection:
        authors = await connection.execute(text("SELECT by FROM timeline ORDER BY seq"))
        assert list(authors.scalars())[-1] == events[-1].author
    await database.close()
    await stepped(migrated_url, command.upgrade, "head")
    database = Database(migrated_url)
    assert await Orders(database).holds(Snapshot(order=order, events=events))
    await database.close()


async def test_lines_and_appointments_come_from_the_documents(migrated_url: str) -> None:
    lives = {
        "SP-1": (AGREED, "10"),
        "SP-2": (GOODS_THERE, "20"),
        "SP-3": (AGREED, None),
        "SP-4": (COMPLETED, None),
        "SP-5": (TRANSMITTED, None),
    }
    database = Database(migrated_url)
    for sp_id, (steps, line) in lives.items():
        order, events = lived(*steps, sp_id=sp_id, sales_order_line=line)
        await Orders(database).save(Snapshot(order=order, events=events))
    columns = (
        orders.c.sp_id,
        orders.c.sales_order_line,
        orders.c.appointment_start,
        orders.c.appointment_end,
    )

    async def held(of: Database) -> list[tuple[object, ...]]:
        async with of.reading() as connection:
            rows = await connection.execute(select(*columns).order_by(orders.c.sp_id))
            return [tuple(row) for row in rows]

    before = await held(database)
    begin = MONDAY + timedelta(hours=48)
    assert before[0] == ("SP-1", "10", begin, begin + timedelta(hours=2))
    assert [row[1:] for row in before[3:]] == [(None, None, None)] * 2
    await database.close()
    await stepped(migrated_url, command.downgrade, "0014-1")
    await stepped(migrated_url, command.upgrade, "head")
    database = Database(migrated_url)
    assert await held(database) == before
    await database.close()


async def test_the_grace_of_logins_in_use_begins_with_the_migration(migrated_url: str) -> None:
    database = Database(migrated_url)
    records, later = AccountRecords(database), MONDAY + timedelta(days=1)
    for name in ("used", "unused"):
        email = f"{name}@retailer.example"
        await add_user(records, name, "operations", None, email, name, "de", MONDAY)
    assert await records.begin_session("used", "hash", MONDAY, later)
    await database.close()
    await stepped(migrated_url, command.downgrade, "0023-1")
    began = datetime.now(UTC)
    await stepped(migrated_url, command.upgrade, "head")
    database = Database(migrated_url)
    found = {each.user_id: each for each in await AccountRecords(database).users(None, MONDAY)}
    first = found["used"].first_login_at
    assert first is not None
    assert began <= first <= datetime.now(UTC)
    assert found["unused"].first_login_at is None
    session = await AccountRecords(database).session("hash", MONDAY)
    assert session is not None
    assert session.confirmed_at is None, "a session of before is asked"
    await database.close()


async def test_the_mails_of_links_move_to_the_table_of_mails(empty_url: str) -> None:
    """No invitation that waits is lost, and the way back has all of it, too."""
    asked, until, retry = (f"2026-10-0{day}T07:00:00.000000Z" for day in (5, 8, 6))
    links = {
        "sent": (asked, None, 1),
        "waiting": (None, retry, 3),
        "failed": (None, None, 1),
        "accepted": None,
    }
    await stepped(empty_url, command.upgrade, "0008")
    database = Database(empty_url)
    held = "SELECT user_id, secret_hash, asked_at, expires_at, sent_at, retry_at, attempts FROM links ORDER BY user_id"
    async with database.writing() as connection:
        for name, link in links.items():
            password = "'x'" if link is None else "NULL"
            await connection.execute(
                text(
                    "INSERT INTO users (user_id, role, email, email_key, name, language, password_hash, totp_confirmed,"
                    f" created_at) VALUES ('{name}', 'operations', '{name}@x.example', '{name}@x.example', 'N', 'de',"
                    f" {password}, false, '{asked}')"
                )
            )
            if link is not None:
                sent, again, attempts = (
                    f"'{each}'" if each else "NULL" for each in (link[0], link[1], str(link[2]))
                )
                await connection.execute(
                    text(
                        "INSERT INTO links (user_id, purpose, secret_hash, asked_at, expires_at, sent_at, retry_at,"
                        f" attempts) VALUES ('{name}', 'invitation', 'hash of {name}', '{asked}', '{until}', {sent},"
                        f" {again}, {attempts})"
                    )
                )
        before = (await connection.execute(text(held))).all()
    await database.close()
    await stepped(empty_url, command.upgrade, "head")
    database = Database(empty_url)
    now = datetime(2026, 10, 6, 7, tzinfo=UTC)
    users = await AccountRecords(database).users(None, now)
    assert {user.user_id: user.invitation for user in users} == {name: name for name in links}
    (due,) = await MailLog(database).due(now, 9)
    assert (due.user_id, due.kind, due.recipient) == ("waiting", "invitation", "waiting@x.example")
    assert (due.attempts, due.asked_at) == (3, datetime(2026, 10, 5, 7, tzinfo=UTC))
    await database.close()
    await stepped(empty_url, command.downgrade, "0008")
    database = Database(empty_url)
    async with database.reading() as connection:
        assert (await connection.execute(text(held))).all() == before
    await database.close()
