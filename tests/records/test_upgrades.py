"""A database that earlier releases filled, from the first one on, is upgraded without a loss.

`releases/` has rows as these releases wrote them, one file for each: the first one (revision 0001), one with logins,
settlements and papers (0006), and one with changed IBANs and the rules of version 2 (0013). They stay as they are.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import select, text

from records.accounts import AccountRecords
from records.corrections import Corrections
from records.database import Database
from records.findings import Findings
from records.iban_changes import IbanChanges
from records.invoice_numbers import InvoiceNumbers
from records.mails import MailLog
from records.migrate import check_current, migrate
from records.order_lists import OrderFilter
from records.orders import Orders
from records.papers import Papers
from records.partners import Partners
from records.settlements import Settlements
from records.tables import orders
from records.tokens import Tokens
from tests.records.test_migrate import stepped

Tables = dict[str, list[dict[str, Any]]]
RELEASES = [
    json.loads(file.read_text())
    for file in sorted((Path(__file__).parent / "releases").glob("*.json"))
]
NOW = datetime(2026, 10, 6, 7, tzinfo=UTC)
"""While the links and sessions in the rows are valid."""


def rows_of(table: str) -> list[dict[str, Any]]:
    """The rows of a table in all releases."""
    return [row for release in RELEASES for row in release["tables"].get(table, ())]


async def insert(url: str, tables: Tables) -> None:
    """Insert rows as a release wrote them. The database has that release's revision."""
    database = Database(url)
    async with database.writing() as connection:
        for name, rows in tables.items():
            if database.is_sqlite:
                columns = ", ".join(f'"{column}"' for column in rows[0])
                values = ", ".join(f":{column}" for column in rows[0])
                statement = text(f"INSERT INTO {name} ({columns}) VALUES ({values})")
                await connection.execute(statement, [_for_sqlite(row) for row in rows])
            else:
                given = f"json_populate_recordset(NULL::{name}, CAST(:rows AS json))"
                statement = text(f"INSERT INTO {name} SELECT * FROM {given}")
                await connection.execute(statement, {"rows": json.dumps(rows)})
    await database.close()


def _for_sqlite(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose bytes are no longer in hexadecimal."""
    return {
        name: bytes.fromhex(value[2:])
        if isinstance(value, str) and value.startswith("\\x")
        else value
        for name, value in row.items()
    }


async def test_what_earlier_releases_stored_is_there_after_the_upgrade(empty_url: str) -> None:
    for release in RELEASES:
        await stepped(empty_url, command.upgrade, release["revision"])
        await insert(empty_url, release["tables"])
    await migrate(empty_url)
    await check(empty_url)
    # The first revision whose way back keeps the documents as they are.
    await stepped(empty_url, command.downgrade, "0014")
    await migrate(empty_url)
    await check(empty_url)


async def check(url: str) -> None:
    """Check that today's release finds all that the earlier ones stored."""
    database = Database(url)
    try:
        assert await check_current(database) is None
        for part in (check_orders, check_settlements, check_accounts, check_partners, check_mails):
            await part(database)
    finally:
        await database.close()


async def check_orders(database: Database) -> None:
    known = Orders(database)
    timelines: dict[str, list[tuple[str, str]]] = {}
    for row in rows_of("timeline"):
        behalf = row.get("on_behalf_of")
        author = f"{row['by']} for partner:{behalf}" if behalf else row["by"]
        timelines.setdefault(row["sp_id"], []).append((row["type"], author))
    for row in rows_of("orders"):
        stored = await known.get(row["sp_id"])
        assert stored is not None
        order = stored.order
        assert (str(order.status), order.version) == (row["status"], row["version"])
        assert [(e.event.type, e.author) for e in stored.events] == timelines[row["sp_id"]]
        assert json.loads(order.model_dump_json())["intake"]["placement"]["customer"]["name"]
        found = await known.page(OrderFilter(q=row["sp_id"]), 10)
        assert [each.sp_id for each in found.items] == [row["sp_id"]]
        by_contact = OrderFilter(q=order.intake.placement.customer.street, in_contact=True)
        assert row["sp_id"] in {each.sp_id for each in (await known.page(by_contact, 99)).items}
    assert sum((await known.counts(OrderFilter())).values()) == len(rows_of("orders"))
    agreed = select(orders.c.sp_id).where(orders.c.appointment_start.is_not(None))
    async with database.reading() as connection:
        shown = set((await connection.execute(agreed)).scalars())
    assert shown == {"SP-0001-agreed", "SP-0006-agreed", "SP-0013-agreed"}


async def check_settlements(database: Database) -> None:
    known = Settlements(database)
    for row in rows_of("settlements"):
        stored = await known.get(row["settlement_id"])
        assert stored is not None
        assert (str(stored.settlement.status), stored.settlement.version) == (
            row["status"],
            row["version"],
        )
        events = [
            each["type"]
            for each in rows_of("settlement_timeline")
            if each["settlement_id"] == row["settlement_id"]
        ]
        assert [each.event.type for each in stored.events] == events
        assert len(stored.account.lines) == row["orders"]
        assert str(stored.account.total) == row["total"]
    for row in rows_of("papers"):
        paper = await Papers(database).get(row["paper_id"])
        assert paper is not None
        assert (paper.kind, paper.content.hex()) == (row["kind"], row["content"][2:])
    (correction,) = await Corrections(database).pending("sanitaer-keller")
    assert (correction.line.reason, str(correction.line.amount)) == ("Anfahrt vergessen", "35.00")
    (number,) = rows_of("invoice_numbers")
    holder = await InvoiceNumbers(database).holder(number["partner_id"], "R-118")
    assert holder == number["settlement_id"]
    (finding,) = await Findings(database).open()
    assert (finding.about, finding.kind) == ("SP-0006-agreed", "stale")


async def check_accounts(database: Database) -> None:
    known = AccountRecords(database)
    for row in rows_of("users"):
        found = await known.by_id(row["user_id"], NOW)
        assert found is not None
        assert (found.user.email, found.user.name) == (row["email"], row["name"])
        assert found.password_hash == row["password_hash"]
        assert found.user.second_factor == bool(row["totp_confirmed"])
        assert (found.user.invitation == "accepted") == (row["password_hash"] is not None)
    for row in rows_of("sessions"):
        session = await known.session(row["secret_hash"], NOW)
        assert session is not None
        assert session.user.user_id == row["user_id"]
        assert session.confirmed_at is None, "a session of before is asked"
    (row,) = rows_of("tokens")
    token = await Tokens(database).find(row["token_hash"], NOW)
    assert token is not None
    assert token.name == row["name"]


async def check_partners(database: Database) -> None:
    known = Partners(database)
    assert {each.partner_id for each in await known.list()} == {
        row["partner_id"] for row in rows_of("partners")
    }
    for row in rows_of("partners"):
        partner = await known.get(row["partner_id"])
        assert partner is not None
        assert (partner.name, partner.iban) == (row["name"], row["iban"])
        assert partner.status == row.get("status", "active")
    pending = await IbanChanges(database).pending()
    assert {name: change.to_iban for name, change in pending.items()} == {
        "montage-weber": "CH56 0483 5012 3456 7800 9"
    }


async def check_mails(database: Database) -> None:
    undelivered = {each.key: each.state for each in await MailLog(database).undelivered()}
    stored = {row["key"]: row["state"] for row in rows_of("mails") if row["state"] != "sent"}
    assert stored.items() <= undelivered.items()
