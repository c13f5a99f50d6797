"""Orders and settlements that only the records know, for tests of pages that show them: no workflow lives them.

A form that asks the workflow of such an order is refused; so is a partner's look at the page of one, which the
workflow is told of.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.activities import Snapshot
from domain.orders.commands import SetAppointment
from records.settlements import Settlements
from tests.support import builders, settlements
from tests.support.builders import Step
from tests.support.settlements import opening, settled
from tests.web.site import Site, sales_order_id, sp_id


async def kept(site: Site, *steps: Step, at: datetime | None = None, **changes: Any) -> str:
    """The SP-ID of an order placed at `at` (two hours ago) that took these steps (tests/support/builders.py)."""
    begin = at or datetime.now(UTC) - timedelta(hours=2)
    changes.setdefault("sp_id", sp_id())
    changes.setdefault("sales_order_id", sales_order_id())
    of = builders.intake(rules=2, day=begin.date(), **changes)
    order, events = builders.lived(*steps, of=of, at=begin)
    await site.around.orders.save(Snapshot(order=order, events=events))
    return order.sp_id


async def kept_completed(site: Site, partner_id: str, *fees: str) -> list[str]:
    """The SP-IDs of completed orders with these fees, to be billed."""
    lived = builders.COMPLETED
    return [
        await kept(site, *lived, at=builders.MONDAY, partner_id=partner_id, fee=fee) for fee in fees
    ]


async def kept_settlement(site: Site, partner_id: str, *, issued: bool = False) -> str:
    """The number of a settlement over one order, open or with its statement."""
    of = opening(*await kept_completed(site, partner_id, "129.00"), partner_id=partner_id)
    made = settled(of, *(settlements.issued(of) if issued else ()))
    await Settlements(site.around.database).save(made)
    return made.settlement.settlement_id


def appointed(start: datetime, until: datetime) -> tuple[Step, ...]:
    """The steps of an order up to this appointment."""
    return (*builders.GOODS_THERE, SetAppointment(start=start, end=until, unusual=True))
