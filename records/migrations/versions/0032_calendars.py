"""Partners' calendars have tables: the visits of their orders, and the subscriptions of their people.

The visits are made from the orders as they are; what fell before this revision is not in them. A worker of an older
release writes none: its orders are not in the calendars until they are recorded again.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from records.tables.types import Instant, Key

revision = "0032"
down_revision = "0033"
branch_labels = None
depends_on = None

BATCH = 500


def upgrade() -> None:
    """To this revision."""
    entries = op.create_table(
        "calendar_entries",
        sa.Column("sp_id", Key, primary_key=True),
        sa.Column("partner_id", Key, primary_key=True),
        sa.Column("start", Instant, nullable=False),
        sa.Column("end", Instant, nullable=False),
        sa.Column("whole_day", sa.Boolean, nullable=False),
        sa.Column("fallen_at", Instant),
        sa.Column("sequence", sa.Integer, nullable=False),
    )
    op.create_index("ix_calendar_entries_partner", "calendar_entries", ["partner_id", "end"])
    op.create_table(
        "calendar_feeds",
        sa.Column(
            "user_id", Key, sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("everybody", sa.Boolean, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("last_read_at", Instant, nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
    )
    op.create_index("ix_calendar_feeds_secret_hash", "calendar_feeds", ["secret_hash"], unique=True)
    connection = op.get_bind()
    for rows in _orders(connection):
        found = [(row, _period(row.status, json.loads(row.document))) for row in rows]
        made = [
            {
                "sp_id": row.sp_id,
                "partner_id": row.partner_id,
                "start": period[0],
                "end": period[1],
                "whole_day": period[2],
                "sequence": row.version,
            }
            for row, period in found
            if period is not None
        ]
        if made:
            connection.execute(sa.insert(entries), made)


def downgrade() -> None:
    """Back from it."""
    op.drop_table("calendar_feeds")
    op.drop_table("calendar_entries")


def _orders(connection: sa.Connection) -> Iterator[list[Any]]:
    found = sa.text(
        "SELECT orders.sp_id, partner_id, version, status, document FROM orders"
        " JOIN documents ON documents.sp_id = orders.sp_id"
        " WHERE visible AND (appointment_end IS NOT NULL OR executed_on IS NOT NULL)"
        f" AND orders.sp_id > :after ORDER BY orders.sp_id LIMIT {BATCH}"
    )
    after = ""
    while rows := connection.execute(found, {"after": after}).all():
        yield list(rows)
        after = rows[-1].sp_id


# as in domain/orders/calendar_entry.py at this revision
_ZURICH = ZoneInfo("Europe/Zurich")


def _period(status: str, order: dict[str, Any]) -> tuple[datetime, datetime, bool] | None:
    appointment = order.get("appointment")
    period = None
    if appointment is not None:
        start, end = (datetime.fromisoformat(appointment[name]) for name in ("start", "end"))
        period = start, end, False
    if status in ("confirm_execution", "under_review"):
        return period
    if status == "on_hold":
        until = order.get("held_until")
        stands = period and (until is None or period[0] >= datetime.fromisoformat(until))
        return period if stands else None
    if status not in ("completed", "billed") or order.get("executed_on") is None:
        return None
    day = date.fromisoformat(order["executed_on"])
    if period is not None:
        first, last = (at.astimezone(_ZURICH).date() for at in period[:2])
        if first <= day <= last:
            return period
    return _midnight(day), _midnight(day + timedelta(days=1)), True


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), _ZURICH).astimezone(UTC)
