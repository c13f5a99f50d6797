"""The stories of the demonstration: what happens to each of its orders."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import time, timedelta

from development.demo_story import Story
from development.sample_data import ZURICH
from domain.orders.order import Status


async def executed(story: Story) -> None:
    """An order from placement to execution, without problems."""
    await story.live_until_goods_received()
    await story.agree_appointment()
    await story.execute()


async def prepaid(story: Story) -> None:
    """A prepaid order that is executed after it has waited three months for its payment."""
    await story.place()
    await story.skip(timedelta(days=90))
    await story.act("payment-received", {}, "paid after three months", who="shop")
    await story.until(Status.IN_TRANSMISSION)
    await story.transmit()
    await story.act("accept", {}, "accepted")
    await story.confirm_requirements()
    await story.ship("99.00.2")
    await story.agree_appointment()
    await story.execute()


async def not_met(story: Story) -> None:
    """The washing machine does not fit through the staircase."""
    await story.place()
    await story.transmit()
    await story.act("accept", {}, "accepted")
    await story.act(
        "requirements",
        {"met": False, "reason": "passage_too_narrow", "note": "72 cm"},
        "the staircase is too narrow",
    )
    await story.act(
        "review", {"decision": "cancel", "note": ""}, "operations: cancel it", who="operations"
    )


async def reshipped(story: Story) -> None:
    """Damaged on the way, shipped again, and then executed."""
    await story.live_until_goods_received()
    await story.agree_appointment()
    await story.skip_to(1, time(12))
    await story.act(
        "execution",
        {"executed": False, "reason": "transport_damage", "note": "a dent in the door"},
        "not executed: transport damage",
    )
    await story.act(
        "review", {"decision": "reship", "note": ""}, "operations: ship again", who="operations"
    )
    await story.ship("99.00.4")
    await story.agree_appointment()
    await story.execute()


async def cancelled(story: Story) -> None:
    """The shop cancels after the goods were delivered."""
    await story.live_until_goods_received()
    await story.act(
        "cancel", {"reason": "returned by the customer"}, "cancelled by the shop", who="shop"
    )


async def reassigned(story: Story) -> None:
    """Operations reassign the order to a firm in another canton, which does the work."""
    await story.place()
    await story.transmit()
    other = "luzern-montage" if story.partner != "luzern-montage" else "elektro-huber"
    await story.act(
        "reassign",
        {"partner_id": other, "reason": "holidays"},
        f"operations hand it to {other}",
        who="operations",
    )
    story.partner = story.progress.partner = other
    await story.act("accept", {}, "accepted by the new partner")
    await story.confirm_requirements()
    await story.ship("99.00.6")
    await story.agree_appointment()
    await story.execute()


async def late(story: Story) -> None:
    """Nobody reacts: reminder, escalation, repeated escalations. A late acceptance still counts."""
    await story.place()
    await story.transmit()
    for day in range(3):
        await story.skip(timedelta(days=1))
        events = Counter(entry["type"] for entry in (await story.look())["timeline"])
        story.say(
            f"day {day + 1}: {events['reminder']} reminders, {events['deadline_missed']} deadlines "
            f"missed, {events['escalation']} escalations"
        )
    await story.act("accept", {}, "accepted late, which is still accepted")


async def unassigned(story: Story) -> None:
    """Nobody reacts even to the last escalation: the order has no partner, until operations find another."""
    await story.place()
    await story.transmit()
    while (await story.look())["status"] != Status.UNASSIGNED.value:
        await story.skip(timedelta(days=1))
    story.say("nobody accepted it: without a partner")
    await story.act(
        "reassign",
        {"partner_id": "elektro-huber", "reason": "nobody reacted"},
        "operations hand it to elektro-huber",
        who="operations",
    )
    story.partner = story.progress.partner = "elektro-huber"
    await story.act("accept", {}, "accepted by the new partner")


async def held(story: Story) -> None:
    """The customer postpones; the order waits until the date and goes on by itself."""
    await story.place()
    await story.transmit()
    await story.act("accept", {}, "accepted")
    later = ((await story.now()).astimezone(ZURICH) + timedelta(days=30)).date().isoformat()
    await story.act(
        "problem",
        {"reason": "customer_postpones", "note": "the kitchen is late", "until": later},
        "the customer postpones",
    )
    await story.act(
        "review",
        {"decision": "wait_until", "until": later, "note": ""},
        f"operations: wait until {later}",
        who="operations",
    )
    await story.skip(timedelta(days=31))
    await story.until(Status.CHECK_REQUIREMENTS)
    await story.confirm_requirements()
    await story.ship("99.00.9")
    await story.agree_appointment()
    await story.execute()


# Title, file of `examples/orders/`, number of the order in it, and what happens to it.
STORIES: tuple[tuple[str, str, int, Callable[[Story], Awaitable[None]]], ...] = (
    ("executed", "zuerich", 0, executed),
    ("paid, then executed", "zuerich", 2, executed),
    ("prepaid", "geneve", 1, prepaid),
    ("requirements not met", "luzern", 0, not_met),
    ("not executed, reshipped", "ticino", 1, reshipped),
    ("cancelled by the shop", "geneve", 0, cancelled),
    ("reassigned", "ticino", 0, reassigned),
    ("misses its deadlines", "zuerich", 1, late),
    ("never accepted", "luzern", 1, unassigned),
    ("put on hold", "luzern", 2, held),
)
