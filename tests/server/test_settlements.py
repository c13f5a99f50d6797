"""Settlements under fire: workers killed at each step, rivals, absences. Every order in one settlement, once."""

import asyncio
import hashlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader

from contracts import names
from contracts.activities import Snapshot
from contracts.messages import Billed, Billing, Checked, Upload
from domain.actors import SYSTEM
from domain.months import Month
from domain.orders import lifecycle
from domain.orders.commands import Bill
from domain.orders.order import Status
from domain.orders.request import Request
from domain.policy import Span
from domain.settlements.commands import Close, SettlementRequest, VoidSettlement
from domain.settlements.ids import settlement_id
from domain.settlements.lines import CorrectionLine
from domain.settlements.settlement import SettlementStatus
from records.corrections import Corrections
from records.papers import Paper, invoice_id, statement_id
from temporal import orders, settlements
from tests.invoices.papers import invoice as invoice_lines
from tests.invoices.papers import paper as paper_of
from tests.server.settlements import (
    HUBER,
    NOVEMBER,
    OCTOBER,
    SettlementOffice,
    of_huber,
    settlement_office,
)
from tests.server.surroundings import eventually
from tests.support.builders import OPERATIONS, partner_actor
from tests.support.databases import kept_from_writers
from tests.support.limits import ANSWER_LIMIT
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON
from workflows import order_batches

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
COUNT = 9  # more than are asked at once
CLOSING = (
    "after-claim",  # eight orders are billed, one is not
    "after-of_each",  # all are, and nobody was told
    "after-made",  # rendered, and not kept
    "after-keep",  # kept, and nobody was told
    "before-recipient",  # of the mail
    "before-mark",  # the mail server has it, and nobody noted that
)


async def test_the_worker_is_killed_at_each_step(tmp_path: Path) -> None:
    async with settlement_office(tmp_path, server=OFFERS_LOST_TASKS_SOON) as office:
        sp_ids = await office.complete(f"SP-{n:03}" for n in range(COUNT))
        undo = CorrectionLine(sp_id="SP-1", reason="Anfahrt doppelt verrechnet", amount="-20.00")
        await Corrections(office.around.database).add("c-1", HUBER, undo, "operations", NOW)
        office.hold(*CLOSING)
        await office.around.start_worker_process()
        number = await office.open(*sp_ids)
        for gate in CLOSING:
            await office.kill_at(gate)
        stored = await office.reaches(number, SettlementStatus.ISSUED)
        assert stored.settlement.left_out == ()
        assert [line.sp_id for line in stored.account.lines] == sp_ids
        assert stored.settlement.corrections == (undo,)
        assert set((await office.billed_by(sp_ids)).values()) == {number}

        # One statement, and it is the one that the settlement names.
        statement = stored.settlement.statement
        assert statement is not None
        paper = await office.papers.get(statement_id(number))
        assert paper is not None
        assert paper.sha256 == statement.sha256
        assert statement.total == stored.account.total
        # One mail; the server may have it twice, with one id, since a worker died before it could note it.
        inbox = office.around.inbox
        await eventually(lambda: len(inbox.ids(number)) == 2)
        assert len(set(inbox.ids(number))) == 1
        (attached,) = inbox.mails(number)[-1].iter_attachments()
        assert attached.get_content() == paper.content

        await check_the_invoice(office, number)
        await office.check_timeline(number)
        last = await office.settlements.get(number)
        assert last is not None
        happened = Counter(e.event.type for e in last.events)
        assert happened["statement_issued"] == happened["orders_claimed"] == 1
        assert happened["invoice_accepted"] == 1


async def check_the_invoice(office: SettlementOffice, number: str) -> None:
    """Upload the partner's invoice, while workers die."""
    client = office.around.client
    issued = await office.settlements.get(number)
    assert issued is not None
    account = issued.account
    content = paper_of(
        invoice_lines(number, [line.sp_id for line in account.lines], f"{account.total}")
    )
    invoice = Paper.of(
        content,
        paper_id=invoice_id(number, hashlib.sha256(content).hexdigest()),
        settlement_id=number,
        kind="invoice",
        name="rechnung.pdf",
        created_at=NOW,
    )
    await office.papers.keep(invoice)
    office.hold("after-check_invoice")
    upload = Upload(paper_id=invoice.paper_id, actor=partner_actor())

    async def ask() -> Checked:
        return await settlements.check_invoice(client, of_huber(), upload, ANSWER_LIMIT)

    asked = asyncio.create_task(ask())
    await office.kill_at("after-check_invoice")
    assert (await asked).verdict.accepted
    await office.reaches(number, SettlementStatus.INVOICED)
    inbox = office.around.inbox
    accounting = office.around.settings.mail_accounting
    await eventually(lambda: [m for m in inbox.mails(number) if m["To"] == accounting])
    (mail,) = [m for m in inbox.mails(number) if m["To"] == accounting]
    (attached,) = mail.iter_attachments()
    assert attached.get_content() == invoice.content
    await eventually(
        lambda: len(set(inbox.ids(number))) == 3
    )  # the statement, and one to each about this


