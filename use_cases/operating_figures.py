"""The figures of operations as metrics for Prometheus, from the same rows as the page of operations."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from records.database import Database
from records.operating_figures import OperatingFigures, Waiting, operating_figures
from telemetry.figures import Family
from use_cases.operations import LONG, REMEMBERED

SETTLEMENTS_REMEMBERED = timedelta(days=400)
"""Settlements that were opened earlier are not counted."""
MOST_SERVICES = 40
"""How many services are counted separately: those with the most open orders. All others count as `other`."""


class OperatingMetrics:
    """Reads the figures of operations as metrics. `clock` gives the instant."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._clock = clock

    async def read(self) -> Sequence[Family]:
        """The metrics now. Raises an error for which `is_away` is true if the database is away."""
        now = self._clock()
        figures = await operating_figures(
            self._database,
            now,
            mails_since=now - REMEMBERED,
            tried_until=now - LONG,
            settlements_since=now - SETTLEMENTS_REMEMBERED,
        )
        return families(figures, now)


def families(figures: OperatingFigures, now: datetime) -> Sequence[Family]:
    """The figures as metrics."""
    mails, settlements = figures.mails, figures.settlements
    return (
        Family(
            "cmi_orders_open",
            "Orders that are neither billed nor cancelled, by state and service.",
            ("state", "service"),
            _bounded(figures.open_orders),
        ),
        _single("cmi_orders_late", "Orders with an open deadline that was due.", figures.late),
        _single(
            "cmi_orders_untransmitted",
            "Orders of which their partner should know by now.",
            figures.untransmitted,
        ),
        Family(
            "cmi_deadlines_overdue",
            "Open deadlines that were due, by kind and by the policy of the partner.",
            ("deadline", "policy"),
            figures.overdue,
        ),
        Family(
            "cmi_mails_pending",
            "Unsent mails that are still tried, by what sends them.",
            ("sender",),
            _numbers(mails),
        ),
        Family(
            "cmi_mails_oldest_pending_seconds",
            "How long the oldest of them waits.",
            ("sender",),
            _ages(mails, now),
        ),
        _single(
            "cmi_mails_stuck",
            "Mails of the last 30 days that were given up, or are unsent after an hour.",
            figures.stuck_mails,
        ),
        _single(
            "cmi_mails_given_up",
            "Mails of the last 30 days that were given up.",
            figures.given_up_mails,
        ),
        Family(
            "cmi_findings_open",
            "Open findings of the reconciler, by kind.",
            ("kind",),
            {(kind,): number for kind, number in figures.findings.items()},
        ),
        Family(
            "cmi_settlements",
            "Settlements of the last 400 days, by state.",
            ("state",),
            _numbers(settlements),
        ),
        Family(
            "cmi_settlements_oldest_seconds",
            "Since when the first settlement of each state is open.",
            ("state",),
            _ages(settlements, now),
        ),
        Family(
            "cmi_heartbeat_age_seconds",
            "Since when no process of a kind has given a sign of life.",
            ("kind",),
            {(kind,): (now - at).total_seconds() for kind, at in figures.seen.items()},
        ),
        _single(
            "cmi_logins_throttled",
            "Accounts and addresses that have to wait before the next login.",
            figures.throttled,
        ),
        _single(
            "cmi_outages_undone",
            "Outages of which orders still have to be told.",
            figures.undone_outages,
        ),
    )


def _single(name: str, meaning: str, number: float) -> Family:
    return Family(name, meaning, (), {(): number})


def _numbers(waiting: Mapping[str, Waiting]) -> dict[tuple[str, ...], float]:
    return {(name,): each.number for name, each in waiting.items()}


def _ages(waiting: Mapping[str, Waiting], now: datetime) -> dict[tuple[str, ...], float]:
    """In seconds; 0 where nothing waits."""
    return {
        (name,): max((now - each.since).total_seconds(), 0.0) if each.since else 0.0
        for name, each in waiting.items()
    }


def _bounded(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, ...], float]:
    """The counts by state and service; the shop chooses the codes of services, so only the most frequent are apart."""
    by_service: Counter[str] = Counter()
    for (_, service), number in counts.items():
        by_service[service] += number
    shown = {service for service, _ in by_service.most_common(MOST_SERVICES)}
    bounded: Counter[tuple[str, ...]] = Counter()
    for (state, service), number in counts.items():
        bounded[state, service if service in shown else "other"] += number
    return dict(bounded)
