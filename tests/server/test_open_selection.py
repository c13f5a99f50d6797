"""An order that is taken back leaves an open selection at once, and comes back only if it is selected again."""

from datetime import date
from pathlib import Path

from domain.actors import Actor
from domain.orders.commands import Command, ConfirmExecution, Reopen
from domain.orders.order import Status
from domain.orders.request import Request
from domain.settlements.commands import Close, Select, SettlementRequest
from domain.settlements.settlement import SettlementStatus
from temporal import orders, settlements
from tests.server.settlements import HUBER, SettlementOffice, of_huber, settlement_office
from tests.server.surroundings import eventually
from tests.support.builders import COMPLETED, OPERATIONS, intake, lived, partner_actor
from tests.support.limits import ANSWER_LIMIT

REOPEN = Reopen(reason="Bestätigt aus Versehen")
AGAIN = ConfirmExecution(executed_on=date(2026, 10, 9))


async def completed(office: SettlementOffice, *sp_ids: str) -> None:
    """Completed orders under version 2 of the rules, with their workflows."""
    for sp_id in sp_ids:
        of = intake(sp_id=sp_id).model_copy(update={"rules": 2})
        order, events = lived(*COMPLETED, of=of)
        await office.around.begin_with(order, events)


async def give(
    office: SettlementOffice, sp_id: str, command: Command, actor: Actor, status: Status
) -> None:
    """Give an order a command; the records have what follows."""
    request = Request(command=command, actor=actor, request_id=f"{sp_id}-{command.type}")
    await orders.send_command(office.around.client, sp_id, request, ANSWER_LIMIT)
    assert (await office.order(sp_id)).status is status


async def tell(office: SettlementOffice, command: Select | Close) -> None:
    request = SettlementRequest(
        command=command, actor=partner_actor(HUBER), request_id=f"s-{command.type}"
    )
    await settlements.send_settlement_command(
        office.around.client, of_huber(), request, ANSWER_LIMIT
    )


async def shown(office: SettlementOffice, number: str) -> tuple[list[str], str]:
    """The orders and the total that pages show; the list shows the same."""
    stored = await office.settlements.get(number)
    assert stored is not None
    account = stored.account
    [row] = (await office.settlements.page(partner_id=HUBER)).items
    assert (row.orders, row.net, row.total) == (len(account.lines), account.net, account.total)
    return [line.sp_id for line in account.lines], str(account.net)


async def test_what_is_taken_back_is_left_out(tmp_path: Path) -> None:
    async with settlement_office(tmp_path) as office, office.worker():
        await completed(office, "SP-1", "SP-2", "SP-3", "SP-4")
        number = await office.open("SP-1", "SP-2", "SP-3", "SP-4", automatic=True)
        await office.reaches(number, SettlementStatus.OPEN)
        assert await shown(office, number) == (["SP-1", "SP-2", "SP-3", "SP-4"], "516.00")

        for sp_id in ("SP-2", "SP-3", "SP-4"):
            await give(office, sp_id, REOPEN, OPERATIONS, Status.CONFIRM_EXECUTION)
        assert await shown(office, number) == (["SP-1"], "129.00")
        picked, left_out = await office.settlements.billable.judge(HUBER, number, ["SP-1", "SP-2"])
        assert picked == ("SP-1",)
        assert [each.reason for each in left_out] == ["not_completed"]

        # Two are completed again: they can be selected, and are not selected.
        for sp_id in ("SP-2", "SP-4"):
            await give(office, sp_id, AGAIN, partner_actor(HUBER), Status.COMPLETED)
        assert await shown(office, number) == (["SP-1"], "129.00")
        selectable = await office.settlements.billable.lines(HUBER)
        assert [line.sp_id for line in selectable] == ["SP-1", "SP-2", "SP-4"]

        await tell(office, Close())
        stored = await office.ends_closing(number)
        assert [line.sp_id for line in stored.account.lines] == ["SP-1"]
        assert {each.sp_id: each.reason for each in stored.settlement.left_out} == {
            "SP-2": "taken_back",
            "SP-3": "not_completed",
            "SP-4": "taken_back",
        }
        assert await office.billed_by(["SP-1", "SP-2", "SP-3", "SP-4"]) == {
            "SP-1": number,
            "SP-2": None,
            "SP-3": None,
            "SP-4": None,
        }


async def test_what_is_selected_again_is_billed(tmp_path: Path) -> None:
    """Also if the selection has the same orders as before, and with the new day of execution."""
    async with settlement_office(tmp_path) as office, office.worker():
        await completed(office, "SP-1", "SP-2")
        number = await office.open("SP-1", "SP-2", automatic=True)
        await office.reaches(number, SettlementStatus.OPEN)
        await give(office, "SP-2", REOPEN, OPERATIONS, Status.CONFIRM_EXECUTION)
        await give(office, "SP-2", AGAIN, partner_actor(HUBER), Status.COMPLETED)
        assert await shown(office, number) == (["SP-1"], "129.00")
        await tell(office, Select(sp_ids=("SP-1", "SP-2"), again=True))

        async def back() -> bool:
            held = await office.settlements.get(number)
            return held is not None and len(held.account.lines) == 2

        await eventually(back)
        assert await shown(office, number) == (["SP-1", "SP-2"], "258.00")
        stored = await office.settlements.get(number)
        assert stored is not None
        assert stored.account.lines[-1].executed_on == date(2026, 10, 9)
        await tell(office, Close())
        stored = await office.ends_closing(number)
        assert stored.settlement.left_out == ()
        assert [line.executed_on.day for line in stored.account.lines] == [7, 9]
        assert set((await office.billed_by(["SP-1", "SP-2"])).values()) == {number}
