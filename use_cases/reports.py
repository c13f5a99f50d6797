"""The report about deadlines: how many partners met and missed in a month."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from domain.months import Month
from domain.orders.deadline import DeadlineKind
from domain.orders.punctuality import interval, on_target, on_time_share
from domain.values import Value
from records.database import Database
from records.partners import Partners
from records.punctuality import Misses, PunctualityRecords
from use_cases import access
from use_cases.principal import Principal


class Punctuality(Value):
    """How many deadlines were met, and how many were missed."""

    met: int
    missed: int

    @property
    def counted(self) -> int:
        """Both together."""
        return self.met + self.missed

    @property
    def share(self) -> Decimal | None:
        """The share of met deadlines, to four decimals; None if there were none."""
        return on_time_share(self.met, self.missed)

    @property
    def on_target(self) -> bool:
        """Whether the target is reached."""
        return on_target(self.met, self.missed)


class KindOfDeadline(Punctuality):
    """A partner's deadlines of one kind. `orders` is the number of orders that they belong to."""

    kind: DeadlineKind
    orders: int


class PartnersMonth(Punctuality):
    """All deadlines of a partner in a month, in total and by kind."""

    partner_id: str
    name: str
    kinds: tuple[KindOfDeadline, ...]


class DeadlineReport(Value):
    """The report of a month as known at `as_of`, by partner id. Partners without a counted deadline are left out."""

    month: Month
    as_of: datetime
    partners: tuple[PartnersMonth, ...]

    @property
    def total(self) -> Punctuality:
        """All partners together."""
        return Punctuality(
            met=sum(each.met for each in self.partners),
            missed=sum(each.missed for each in self.partners),
        )


class Reports:
    """The reports for operations. Months begin at midnight in `timezone`; `clock` gives the instant."""

    def __init__(
        self,
        database: Database,
        timezone: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._punctuality = PunctualityRecords(database)
        self._partners = Partners(database)
        self._timezone = timezone
        self._clock = clock

    async def deadlines(self, principal: Principal, month: Month) -> DeadlineReport:
        """The punctuality of partners in a month. Raises `Forbidden`."""
        access.check(principal, "report")
        now = self._clock()
        tallies = await self._punctuality.tallies(*interval(month, self._timezone), now)
        names = {each.partner_id: each.name for each in await self._partners.list()}
        kinds: defaultdict[str, list[KindOfDeadline]] = defaultdict(list)
        for partner_id, *counts in tallies:
            values = dict(zip(("kind", "orders", "met", "missed"), counts, strict=True))
            kinds[partner_id].append(KindOfDeadline.model_validate(values))
        return DeadlineReport(
            month=month,
            as_of=now,
            partners=tuple(
                PartnersMonth(
                    partner_id=partner_id,
                    name=names.get(partner_id, partner_id),
                    kinds=tuple(found),
                    met=sum(each.met for each in found),
                    missed=sum(each.missed for each in found),
                )
                for partner_id, found in kinds.items()
            ),
        )

    async def misses(
        self,
        principal: Principal,
        month: Month,
        partner_id: str | None = None,
        kind: DeadlineKind | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Misses:
        """The missed deadlines of the report, sorted by when they were due.

        Raises:
            Forbidden: not for this role.
            ValueError: it is not a cursor of this list.
        """
        access.check(principal, "report")
        first, after = interval(month, self._timezone)
        return await self._punctuality.misses(
            first, after, self._clock(), partner_id, kind, limit, cursor
        )
