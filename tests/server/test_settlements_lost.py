"""Settlements whose workflow is gone: the reconciler finds and reports them once, and they go on where they were."""

from collections import Counter
from pathlib import Path

from sqlalchemy import delete, select

from contracts import names
from contracts.activities import SettlementSnapshot
from contracts.messages import PassCounts
from domain.actors import Actor
from domain.settlements.commands import (
    ApproveInvoice,
    ExternalCommand,
    NoteInvoice,
    NotePaid,
    SettlementRequest,
    VoidSettlement,
)
from domain.settlements.lines import CorrectionLine
from domain.settlements.settlement import SettlementStatus
from records import tables
from records.corrections import Corrections
from records.papers import statement_id
from records.settlements import StoredSettlement
from temporal import settlements
from tests.server.endings import ACCOUNTING
from tests.server.settlements import HUBER, OCTOBER, SettlementOffice, of_huber, settlement_office
from tests.server.surroundings import eventually
from tests.server.test_reconciler import digests, one_pass, standing, starter
from tests.server.test_settlements import COUNT, NOW
from tests.support.builders import OPERATIONS
from tests.support.limits import ANSWER_LIMIT

WORKFLOW = names.settlement_workflow_id(HUBER, OCTOBER)


async def terminate(office: SettlementOffice) -> None:
    """What somebody does in the Temporal UI."""
    await office.around.client.get_workflow_handle(WORKFLOW).terminate("wrong button")


async def revive(office: SettlementOffice, number: str) -> tuple[int, str, str]:
    """The command: its exit code, and what it printed."""
    done = await starter(office.around, "revive", number)
    return done.returncode, done.stdout, done.stderr


async def command(
    office: SettlementOffice, what: ExternalCommand, actor: Actor = OPERATIONS
) -> None:
    """Something that operations or accounting do to Huber's settlement."""
    request = SettlementRequest(command=what, actor=actor, request_id=what.type)
    client = office.around.client
    await settlements.send_settlement_command(client, of_huber(), request, ANSWER_LIMIT)


async def forget(office: SettlementOffice, number: str) -> None:
    """Delete a settlement from the records, locked first as by all that write it."""
    mine = tables.settlements.c.settlement_id == number
    locked = select(tables.settlements.c.settlement_id).where(mine).with_for_update()
    async with office.around.database.writing() as connection:
        await connection.execute(locked)
        for table in (
            tables.settlement_lines,
            tables.settlement_timeline,
            tables.settlement_documents,
            tables.settlements,
        ):
            await connection.execute(delete(table).where(table.c.settlement_id == number))


async def stored(office: SettlementOffice, number: str) -> StoredSettlement:
    """As the records have it."""
    found = await office.settlements.get(number)
    assert found is not None
    return found


async def test_terminated_while_it_closes_and_when_it_is_issued(tmp_path: Path) -> None:
    async with settlement_office(tmp_path) as office, office.documents():
        around = office.around
        sp_ids = await office.complete(f"SP-{n:03}" for n in range(COUNT))
        undo = CorrectionLine(sp_id="SP-1", reason="Anfahrt doppelt verrechnet", amount="-20.00")
        await Corrections(around.database).add("c-1", HUBER, undo, "operations", NOW)
        office.hold("after-claim")  # some orders are billed, the others not
        await around.start_worker_process()
        number = await office.open(*sp_ids)
        await eventually((office.gates / "after-claim.reached").exists)
        await terminate(office)
        (office.gates / "after-claim").unlink()

        assert (await one_pass(around)).found == 1
        assert await standing(around) == [(number, "terminated")]
        (mail,) = digests(around)
        assert f"{number}: Ablauf von Hand beendet (terminated)" in mail
        assert "SP-0" not in mail
        assert (await one_pass(around)).found == 1
        assert len(digests(around)) == 1, "not again for the same"
        assert (await stored(office, number)).settlement.status is SettlementStatus.CLOSING

        version = (await stored(office, number)).settlement.version
        assert await revive(office, number) == (
            0,
            f"{number} closing goes on from version {version}\n",
            "",
        )
        await office.reaches(number, SettlementStatus.ISSUED)
        await eventually(lambda: around.inbox.ids(number))
        code, _, why = await revive(office, number)
        assert (code, why) == (
            2,
            f"{number}: its workflow is running; to start it anew, terminate it first in the Temporal UI\n",
        )

        # Once more, while the invoice is awaited.
        await terminate(office)
        assert (await one_pass(around)).found == 1
        assert len(digests(around)) == 2
        assert (await revive(office, number))[0] == 0
        assert (await one_pass(around)).found == 0
        assert await standing(around) == [], "the finding ends by itself"

        await command(office, NoteInvoice(note="per Post"))
        await command(office, ApproveInvoice(), ACCOUNTING)
        await command(office, NotePaid(paid_on=office.today), ACCOUNTING)
        last = await office.reaches(number, SettlementStatus.PAID)
        await around.client.get_workflow_handle(WORKFLOW).result()
        assert set((await office.billed_by(sp_ids)).values()) == {number}
        assert [line.sp_id for line in last.account.lines] == sp_ids
        assert last.settlement.left_out == ()
        assert last.settlement.corrections == (undo,)
        happened = Counter(e.event.type for e in last.events)
        assert set(happened.values()) == {1}
        await office.check_timeline(number)
        paper = await office.papers.get(statement_id(number))
        assert paper is not None
        assert last.settlement.statement is not None
        assert paper.sha256 == last.settlement.statement.sha256
        assert len(around.inbox.ids(number)) == 1
        code, _, why = await revive(office, number)
        assert (code, why) == (2, f"{number} is paid: nothing can follow\n")


