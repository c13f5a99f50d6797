"""Orders and settlements whose workflow begins in the middle of their life, for tests of what comes next."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.activities import Snapshot
from contracts.messages import SettlementCarried
from domain import rules
from domain.cantons import pin_calendar
from domain.months import Month
from domain.orders.commands import Bill, ConfirmExecution, SetAppointment
from domain.orders.events import Recorded
from domain.orders.order import Order
from domain.settlements.account import account_of
from domain.settlements.ids import settlement_id
from domain.settlements.lines import line_of_order
from records.partners import Partner
from records.settlements import Settlements
from temporal.settlements import revive_settlement
from tests.support.builders import GOODS_THERE, Step, intake, lived, placement
from tests.support.settlements import claims, settled, statement
from tests.web.site import Site, sales_order_id, sp_id, tomorrow
from tests.workflows.life import DESK
from use_cases.opening import opening_of


def agreed_steps() -> tuple[Step, ...]:
    """The steps up to an appointment tomorrow, whatever day that is; the goods are there."""
    start, end = (datetime.fromisoformat(tomorrow(hour)) for hour in (8, 10))
    return (*GOODS_THERE, SetAppointment(start=start, end=end, unusual=True))


def completed_steps() -> tuple[Step, ...]:
    """The steps up to the execution."""
    return (*agreed_steps(), ConfirmExecution(early=True))


async def begun(cmi: Site, *steps: Step, partner_id: str = "elektro-huber", **changes: Any) -> str:
    """The SP-ID of an order placed two hours ago that took these steps (tests/support/builders.py).

    The calls that lead there cost several times as much; tests/web/test_lives.py makes them. No mail about it was sent.
    """
    order, events = _order(cmi, await _partner(cmi, partner_id), *steps, **changes)
    await cmi.around.begin_with(order, events)
    return order.sp_id


async def begun_settlement(cmi: Site, partner_id: str, *fees: str) -> str:
    """The number of a settlement of this month over orders with these fees, issued five minutes ago.

    Its orders are billed and have no workflow any more. There is no PDF of its statement, and no mail was sent.
    """
    around, partner, now = cmi.around, await _partner(cmi, partner_id), datetime.now(UTC)
    calendar = pin_calendar(partner.canton, around.policies.standard, now.date())
    month = Month.at(now, calendar)
    number = settlement_id(partner_id, month)
    steps = (*completed_steps(), Bill(settlement_id=number))
    lives = [_order(cmi, partner, *steps, fee=fee) for fee in fees]
    opening = opening_of(
        partner,
        month,
        now,
        policies=around.policies,
        vat_rates=around.settings.vat_percentages,
        picked=[order.sp_id for order, _ in lives],
        automatic=False,
    )
    opened = now - timedelta(minutes=5)
    lines = [line for order, _ in lives if (line := line_of_order(order))]
    account = account_of(settled(opening, at=opened).settlement, lines)
    made = statement(number, account.total, net=account.net, vat=account.vat, rules=opening.rules)
    snapshot = settled(opening, claims(), made, at=opened)
    carried = SettlementCarried(settlement=snapshot.settlement, unsaved=(), outbox=(), answered={})
    for order, events in lives:
        await around.orders.save(Snapshot(order=order, events=events))
    await Settlements(around.database).save(snapshot)
    await revive_settlement(around.client, carried, DESK)
    return number


async def _partner(cmi: Site, partner_id: str) -> Partner:
    partner = await cmi.around.partners.get(partner_id)
    assert partner is not None
    return partner


def _order(
    cmi: Site, partner: Partner, *steps: Step, **changes: Any
) -> tuple[Order, tuple[Recorded, ...]]:
    placed = datetime.now(UTC) - timedelta(hours=2)
    names = {"sp_id": sp_id(), "sales_order_id": sales_order_id(), **changes}
    of = intake(
        placement(partner_id=partner.partner_id, **names),
        policy=cmi.around.policies.of(partner.policy),
        canton=partner.canton,
        day=placed.date(),
        rules=rules.CURRENT,
    ).model_copy(update={"partner": cmi.around.partners.assignee(partner)})
    return lived(*steps, of=of, at=placed)