async def test_the_records_know_of_a_claim_that_has_not_happened(tmp_path: Path) -> None:
    """A worker wrote them and died before Temporal had it; the settlement's next attempt asks the order itself."""
    async with settlement_office(tmp_path) as office:
        early, other = await office.complete(("SP-EARLY", "SP-OTHER"))
        number = settlement_id(HUBER, OCTOBER)
        held = (await office.around.orders.get(early)).order  # type: ignore[union-attr]
        billed, events = lifecycle.handle(held, Bill(settlement_id=number), SYSTEM, NOW)
        await office.around.orders.save(Snapshot(order=billed, events=events))
        async with office.worker():
            assert await office.open(early, other) == number
            stored = await office.reaches(number, SettlementStatus.ISSUED)
            assert [line.sp_id for line in stored.account.lines] == [early, other]
            assert await office.billed_by((early, other)) == {early: number, other: number}


async def test_taken_back_while_workers_die_and_settled_in_the_next_month(tmp_path: Path) -> None:
    async with (
        settlement_office(tmp_path, server=OFFERS_LOST_TASKS_SOON) as office,
        office.documents(),
    ):
        sp_ids = await office.complete(f"SP-{n:03}" for n in range(COUNT))
        plus = CorrectionLine(sp_id="SP-1", reason="Zuschlag", amount="35.00")
        corrections = Corrections(office.around.database)
        await corrections.add("c-1", HUBER, plus, "operations", NOW)
        await office.around.start_worker_process()
        number = await office.open(*sp_ids)
        await office.reaches(number, SettlementStatus.ISSUED)
        gates = ("after-release", "after-of_each")
        office.hold(*gates)
        await settlements.send_settlement_command(
            office.around.client,
            of_huber(),
            SettlementRequest(
                command=VoidSettlement(reason="Falsche Ansätze"), actor=OPERATIONS, request_id="v-1"
            ),
            ANSWER_LIMIT,
        )
        for gate in gates:
            await office.kill_at(gate)

        async def is_over() -> bool:
            stored = await office.settlements.get(number)
            return stored is not None and stored.settlement.is_over

        await eventually(is_over)
        for sp_id in sp_ids:
            assert (await office.order(sp_id)).status is Status.COMPLETED
        assert len(await corrections.pending(HUBER)) == 1
        assert len(await office.settlements.billable.lines(HUBER)) == COUNT

        following = await office.open(*sp_ids, month=NOVEMBER)
        stored = await office.reaches(following, SettlementStatus.ISSUED)
        assert len(stored.account.lines) == COUNT
        assert stored.account.corrections == (plus,)
        assert set((await office.billed_by(sp_ids)).values()) == {following}
        # What was taken back keeps its lines and its statement.
        before = await office.settlements.get(number)
        assert before is not None
        assert len(before.account.lines) == COUNT
        assert await office.papers.get(statement_id(number)) is not None


async def test_two_settlements_that_fight_for_the_same_orders(tmp_path: Path) -> None:
    async with settlement_office(tmp_path) as office:
        sp_ids = await office.complete(f"SP-{n:03}" for n in range(COUNT))
        async with office.worker():
            client = office.around.client
            # One was billed meanwhile, the workflow of another one was ended by force.
            billed, dead = sp_ids[:2]
            bill = Request(command=Bill(settlement_id="V-1"), actor=SYSTEM, request_id="bill-V-1")
            await orders.send_command(client, billed, bill, ANSWER_LIMIT)
            await client.get_workflow_handle(dead).terminate("test")
            numbers = await asyncio.gather(
                office.open(*sp_ids, month=OCTOBER), office.open(*reversed(sp_ids), month=NOVEMBER)
            )
            settled, reasons = [], {}
            for number in numbers:
                stored = await office.ends_closing(number)
                settled += [line.sp_id for line in stored.account.lines]
                reasons |= {
                    (number, each.sp_id): each.reason for each in stored.settlement.left_out
                }
            assert sorted(settled) == sp_ids[2:]
            for number in numbers:
                assert reasons.pop((number, billed)) == "billed"
                assert reasons.pop((number, dead)) == "unavailable"
            assert set(reasons.values()) == {"billed"}
            assert len(reasons) == len(settled)  # each is left out by the other one
            told = await office.billed_by(sp_ids[2:])
            for number in numbers:
                stored = await office.settlements.get(number)
                assert stored is not None
                mine = {line.sp_id for line in stored.account.lines}
                assert mine == {sp_id for sp_id, by in told.items() if by == number}


