"""The workflow of an order or a settlement is broken: callers are told so, operations also why, and nothing is lost."""

import asyncio
from pathlib import Path
from typing import Any, cast

import httpx
from temporalio import workflow

from contracts import names
from domain.orders.commands import Accept
from records.worklist import Worklists
from temporal.calls import Broken as BrokenWorkflow
from tests.server.surroundings import eventually, surroundings
from tests.server.test_reconciler import Broken, forget
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON
from tests.support.workers import bounded_worker
from tests.web.firms import firm
from tests.web.site import API, site
from tests.web.test_absences import events, is_unavailable, policy
from use_cases.orders import OrderUseCases, Stored
from use_cases.principal import Principal
from use_cases.worklist import Task, WorklistUseCases

CAUSE = "a mistake of ours"


@workflow.defn(name=names.SETTLEMENT)
class BrokenSettlement:
    """What a mistake of ours in the workflow of settlements would be."""

    @workflow.run
    async def run(self, start: dict[str, object]) -> None:
        raise RuntimeError(CAUSE)


def is_plain(answer: httpx.Response) -> bool:
    """503 as everybody gets it who is told nothing of our insides."""
    assert is_unavailable(answer)
    assert answer.json()["title"] == "Away"
    return CAUSE not in answer.text and "RuntimeError" not in answer.text


def names_cause(answer: httpx.Response) -> bool:
    """503 as operations get it."""
    assert is_unavailable(answer)
    return CAUSE in answer.json()["detail"]


async def test_commands_and_reads_while_workflows_are_broken(tmp_path: Path) -> None:
    async with (
        surroundings(
            tmp_path, server=OFFERS_LOST_TASKS_SOON, CMI_POLICY=policy(tmp_path)
        ) as around,
        site(around) as cmi,
    ):
        async with around.worker():
            sp_id, unrecorded = await cmi.new(), await cmi.new()
            one = await firm(cmi)
            settled = await one.issued(await one.completed("129.00"))
            number = settled["settlement_id"]
        await forget(around, unrecorded)
        async with bounded_worker(
            around.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[Broken, BrokenSettlement],
        ):
            key = {"Idempotency_Key": "a-1"}
            # Each of these waits for an answer as long as it may.
            plain, named = await asyncio.gather(
                cmi.post(cmi.partner, sp_id, "accept", **key),
                cmi.post(cmi.operations, sp_id, "accept"),
            )
            assert is_plain(plain)
            assert names_cause(named)
            # What the records hold can be read.
            seen = await cmi.partner.get(f"{API}/orders/{sp_id}")
            assert (seen.status_code, seen.json()["status"]) == (200, "new")
            # Who does not wait leaves a command with the server, which keeps it.
            told = await cmi.post(cmi.warehouse, sp_id, "goods-shipped", {"tracking": "99.00.1"})
            assert told.status_code == 202
            later = await cmi.post(
                cmi.partner, sp_id, "contacts", {"outcome": "reached"}, Prefer="respond-async"
            )
            assert later.status_code == 202

            # What only its workflow knows cannot be looked at. Each of these waits as well.
            hidden, hidden_from_shop, voided, draft = await asyncio.gather(
                cmi.operations.get(f"{API}/orders/{unrecorded}"),
                cmi.shop.get(f"{API}/orders/{unrecorded}"),
                cmi.operations.post(
                    f"{API}/settlements/{number}/void", json={"reason": "wrong fee"}
                ),
                one.http.get(f"{API}/settlements/{number}/draft-invoice.pdf"),
            )
            assert names_cause(hidden)
            assert is_plain(hidden_from_shop)
            assert names_cause(voided)
            assert is_plain(draft)

            # The same once the server itself refuses for the workflow, after some attempts at its task.
            async def is_refused_at_once() -> bool:
                described = await around.client.get_workflow_handle(sp_id).describe()
                return described.raw_description.pending_workflow_task.attempt >= 3

            await eventually(is_refused_at_once)
            assert is_plain(await cmi.post(cmi.partner, sp_id, "accept", **key))
            assert names_cause(await cmi.post(cmi.operations, sp_id, "accept"))

        async with around.worker():

            async def accepted() -> dict[str, Any] | None:
                again = await cmi.post(cmi.partner, sp_id, "accept", **key)
                if again.status_code == 409:
                    # What operations sent last was still waiting for a worker, and came first.
                    return (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
                return again.json() if again.status_code == 200 else None

            assert (await eventually(accepted))["status"] == "check_requirements"
            told_of = await events(around, sp_id)
            assert told_of.count("accepted") == 1
            assert told_of.count("notice_kept") == 1, (
                "the goods are on their way before it was accepted"
            )
            assert told_of.count("command_refused") == 1, "nobody calls before accepting"
            assert (await cmi.operations.get(f"{API}/orders/{unrecorded}")).status_code == 200


class OneIsBroken:
    """A desk at which one order's workflow is broken, and the others are stored."""

    async def command(self, _: Principal, sp_id: str, *more: object) -> Stored:
        """Take a command."""
        if sp_id == "SP-1":
            raise BrokenWorkflow(sp_id, CAUSE)
        return Stored(sp_id=sp_id)


async def test_one_broken_order_does_not_stop_the_others_of_a_list() -> None:
    desk = WorklistUseCases(cast(Worklists, None), cast(OrderUseCases, OneIsBroken()))
    huber = Principal(login_id="1", name="Huber", role="partner", partner_id="elektro-huber")
    tasks = {f"SP-{n}": Task(command=Accept(), request_id=f"r{n}") for n in (1, 2, 3)}
    done = await desk.do_all(huber, tasks)
    assert [type(each) for each in done.values()] == [BrokenWorkflow, Stored, Stored]
