"""The details of reports: trend, why deadlines were missed, cycle times; and a partner's own figures."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from domain.months import Month
from domain.orders.cycle_times import CycleTime, cycle_times
from domain.orders.deadline import DeadlineKind
from domain.orders.miss_reasons import (
    Figures,
    Lateness,
    MissReason,
    figures,
    lateness,
    miss_reason,
)
from domain.orders.punctuality import interval
from records.database import Database
from records.punctuality import PunctualityRecords
from records.report_details import ReportDetails
from use_cases import access
from use_cases.access import Forbidden
from use_cases.principal import Principal
from use_cases.reports import Punctuality

TREND = 6
"""How many months a trend has."""


class MonthOfTrend(NamedTuple):
    """How many deadlines of a month were met and missed."""

    month: Month
    counts: Punctuality


class Details(NamedTuple):
    """A month in detail, over all partners.

    `misses`: how many deadlines were missed, by kind and reason. `lateness`: how late they were. `reports`: how often
    partners reported that something is not possible, by the type of the event and the reason.
    """

    trend: tuple[MonthOfTrend, ...]
    misses: Counter[tuple[DeadlineKind, MissReason]]
    lateness: Counter[Lateness]
    cycle_times: tuple[CycleTime, ...]
    reports: Counter[tuple[str, str]]


class OwnFigures(NamedTuple):
    """A partner's own month, the months before it, and which of its missed orders it still sees."""

    figures: Figures
    trend: tuple[MonthOfTrend, ...]
    visible: frozenset[str]
    as_of: datetime


class FigureUseCases:
    """The details of reports. Months begin at midnight in `timezone`; `clock` gives the instant."""

    def __init__(
        self,
        database: Database,
        timezone: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._punctuality = PunctualityRecords(database)
        self._details = ReportDetails(database)
        self._timezone = timezone
        self._clock = clock

    async def reasons(
        self, principal: Principal, month: Month, sp_ids: Sequence[str]
    ) -> Mapping[tuple[str, DeadlineKind, datetime], MissReason]:
        """Why these orders' deadlines of a month were missed, by SP-ID, kind and due time. Raises `Forbidden`."""
        access.check(principal, "report")
        now, (first, after) = self._clock(), interval(month, self._timezone)
        missed = await self._details.missed(first, after, now, sp_ids)
        return {
            (each.sp_id, each.deadline.kind, each.deadline.due): miss_reason(
                each.deadline, each.deeds
            )
            for each in missed
        }

    async def details(self, principal: Principal, month: Month) -> Details:
        """A month in detail, over all partners. Raises `Forbidden`."""
        access.check(principal, "report")
        now, (first, after) = self._clock(), interval(month, self._timezone)
        missed = await self._details.missed(first, after, now)
        executed = await self._details.milestones(month.first_day, month.next.first_day)
        return Details(
            await self._trend(month, now),
            Counter((each.deadline.kind, miss_reason(each.deadline, each.deeds)) for each in missed),
            Counter(lateness(each.deadline) for each in missed),
            cycle_times(executed),
            await self._details.reports(first, after),
        )  # fmt: skip

    async def own(self, principal: Principal, month: Month) -> OwnFigures:
        """The caller's own figures of a month. Raises `Forbidden` if the caller is not a partner."""
        access.check(principal, "read_own_figures")
        partner_id = access.own_partner(principal)
        if partner_id is None:
            raise Forbidden("only a partner has figures of its own")
        now, (first, after) = self._clock(), interval(month, self._timezone)
        counted = figures(await self._details.of_partner(partner_id, first, after), now)
        sp_ids = sorted({miss.sp_id for miss in counted.misses})
        return OwnFigures(
            counted,
            await self._trend(month, now, partner_id),
            await self._details.visible(partner_id, sp_ids),
            now,
        )

    async def _trend(
        self, month: Month, now: datetime, partner_id: str | None = None
    ) -> tuple[MonthOfTrend, ...]:
        """The counts of the last months up to this one, the latest first; of one partner, if given."""
        months = [month]
        while len(months) < TREND:
            months.append(months[-1].previous)
        return tuple([await self._month(each, now, partner_id) for each in months])

    async def _month(self, month: Month, now: datetime, partner_id: str | None) -> MonthOfTrend:
        first, after = interval(month, self._timezone)
        tallies = await self._punctuality.tallies(first, after, now, partner_id)
        met, missed = sum(each.met for each in tallies), sum(each.missed for each in tallies)
        return MonthOfTrend(month, Punctuality(met=met, missed=missed))