async def test_an_order_terminated_before_its_first_task_is_left_out(tmp_path: Path) -> None:
    """The server refuses to query its workflow for ever: FAILED_PRECONDITION."""
    async with settlement_office(tmp_path) as office:
        dead, alive = await office.complete(("SP-DEAD", "SP-ALIVE"))
        await office.around.client.get_workflow_handle(dead).terminate("test")
        async with office.worker():
            stored = await office.reaches(await office.open(dead, alive), SettlementStatus.ISSUED)
            assert [line.sp_id for line in stored.account.lines] == [alive]
            assert [(each.sp_id, each.reason) for each in stored.settlement.left_out] == [
                (dead, "unavailable")
            ]


async def test_the_database_and_the_mail_server_are_away(tmp_path: Path) -> None:
    async with settlement_office(tmp_path) as office, office.documents():
        sp_ids = await office.complete(f"SP-{n:03}" for n in range(COUNT))
        await office.around.start_worker_process()
        await office.around.inbox.stop()
        async with kept_from_writers(office.around.database):  # they give up after a while
            number = await office.open(*sp_ids)
            log = office.around.worker_process
            await eventually(lambda: "OperationalError" in log.text or "TimeoutError" in log.text)
            held = await settlements.settlement_snapshot(office.around.client, of_huber())
            assert held.settlement.status is SettlementStatus.CLOSING
            assert held.settlement.statement is None
        stored = await office.reaches(number, SettlementStatus.ISSUED)
        assert len(stored.account.lines) == COUNT
        assert office.around.inbox.ids(number) == []
        await office.around.inbox.start()
        await eventually(lambda: office.around.inbox.ids(number))
        assert len(office.around.inbox.ids(number)) == 1


async def test_more_orders_than_a_batch_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_batches, "BATCH", 4)
    async with settlement_office(tmp_path) as office:
        sp_ids = await office.complete(f"SP-{n:03}" for n in range(COUNT))
        async with office.worker():
            number = await office.open(*sp_ids)
            stored = await office.reaches(number, SettlementStatus.ISSUED)
            assert [line.sp_id for line in stored.account.lines] == sp_ids
            statement = await office.papers.get(statement_id(number))
            assert statement is not None
            (tmp_path / "statement.pdf").write_bytes(statement.content)
            text = "".join(
                page.extract_text() for page in PdfReader(tmp_path / "statement.pdf").pages
            )
            assert all(sp_id in text for sp_id in sp_ids)


async def test_the_month_s_end_opens_what_is_unbilled_once(tmp_path: Path) -> None:
    async with settlement_office(tmp_path) as office, office.worker():
        mine = await office.complete(["SP-1", "SP-2"])
        await office.complete(["SP-3"], "luzern-montage")

        async def run() -> Billed:
            billed: Billed = await office.around.client.execute_workflow(
                names.MONTHLY_BILLING,
                Billing(month=OCTOBER),
                id=names.MONTHLY_BILLING_ID,
                task_queue=names.ORDERS_QUEUE,
                result_type=Billed,
            )
            return billed

        assert (await run()).opened == 2
        assert (await run()).opened == 0
        number = settlement_id(HUBER, OCTOBER)
        stored = await office.reaches(number, SettlementStatus.OPEN)
        assert list(stored.settlement.picked) == mine
        assert stored.settlement.opening.automatic
        assert stored.settlement.selectable_until is not None
        other = await office.reaches(
            settlement_id("luzern-montage", OCTOBER), SettlementStatus.OPEN
        )
        assert other.account.vat_rates == ()  # it has no VAT number
        await settlements.send_settlement_command(
            office.around.client,
            of_huber(),
            SettlementRequest(command=Close(), actor=partner_actor(), request_id="close"),
            ANSWER_LIMIT,
        )
        await office.reaches(number, SettlementStatus.ISSUED)
        assert set((await office.billed_by(mine)).values()) == {number}
        assert (await office.order("SP-3")).status is Status.COMPLETED


async def test_the_month_s_end_goes_by_the_configured_policy(tmp_path: Path) -> None:
    policy = tmp_path / "far-away.toml"
    policy.write_text(
        '[office]\ntimezone = "Pacific/Auckland"\n[settlement]\nselect_within = "2 hours"\n'
    )
    async with (
        settlement_office(tmp_path, CMI_POLICY=str(policy)) as office,
        office.worker(),
    ):
        await office.complete(["SP-1"])

        async def run(start: Billing) -> Billed:
            billed: Billed = await office.around.client.execute_workflow(
                names.MONTHLY_BILLING,
                start,
                id=names.MONTHLY_BILLING_ID,
                task_queue=names.ORDERS_QUEUE,
                result_type=Billed,
            )
            return billed

        now = datetime.now(ZoneInfo("Pacific/Auckland"))
        assert (await run(Billing())).month == Month.of(now.date()).previous
        await run(Billing(month=OCTOBER))
        stored = await office.settlements.get(settlement_id(HUBER, OCTOBER))
        assert stored is not None
        opening = stored.settlement.opening
        assert opening.calendar.timezone == "Pacific/Auckland"
        assert opening.policy.settlement.select_within == Span.parse("2 hours")
