"""Orders whose workflow begins in the middle of their life, for tests of what comes next."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain import rules
from domain.orders.commands import SetAppointment
from tests.support.builders import GOODS_THERE, Step, intake, lived, placement
from tests.web.site import Site, sales_order_id, sp_id, tomorrow


def agreed_steps() -> tuple[Step, ...]:
    """The steps up to an appointment tomorrow, whatever day that is; the goods are there."""
    start, end = (datetime.fromisoformat(tomorrow(hour)) for hour in (8, 10))
    return (*GOODS_THERE, SetAppointment(start=start, end=end, unusual=True))


async def begun(cmi: Site, *steps: Step, partner_id: str = "elektro-huber", **changes: Any) -> str:
    """The SP-ID of an order placed two hours ago that took these steps (tests/support/builders.py).

    The calls that lead there cost several times as much; tests/web/test_lives.py makes them. No mail about it was sent.
    """
    around = cmi.around
    partner = await around.partners.get(partner_id)
    assert partner is not None
    placed = datetime.now(UTC) - timedelta(hours=2)
    names = {"sp_id": sp_id(), "sales_order_id": sales_order_id(), **changes}
    of = intake(
        placement(partner_id=partner_id, **names),
        policy=around.policies.of(partner.policy),
        canton=partner.canton,
        day=placed.date(),
        rules=rules.CURRENT,
    ).model_copy(update={"partner": around.partners.assignee(partner)})
    order, events = lived(*steps, of=of, at=placed)
    await around.begin_with(order, events)
    return order.sp_id