async def test_a_settlement_that_was_taken_back_sets_its_orders_free_after_all(
    tmp_path: Path,
) -> None:
    async with settlement_office(tmp_path) as office, office.documents():
        sp_ids = await office.complete(f"SP-{n:03}" for n in range(COUNT))
        await office.around.start_worker_process()
        number = await office.open(*sp_ids)
        await office.reaches(number, SettlementStatus.ISSUED)
        office.hold("after-release")
        await command(office, VoidSettlement(reason="Falsche Ansätze"))
        await eventually((office.gates / "after-release.reached").exists)
        await terminate(office)
        (office.gates / "after-release").unlink()
        assert (await one_pass(office.around)).found == 1
        assert await standing(office.around) == [(number, "terminated")]
        assert (await revive(office, number))[0] == 0

        async def is_over() -> bool:
            return (await stored(office, number)).settlement.is_over

        await eventually(is_over)
        await office.around.client.get_workflow_handle(WORKFLOW).result()
        assert set((await office.billed_by(sp_ids)).values()) == {None}
        assert (await one_pass(office.around)).found == 0
        # The statement, and that it was taken back: one mail each.
        assert (
            len(office.around.inbox.ids(number)) == len(set(office.around.inbox.ids(number))) == 2
        )
        assert "is void: nothing can follow" in (await revive(office, number))[2]


async def test_records_that_are_behind_are_repaired(tmp_path: Path) -> None:
    async with settlement_office(tmp_path) as office:
        around = office.around
        sp_ids = await office.complete(["SP-1", "SP-2"])
        async with around.worker():
            number = await office.open(*sp_ids, automatic=True)

            async def is_announced() -> StoredSettlement | None:
                found = await office.settlements.get(number)
                return found if found is not None and found.settlement.told else None

            before: StoredSettlement = await eventually(is_announced)
            assert (await one_pass(around)).repaired == 0

            await forget(office, number)

            async def is_listed() -> bool:
                found = await around.client.count_workflows(f'WorkflowId = "{WORKFLOW}"')
                return found.count > 0

            await eventually(is_listed)
            assert await one_pass(around) == PassCounts(compared=2, repaired=1)
            assert await stored(office, number) == before

            await command(office, VoidSettlement(reason="Falsch"))
            after = await office.reaches(number, SettlementStatus.VOID)
            await around.client.get_workflow_handle(WORKFLOW).result()
            # As if the database had been brought back from a copy.
            await forget(office, number)
            copy = SettlementSnapshot(settlement=before.settlement, events=before.events)
            await office.settlements.save(copy)
            assert await one_pass(around) == PassCounts(compared=3, repaired=1)
            assert await stored(office, number) == after
            assert await one_pass(around) == PassCounts(compared=3), (
                "once more, now that it is over"
            )
            assert await one_pass(around) == PassCounts(compared=2)
            assert await standing(around) == []
            assert digests(around) == []
        code, _, why = await revive(office, "V202610-ZZZZZZZZ")
        assert (code, why) == (2, "V202610-ZZZZZZZZ: the records know no such settlement\n")
