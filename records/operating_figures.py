"""Counts of what operations watch, cheap enough to be read several times a minute with a million closed orders."""

from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from sqlalchemy import Column, Connection, Select, func, select

from records.database import Database
from records.mails import USER, is_stuck, is_tried, missing
from records.tables import (
    account_notices,
    asked_reminders,
    deadlines,
    findings,
    heartbeats,
    iban_mails,
    is_open,
    login_attempts,
    mails,
    message_mails,
    order_mails,
    orders,
    outages,
    partners,
    settlements,
)

LONGEST_PAUSE = timedelta(days=1)
"""Longer than any pause between two attempts at a mail."""
_Value = TypeVar("_Value")
STANDARD = "standard"
"""The group of partners without a policy of their own."""


class Waiting(NamedTuple):
    """How many wait, and since when the first one has waited; None if none waits."""

    number: int
    since: datetime | None


class OperatingFigures(NamedTuple):
    """The figures at one moment.

    Attributes:
        open_orders: orders that are neither billed nor cancelled, by state and code of their service; the service is
            empty for rows that an older release wrote.
        late: orders with an open deadline that was due, as the overview of operations counts them.
        untransmitted: orders whose partner should have been notified by now.
        overdue: open deadlines that were due, by kind and by the partner's policy (`STANDARD` without one).
        mails: unsent mails that are still tried, by what sends them.
        stuck_mails: as the overview counts them: given up, or first tried long ago.
        given_up_mails: how many of those were given up.
        findings: open findings of the reconciler, by kind.
        settlements: settlements of the last months by state, and when the first of each state was opened.
        seen: when a worker and a web process last gave a sign of life.
        throttled: accounts and addresses that have to wait before the next login.
        undone_outages: outages that have not been passed on to all orders yet.
    """

    open_orders: dict[tuple[str, str], int]
    late: int
    untransmitted: int
    overdue: dict[tuple[str, str], int]
    mails: dict[str, Waiting]
    stuck_mails: int
    given_up_mails: int
    findings: dict[str, int]
    settlements: dict[str, Waiting]
    seen: dict[str, datetime]
    throttled: int
    undone_outages: int


async def operating_figures(
    database: Database,
    now: datetime,
    *,
    mails_since: datetime,
    tried_until: datetime,
    settlements_since: datetime,
) -> OperatingFigures:
    """The figures at `now`, all from the same state of the database.

    `mails_since`: mails that were first tried earlier are not counted. `tried_until`: unsent mails that were first
    tried by then are stuck. `settlements_since`: settlements that were opened earlier are not counted.
    """

    def read(connection: Connection) -> OperatingFigures:
        is_late = orders.c.next_due <= now
        overdue = _overdue(now)
        by_kind = connection.execute(overdue).all()
        stuck = is_stuck(mails_since, tried_until)
        return OperatingFigures(
            open_orders={
                (status, service or ""): number
                for status, service, number in connection.execute(_OPEN_ORDERS)
            },
            late=_number(connection, select(func.count()).select_from(orders).where(is_late)),
            untransmitted=sum(number for kind, _, number in by_kind if kind == "transmit"),
            overdue={
                (kind, policy or STANDARD): number for kind, policy, number in by_kind if number
            },
            mails={
                sender: Waiting(*connection.execute(query).one())
                for sender, query in _waiting_mails(now, mails_since).items()
            },
            stuck_mails=_number(connection, select(func.count()).select_from(mails).where(stuck)),
            given_up_mails=_number(
                connection,
                select(func.count()).select_from(mails).where(stuck, mails.c.state == "given_up"),
            ),
            findings=_by_name(connection, _FINDINGS),
            settlements={
                status: Waiting(number, since)
                for status, number, since in connection.execute(_settlements(settlements_since))
            },
            seen=_by_name(connection, _SEEN),
            throttled=_number(
                connection,
                select(func.count())
                .select_from(login_attempts)
                .where(login_attempts.c.blocked_until > now),
            ),
            undone_outages=_number(
                connection,
                select(func.count()).select_from(outages).where(outages.c.done_at.is_(None)),
            ),
        )

    return await database.read(read, at_one_moment=True)


def _by_name(connection: Connection, counted: Select[str, _Value]) -> dict[str, _Value]:
    return {name: value for name, value in connection.execute(counted)}  # noqa: C416


def _number(connection: Connection, counted: Select[int]) -> int:
    return connection.execute(counted).scalar_one()


# From the index `ix_orders_open_services` alone.
_OPEN_ORDERS = (
    select(orders.c.status, orders.c.service, func.count())
    .where(is_open)
    .group_by(orders.c.status, orders.c.service)
)
_FINDINGS = (
    select(findings.c.kind, func.count())
    .where(findings.c.ended_at.is_(None))
    .group_by(findings.c.kind)
)
_SEEN = select(heartbeats.c.kind, func.max(heartbeats.c.seen_at)).group_by(heartbeats.c.kind)


def _overdue(now: datetime) -> Select[str, str | None, int]:
    """Open deadlines that were due, by kind and policy: only late orders are looked at."""
    return (
        select(deadlines.c.kind, partners.c.policy, func.count())
        .select_from(orders)
        .join(deadlines, deadlines.c.sp_id == orders.c.sp_id)
        .outerjoin(partners, partners.c.partner_id == orders.c.partner_id)
        .where(orders.c.next_due <= now, deadlines.c.ended.is_(None), deadlines.c.due <= now)
        .group_by(deadlines.c.kind, partners.c.policy)
    )


def _waiting_mails(now: datetime, since: datetime) -> dict[str, Select[int, datetime | None]]:
    """For each sender of mails: how many wait, and since when the first. `workflow`: those that workflows send."""

    def count(instant: Column[datetime]) -> Select[int, datetime | None]:
        return select(func.count(), func.min(instant))

    tried = mails.c.first_tried_at
    return {
        "workflow": count(tried).where(missing, is_tried, tried >= since),
        "login": count(tried).where(mails.c.audience == USER, mails.c.next_attempt_at.is_not(None)),
        # Most rows are due in the future. An index on the first condition leaves them out.
        "appointment": count(order_mails.c.asked_at).where(
            order_mails.c.next_attempt_at <= now + LONGEST_PAUSE, order_mails.c.asked_at <= now
        ),
        "message": count(message_mails.c.asked_at),
        "notice": count(account_notices.c.asked_at),
        "iban": count(iban_mails.c.asked_at).where(iban_mails.c.next_attempt_at.is_not(None)),
        "reminder": count(asked_reminders.c.asked_at).where(
            asked_reminders.c.next_attempt_at.is_not(None)
        ),
    }


def _settlements(since: datetime) -> Select[str, int, datetime]:
    return (
        select(settlements.c.status, func.count(), func.min(settlements.c.opened_at))
        .where(settlements.c.opened_at >= since)
        .group_by(settlements.c.status)
    )
