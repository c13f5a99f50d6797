"""Bringing running orders and settlements to newer rules: the command, what it cannot do, and over several runs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts import names
from development.embedded import ROOT
from domain import rules
from domain.orders.commands import Accept, AdoptRules, Cancel, LogContact
from domain.orders.order import Status
from domain.policy import Policy
from domain.policy_file import load_policy
from domain.settlements.settlement import SettlementStatus
from records.reconciliation import Reconciliation
from tests.server.settlements import SettlementOffice, settlement_office
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.server.test_reconciler import Broken, starter
from tests.support import newer_rules
from tests.support.builders import TRANSMITTED
from tests.support.newer_rules import NEWER
from tests.support.processes import run_python
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON, dev_server
from tests.support.workers import bounded_worker
from tests.workflows.life import OPERATIONS, SHOP, Lives
from tests.workflows.outside import Outside
from tests.workflows.replaying import replayer
from use_cases.adoption import Adopted, Adoption, NotAdoptable
from workflows.service_order import ServiceOrder

SMALL_HISTORIES = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=50")
IN_SECONDS = load_policy(
    '[transmission]\nhold = "1 second"\n[escalation]\noffice_hours_only = false'
)


def adoption(office: SettlementOffice) -> Adoption:
    """As `starter.py adopt-rules` makes it."""
    around = office.around
    return Adoption(
        around.client,
        around.orders,
        office.settlements,
        Reconciliation(around.database),
        around.policies,
        around.partners,
    )


async def adopted(office: SettlementOffice, *wanted: str, version: int = NEWER) -> list[Adopted]:
    """What came of it."""
    return [each async for each in adoption(office).adopt(version, wanted)]


async def open_office(office: SettlementOffice) -> tuple[str, str]:
    """An order that waits to be accepted, one that is executed, and its settlement; their names."""
    await office.around.begin("SP-1", *TRANSMITTED)
    (done,) = await office.complete(["SP-2"])
    number = await office.open(done, automatic=True)
    await office.reaches(number, SettlementStatus.OPEN)
    return done, number


async def test_all_open_orders_and_settlements_adopt_and_twice_is_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with settlement_office(tmp_path) as office, office.around.worker():
        done, number = await open_office(office)
        closed = await office.around.place("SP-3")
        await closed.do(Cancel(reason="doch nicht"), SHOP)
        await office.around.reaches(closed, Status.CANCELLED)
        newer_rules.make(monkeypatch)
        everything = [Adopted(name, "adopted") for name in ("SP-1", done, number)]
        assert await adopted(office) == everything
        assert await adopted(office) == everything

        async def recorded() -> bool:
            order = await office.around.orders.get("SP-1")
            settlement = await office.settlements.get(number)
            assert order is not None
            assert settlement is not None
            return order.order.rules == settlement.settlement.rules == NEWER

        await eventually(recorded)
        for events in (
            (await office.around.orders.get("SP-1")).events,
            (await office.settlements.get(number)).events,
        ):
            assert [e.event.type for e in events].count("rules_adopted") == 1
            assert events[-1].by == "operations"
        placed = await office.around.place("SP-4")
        assert (await placed.order()).rules == NEWER, "a new order is placed under them"
        with pytest.raises(NotAdoptable, match="SP-1 is under newer rules already"):
            await adopted(office, "SP-1", version=NEWER - 1)
        older = await adopted(office, version=NEWER - 1)
        assert {result for _, result in older} == {"newer"}


async def test_the_keys_of_newer_rules_come_from_the_policy_of_the_partner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with settlement_office(tmp_path) as office, office.around.worker():
        around, current = office.around, rules.CURRENT
        with monkeypatch.context() as before:
            before.setattr(rules, "CURRENT", 1)
            life = await around.place("SP-1")
            await around.reaches(life, Status.NEW)
        assert (await life.order()).rules == 1
        own = load_policy(
            '[deadlines]\naccept = "9 working days"\n[calendar]\nsaturday_is_working_day = true'
        )
        partner_id = life.partner.partner_id
        await around.partners.change(partner_id, {"policy": "own"}, datetime.now(UTC))
        assert await adopted(office, "SP-1", version=current) == [Adopted("SP-1", "no_policy")]
        assert (await life.order()).rules == 1
        around.policies = around.policies._replace(named={"own": own})
        assert await adopted(office, "SP-1", version=current) == [Adopted("SP-1", "adopted")]
        order = await life.order()
        assert order.rules == current
        assert order.policy.calendar.saturday_is_working_day
        assert order.policy.deadlines.accept == around.policy.deadlines.accept


async def test_a_worker_that_does_not_know_the_rules_yet_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with settlement_office(tmp_path) as office:
        await office.around.start_worker_process()  # of the release before
        _, number = await open_office(office)
        newer_rules.make(monkeypatch)
        assert await adopted(office, "SP-1", number) == [
            Adopted("SP-1", "old_worker"),
            Adopted(number, "old_worker"),
        ]


async def test_one_that_is_broken_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        settlement_office(tmp_path, server=OFFERS_LOST_TASKS_SOON) as office,
        office.around.worker(),
    ):
        around = office.around
        await around.place("SP-2")
        async with bounded_worker(
            around.client,
            task_queue="elsewhere",
            workflows=[Broken],
        ):
            # Its place in the records, and another workflow in its place in Temporal.
            life = await around.place("SP-1")
            await life.handle.terminate()
            broken = await around.client.start_workflow(
                names.SERVICE_ORDER, {}, id="SP-1", task_queue="elsewhere"
            )

            async def fails() -> bool:
                about = await broken.describe()
                return about.raw_description.pending_workflow_task.attempt >= 3

            await eventually(fails)
            newer_rules.make(monkeypatch)
            assert await adopted(office) == [Adopted("SP-1", "broken"), Adopted("SP-2", "adopted")]


# Waits a second for an answer, instead of ten.
HASTY = """
import sys
from datetime import timedelta
from functools import partial
import starter
starter.Adoption = partial(starter.Adoption, patience=timedelta(seconds=1))
sys.exit(starter.main())
"""


async def command(
    around: Surroundings, *arguments: str, hasty: bool = False
) -> tuple[int, str, str]:
    """`starter.py adopt-rules`: its exit code, and what it printed."""
    if hasty:
        env = {**around.env, "PYTHONPATH": str(ROOT)}
        done = await run_python(["-c", HASTY, "adopt-rules", *arguments], env)
    else:
        done = await starter(around, "adopt-rules", *arguments)
    return done.returncode, done.stdout, done.stderr


async def test_the_command(tmp_path: Path) -> None:
    current = rules.CURRENT
    async with settlement_office(tmp_path) as office:
        around = office.around
        async with around.worker():
            _, number = await open_office(office)
            assert await command(around) == (
                0,
                f"version {current}: 3 adopted or had it, 0 under newer rules, "
                "0 closed meanwhile, 0 failed\n",
                "",
            )
            assert await command(around, number, "SP-1", "--version", str(current)) == (
                0,
                f"{number} is under version {current}\nSP-1 is under version {current}\n",
                "",
            )
            for arguments, complaint in (
                (("SP-9",), "SP-9: the records know no such order\n"),
                (("SP-1", "SP-9"), "SP-9: the records know no such order\n"),
                (
                    ("--version", str(current + 1)),
                    f"version {current + 1}: there is no such version of the rules, "
                    f"the newest is {current}\n",
                ),
            ):
                assert await command(around, *arguments) == (2, "", complaint)
        await around.place("SP-5")
        code, said, why = await command(around, "SP-5", hasty=True)
        assert (code, said) == (1, "SP-5 does not answer\n")
        assert why == "1 did not adopt the rules; the same command asks again\n"
        await around.client.get_workflow_handle("SP-5").terminate("wrong button")
        code, said, _ = await command(around, "SP-5")
        assert (code, said) == (1, "SP-5 has no running workflow: python starter.py revive\n")


async def test_without_temporal_it_is_away(tmp_path: Path) -> None:
    async with surroundings(tmp_path, up=False) as around:
        code, said, why = await command(around)
        assert (code, said) == (1, "")
        assert "Temporal is away" in why


async def test_adopted_rules_hold_in_the_next_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    newer_rules.make(monkeypatch)
    outside = Outside()
    async with (
        dev_server(*SMALL_HISTORIES) as env,
        bounded_worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[ServiceOrder],
            activities=outside.activities,
        ),
    ):
        life = await Lives(env, outside).start(policy=IN_SECONDS)

        async def is_new() -> bool:
            return (await life.order()).status is Status.NEW

        await eventually(is_new)
        await life.do(Accept())
        adopt = AdoptRules(version=NEWER, policy=Policy())
        await life.do(adopt, OPERATIONS, request_id="adopt")
        first = (await life.handle.describe()).run_id
        while (await life.handle.describe()).run_id == first:
            await life.do(LogContact(outcome="not_reached"))
        version = (await life.order()).version
        await life.do(adopt, OPERATIONS, request_id="adopt")
        await life.do(adopt, OPERATIONS)
        order = await life.order()
        assert (order.rules, order.version) == (NEWER, version)
        await life.do(Cancel(reason="doch nicht"), SHOP)
        await life.handle.result()
        for run_id in (first, (await life.handle.describe()).run_id):
            run = env.client.get_workflow_handle(life.sp_id, run_id=run_id)
            await replayer().replay_workflow(await run.fetch_history())
