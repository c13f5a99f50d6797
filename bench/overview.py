"""Measures the time of a partner's overview page with a hundred thousand orders in the database.

The web process answers from its SQLite file. All requests have a session and use one open connection, so that little
else than the answer of the server is measured.
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from bench.report import keep, milliseconds, percentile, table
from bench.stage import running_product, running_web
from domain.orders.order import Order
from records.accounts import AccountRecords
from records.database import Database
from records.links import NewLink
from records.order_rows import deadline_rows, document_row, order_row
from records.partners import Partner, Partners
from records.tables import deadlines, documents, orders
from tests.support.builders import (
    AGREED,
    BILLED,
    COMPLETED,
    GOODS_THERE,
    MONDAY,
    REQUIREMENTS_MET,
    TRANSMITTED,
    lived,
)
from use_cases.link_mails import hash_of, new_secret
from web.security import session_cookie

PARTNERS = 40
ROUNDS = 12
"""How often each partner opens the page, after one more round to warm up."""
# Half of the orders are closed, the others are in the open states.
_LIVES = [*[BILLED] * 5, COMPLETED, AGREED, GOODS_THERE, REQUIREMENTS_MET, TRANSMITTED]
_CHUNK = 1000


async def run(count: int) -> None:
    """Store `count` orders of forty partners, and open the page of each partner in turn."""
    seconds, size = [], 0
    async with running_product() as around, running_web(around) as http:
        await _fill(around.database, count)
        secrets = await sessions(around.database)
        cookie = session_cookie(around.settings)
        for turn in range(ROUNDS + 1):
            for secret in secrets:
                began = time.perf_counter()
                answer = await http.get("/", headers={"Cookie": f"{cookie}={secret}"})
                taken = time.perf_counter() - began
                answer.raise_for_status()
                size = max(size, len(answer.content))
                if turn:
                    seconds.append(taken)
    p50, p95 = (milliseconds(percentile(seconds, share)) for share in (0.5, 0.95))
    table(
        f"Milliseconds until a partner's overview is answered, {count:,} orders of {PARTNERS} partners",
        ("p50", "p95", "bytes"),
        [(p50, p95, size)],
    )
    keep("overview", {"p50": p50, "p95": p95, "bytes": size}, orders=count, partners=PARTNERS)


async def _fill(database: Database, count: int) -> None:
    """Store `count` orders as `Orders.save` does, but many in one statement and without their timelines."""
    templates = [lived(*steps)[0] for steps in _LIVES]
    for first in range(0, count, _CHUNK):
        numbers = range(first, min(first + _CHUNK, count))
        batch = [_order(n, templates[n % len(templates)]) for n in numbers]
        async with database.writing() as connection:
            await connection.execute(insert(orders), [order_row(order) for order in batch])
            await connection.execute(insert(documents), [document_row(order) for order in batch])
            rows = [row for order in batch for row in deadline_rows(order)]
            await connection.execute(insert(deadlines), rows)


def _order(n: int, template: Order) -> Order:
    """The n-th order: the template with other numbers, partner and time."""
    placed = template.intake.placement.model_copy(
        update={"sp_id": f"SP-{n:07}", "sales_order_id": f"48{n * 7919 % 1_000_000:06}"}
    )
    partner_id = partner_id_of(n // len(_LIVES))
    partner = template.partner.model_copy(update={"partner_id": partner_id})
    intake = template.intake.model_copy(update={"placement": placed, "partner": partner})
    placed_at = MONDAY + timedelta(seconds=n * 61)
    return template.model_copy(
        update={"intake": intake, "partner": partner, "placed_at": placed_at}
    )


def partner_id_of(n: int) -> str:
    """The id of the n-th partner."""
    return f"partner-{n % PARTNERS:02}"


async def sessions(database: Database) -> list[str]:
    """The secret of a session of a login of each partner."""
    now = datetime.now(UTC)
    partners, accounts = Partners(database), AccountRecords(database)
    secrets = []
    for n in range(PARTNERS):
        partner = Partner(
            partner_id=partner_id_of(n),
            name=f"Partner {n} AG",
            canton="ZH",
            language="de",
            email=f"{n}@partners.example",
            phone="+41 44 555 00 00",
            street="Werkstrasse 1",
            postal_code="8004",
            city="Zürich",
        )
        await partners.put(partner, now)
        secret, user_id = new_secret(), f"usr_{n}"
        email = f"{n}@people.example"
        invitation = NewLink(user_id, "invitation", hash_of(new_secret()), now)
        await accounts.add_user(
            user_id, "partner", partner.partner_id, email, "Anna", "de", now, invitation
        )
        await accounts.begin_session(user_id, hash_of(secret), now, now + timedelta(days=1))
        secrets.append(secret)
    return secrets
