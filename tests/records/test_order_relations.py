"""Orders that belong together, as pages and commands ask for them. A partner sees its own."""

import pytest

from contracts.activities import Snapshot
from domain.orders.commands import Cancel, Decline, Unassign
from domain.orders.order import Order, Status
from records.database import Database
from records.order_relations import OrderRelations
from records.orders import Orders
from tests.support.builders import (
    ACCEPTED,
    COMPLETED,
    OPERATIONS,
    REQUIREMENTS_MET,
    TRANSMITTED,
    Step,
    intake,
    lived,
)


class Kept:
    """The records, and the orders in them."""

    def __init__(self, database: Database) -> None:
        self.orders = Orders(database)
        self.relations = OrderRelations(database)

    async def keep(self, sp_id: str, *steps: Step, **changes: object) -> Order:
        order, events = lived(
            *steps, of=intake(sp_id=sp_id, **changes).model_copy(update={"rules": 2})
        )
        await self.orders.save(Snapshot(order=order, events=events))
        return order


@pytest.fixture
def kept(database: Database) -> Kept:
    return Kept(database)


def ids(found: tuple[Order, ...]) -> list[str]:
    return [order.sp_id for order in found]


async def test_siblings_are_those_of_the_sales_order_that_the_caller_sees(kept: Kept) -> None:
    order = await kept.keep("SP-1", *ACCEPTED)
    await kept.keep("SP-2", *COMPLETED)
    await kept.keep("SP-3")  # not transmitted yet
    await kept.keep("SP-4", *ACCEPTED, partner_id="bianchi")
    await kept.keep("SP-5", *TRANSMITTED, Decline(reason="no_capacity"))
    await kept.keep("SP-6", *ACCEPTED, sales_order_id="other")
    assert ids(await kept.relations.siblings(order)) == ["SP-2", "SP-3", "SP-4", "SP-5"]
    assert ids(await kept.relations.siblings(order, "elektro-huber")) == ["SP-2"]
    assert ids(await kept.relations.siblings(order, "bianchi")) == ["SP-4"]
    assert await kept.relations.siblings(order, "\0") == ()


async def test_open_orders_of_the_same_line(kept: Kept) -> None:
    order = await kept.keep("SP-1", *ACCEPTED, sales_order_line="10")
    await kept.keep("SP-2", *REQUIREMENTS_MET, sales_order_line="10", partner_id="bianchi")
    await kept.keep("SP-3", sales_order_line="10")
    await kept.keep("SP-4", *COMPLETED, sales_order_line="10")
    await kept.keep("SP-5", Cancel(reason="x"), sales_order_line="10")
    await kept.keep("SP-6", *ACCEPTED, sales_order_line="20")
    without = await kept.keep("SP-7", *ACCEPTED)
    assert await kept.relations.open_of_line(order) == ("SP-2", "SP-3")
    assert await kept.relations.open_of_line(without) == ()


async def test_open_orders_of_a_partner_page_by_page(kept: Kept) -> None:
    await kept.keep("SP-1", *ACCEPTED)
    await kept.keep("SP-2")
    await kept.keep("SP-3", *COMPLETED)
    await kept.keep("SP-4", *TRANSMITTED, Decline(reason="no_capacity"))
    await kept.keep("SP-5", *ACCEPTED, partner_id="bianchi")
    await kept.keep("SP-6", prepaid=True)
    relations = kept.relations
    assert ids(await relations.open_of_partner("elektro-huber")) == ["SP-1", "SP-2", "SP-6"]
    first = await relations.open_of_partner("elektro-huber", limit=2)
    assert ids(await relations.open_of_partner("elektro-huber", ids(first)[-1])) == ["SP-6"]


async def test_unassigned_orders(kept: Kept) -> None:
    await kept.keep("SP-1", *ACCEPTED)
    await kept.keep("SP-2", *TRANSMITTED, Decline(reason="no_capacity"))
    order = await kept.keep("SP-3", *ACCEPTED, (Unassign(partner_id="elektro-huber"), OPERATIONS))
    assert order.status is Status.UNASSIGNED
    assert ids(await kept.relations.unassigned()) == ["SP-2", "SP-3"]
    assert ids(await kept.relations.unassigned("SP-2")) == ["SP-3"]
