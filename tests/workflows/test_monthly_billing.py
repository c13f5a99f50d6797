"""The month's end: every partner gets its settlement, of the right month, whoever fails meanwhile."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError

from contracts import activities, names
from contracts.messages import Billed, Billing
from domain.months import Month
from domain.policy import OfficePolicy, Policy
from tests.support.temporal_servers import skipping_server
from tests.workflows.life import zurich
from tests.workflows.settlement_lives import SettlementLives, settlement_lives

FEBRUARY = Month(2028, 2)


@pytest.fixture
async def month() -> AsyncIterator[SettlementLives]:
    """A server whose time skips, sandboxed workers, and an outside that remembers."""
    async with skipping_server() as env, settlement_lives(env) as made:
        yield made


async def run(month: SettlementLives, start: Billing) -> Billed:
    """Run it; what it came to."""
    billed: Billed = await month.client.execute_workflow(
        names.MONTHLY_BILLING,
        start,
        id=names.MONTHLY_BILLING_ID,
        task_queue=names.ORDERS_QUEUE,
        result_type=Billed,
    )
    return billed


@pytest.mark.parametrize(
    ("started", "settled"),
    [
        ("2028-03-01 06:00", "2028-02"),
        ("2028-03-01 00:00", "2028-02"),
        ("2028-02-29 23:59", "2028-01"),
        ("2028-01-01 00:00", "2027-12"),
        ("2028-04-01 00:30", "2028-03"),  # in UTC it is still March
    ],
)
async def test_the_month_before_by_the_clock_of_zurich(
    month: SettlementLives, started: str, settled: str
) -> None:
    month.outside.partners = ["elektro-huber"]
    await month.until(zurich(started))
    billed = await run(month, Billing())
    assert billed == Billed(month=Month.parse(settled), opened=1, there=0)


@pytest.mark.parametrize(
    ("started", "settled"),
    [
        ("2028-02-29 18:00", "2028-02"),  # there it is the first of March, 06:00
        ("2028-02-29 11:59", "2028-01"),
    ],
)
async def test_by_the_clock_of_the_configured_office(started: str, settled: str) -> None:
    policy = Policy(office=OfficePolicy(timezone="Pacific/Auckland"))
    async with skipping_server() as env, settlement_lives(env, policy) as month:
        month.outside.partners = ["elektro-huber"]
        await month.until(zurich(started))
        assert (await run(month, Billing())).month == Month.parse(settled)


async def test_by_the_clock_in_summer_time(month: SettlementLives) -> None:
    month.outside.partners = ["elektro-huber", "sanitaer-meier"]
    await month.until(zurich("2028-07-01 06:00"))
    assert (await run(month, Billing())).month == Month(2028, 6)


async def test_an_explicit_month_for_every_partner_and_twice_is_once(
    month: SettlementLives,
) -> None:
    partners = [f"partner-{number:04}" for number in range(250)]
    month.outside.partners = partners
    month.outside.opened = [(partners[7], FEBRUARY)]
    assert await run(month, Billing(month=FEBRUARY)) == Billed(month=FEBRUARY, opened=249, there=0)
    assert sorted(month.outside.opened) == [(each, FEBRUARY) for each in partners]
    pages_after = [wanted.after for wanted in month.outside.listed]
    assert pages_after == [None, "partner-0200", "partner-0249"]
    again = await run(month, Billing(month=FEBRUARY))
    assert (again.opened, again.there) == (0, 0)


async def test_one_that_fails_holds_up_nobody_and_is_tried_again(month: SettlementLives) -> None:
    month.outside.partners = ["a", "b", "c"]
    month.outside.unwilling = {"b": 5}
    began = await month.now()
    assert (await run(month, Billing(month=FEBRUARY))).opened == 3
    *at_once, last = [partner for partner, _ in month.outside.opened]
    assert (sorted(at_once), last) == (["a", "c"], "b")
    assert await month.now() - began > timedelta(minutes=15)


async def test_who_fails_for_a_day_is_named(month: SettlementLives) -> None:
    month.outside.partners = ["a", "b"]
    month.outside.unwilling = {"b": 10_000}
    with pytest.raises(WorkflowFailureError) as failure:
        await run(month, Billing(month=FEBRUARY))
    assert "2028-02 could be opened for b" in str(failure.value.cause)
    assert month.outside.opened == [("a", FEBRUARY)]


async def test_the_database_away_delays_it(month: SettlementLives) -> None:
    month.outside.partners = ["a"]
    month.outside.down.add(activities.PARTNERS_TO_SETTLE)
    handle = await month.client.start_workflow(
        names.MONTHLY_BILLING,
        Billing(month=FEBRUARY),
        id=names.MONTHLY_BILLING_ID,
        task_queue=names.ORDERS_QUEUE,
        result_type=Billed,
    )
    await month.env.sleep(timedelta(hours=3))
    month.outside.down.clear()
    await month.env.sleep(timedelta(minutes=6))
    assert (await handle.result()).opened == 1
