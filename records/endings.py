"""Ends the logins and tokens of a partner that has ended, in the caller's transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update

from records.tables import calendar_feeds, links, partners, sessions, tokens, users


def has_not_ended(partner_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a login or token is not of a partner that has ended. `partner_id` is NULL for the retailer."""
    ended = exists().where(partners.c.partner_id == partner_id, partners.c.status == "ended")
    return ~ended.correlate_except(partners)


def end_access(connection: Connection, partner_id: str, now: datetime) -> None:
    """End a partner's sessions, mailed links and calendar subscriptions, and revoke its tokens, all for good."""
    theirs = select(users.c.user_id).where(users.c.partner_id == partner_id)
    connection.execute(delete(sessions).where(sessions.c.user_id.in_(theirs)))
    connection.execute(delete(links).where(links.c.user_id.in_(theirs)))
    connection.execute(delete(calendar_feeds).where(calendar_feeds.c.user_id.in_(theirs)))
    connection.execute(
        update(tokens)
        .where(tokens.c.partner_id == partner_id, tokens.c.revoked_at.is_(None))
        .values(revoked_at=now, ended_because="partner_ended")
    )
