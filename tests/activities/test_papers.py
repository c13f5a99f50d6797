"""Statements, drafts and checks of invoices: made once, of what the records hold."""

import dataclasses
import hashlib
from datetime import date
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import papers as module
from activities.papers import PaperActivities
from contracts.activities import (
    InvoiceToCheck,
    InvoiceToMake,
    SettlementOf,
    Snapshot,
    StatementWanted,
)
from documents.confined import ConfinedError
from domain.settlements.invoicing import OwnInvoice
from records.database import Database
from records.invoice_numbers import InvoiceNumbers
from records.orders import Orders
from records.papers import Paper, Papers, statement_csv_id, statement_id
from records.partners import Partners
from records.settlements import Settlements
from settings import Settings
from statements.data import StatementData
from tests.activities.conftest import partner
from tests.support.builders import COMPLETED, MONDAY, lived
from tests.support.needs import needs
from tests.support.rendering import running_documents
from tests.support.settlements import OCTOBER, issued, opening, settled

# Confined processes are tested in tests/statements, tests/invoices and tests/server.
__all__ = ["running_documents"]

OF = SettlementOf(partner_id="elektro-huber", month=OCTOBER)
OPENING = opening("SP-1", "SP-2")
NUMBER = OPENING.settlement_id
ISSUED = settled(OPENING, *issued(OPENING))
CLOSING = settled(OPENING, *issued(OPENING)[:-1])
WANTED = StatementWanted(
    settlement=OF, version=CLOSING.settlement.version, created=date(2026, 11, 2)
)


class Office:
    """The activities under test, over a settlement that is being closed."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.settlements, self.papers = Settlements(database), Papers(database)
        self.partners = Partners(database)
        self.numbers = InvoiceNumbers(database)
        self.activities = PaperActivities(
            Settings(mail_accounting="Kreditoren <accounting@shop.example>", **settings),
            self.settlements,
            self.partners,
            self.papers,
            self.numbers,
        )

    async def run(self, activity: Any, argument: Any, attempt: int = 1) -> Any:
        """One attempt."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info, attempt=attempt, started_time=MONDAY
        )
        return await environment.run(activity, argument)

    async def failure(self, activity: Any, argument: Any, attempt: int = 1) -> ApplicationError:
        """An attempt that must fail; what it raises."""
        with pytest.raises(ApplicationError) as caught:
            await self.run(activity, argument, attempt)
        return caught.value


@pytest.fixture
async def office(database: Database, partners: Partners) -> Office:
    for sp_id in ("SP-1", "SP-2"):
        order, events = lived(*COMPLETED, sp_id=sp_id)
        await Orders(database).save(Snapshot(order=order, events=events))
    made = Office(database, company_name="Handel & Söhne AG")
    await made.settlements.save(CLOSING)
    return made


@needs("pango")
async def test_a_statement_is_made_once(office: Office) -> None:
    first = await office.run(office.activities.make_statement, WANTED)
    assert (str(first.net), str(first.vat), str(first.total)) == ("258.00", "20.90", "278.90")
    paper = await office.papers.get(statement_id(NUMBER))
    assert paper is not None
    assert paper.content.startswith(b"%PDF-")
    assert hashlib.sha256(paper.content).hexdigest() == paper.sha256 == first.sha256
    shown = StatementData.model_validate_json(paper.inputs)
    assert shown.checksum == paper.input_checksum == first.input_checksum
    assert shown.accounting.company == "Handel & Söhne AG"
    assert shown.accounting.email == "accounting@shop.example"
    csv = await office.papers.get(statement_csv_id(NUMBER))
    assert csv is not None
    assert b"SP-2" in csv.content
    # What it was made of may change, the statement does not.
    await office.partners.put(partner("elektro-huber", name="Ganz anders AG"), MONDAY)
    assert await office.run(office.activities.make_statement, WANTED) == first


async def test_a_statement_waits_for_the_records(office: Office) -> None:
    early = WANTED.model_copy(update={"version": CLOSING.settlement.version + 1})
    failure = await office.failure(office.activities.make_statement, early)
    assert (failure.type, failure.non_retryable) == ("NotRecorded", False)


@needs("pango")
async def test_a_draft_is_an_invoice_that_the_check_accepts(office: Office) -> None:
    assert (await office.failure(office.activities.make_draft, OF)).type == "NotRecorded"
    await office.settlements.save(ISSUED)
    paper_id = await office.run(office.activities.make_draft, OF)
    assert await office.run(office.activities.make_draft, OF) == paper_id
    draft = await office.papers.get(paper_id)
    assert draft is not None
    for content, accepted in ((draft.content, True), (b"%PDF-1.7 nonsense", False)):
        upload = Paper.of(
            content,
            paper_id=f"invoice-{accepted}",
            settlement_id=NUMBER,
            kind="invoice",
            name="x.pdf",
            created_at=MONDAY,
        )
        await office.papers.keep(upload)
        wanted = InvoiceToCheck(settlement=OF, paper_id=upload.paper_id)
        verdict = await office.run(office.activities.check_invoice, wanted)
        assert verdict.accepted is accepted


@needs("pango")
async def test_an_invoice_is_made_once_under_a_number_of_its_own(office: Office) -> None:
    await office.settlements.save(ISSUED)
    own = OwnInvoice(number="R-1", date=MONDAY.date())
    wanted = InvoiceToMake(settlement=OF, invoice=own)
    failure = await office.failure(office.activities.make_invoice, wanted)
    assert (failure.type, failure.non_retryable) == ("NoIban", True)
    partner = await office.partners.get("elektro-huber")
    assert partner is not None
    with_iban = partner.model_copy(update={"iban": "CH9300762011623852957"})
    await office.partners.put(with_iban, MONDAY)
    paper_id = await office.run(office.activities.make_invoice, wanted)
    assert await office.run(office.activities.make_invoice, wanted) == paper_id
    paper = await office.papers.get(paper_id)
    assert paper is not None
    assert (paper.kind, paper.settlement_id) == ("invoice", NUMBER)
    check = InvoiceToCheck(settlement=OF, paper_id=paper_id)
    assert (await office.run(office.activities.check_invoice, check)).accepted
    await office.numbers.reserve("elektro-huber", "R-2", "V202609-22222222", MONDAY)
    used = wanted.model_copy(update={"invoice": own.model_copy(update={"number": "r-2"})})
    failure = await office.failure(office.activities.make_invoice, used)
    assert (failure.type, failure.non_retryable) == ("InvoiceNumberUsed", True)
    assert "R-2" not in str(failure)


async def test_only_uploaded_papers_of_the_settlement_are_checked(office: Office) -> None:
    await office.settlements.save(ISSUED)
    foreign = Paper.of(
        b"x", paper_id="i-1", settlement_id="V-2", kind="invoice", name="x", created_at=MONDAY
    )
    await office.papers.keep(foreign)
    for paper_id in ("i-1", "nothing"):
        wanted = InvoiceToCheck(settlement=OF, paper_id=paper_id)
        failure = await office.failure(office.activities.check_invoice, wanted)
        assert (failure.type, failure.non_retryable) == ("PaperUnknown", True)


async def test_no_invoice_passes_while_the_virus_scanner_is_away(
    office: Office, database: Database
) -> None:
    await office.settlements.save(ISSUED)
    paper = Paper.of(
        b"%PDF-1.7",
        paper_id="invoice-1",
        settlement_id=NUMBER,
        kind="invoice",
        name="x.pdf",
        created_at=MONDAY,
    )
    await office.papers.keep(paper)
    scanned = Office(database, clamd="unix:/nowhere/clamd.ctl")
    wanted = InvoiceToCheck(settlement=OF, paper_id="invoice-1")
    failure = await scanned.failure(scanned.activities.check_invoice, wanted)
    assert (failure.type, failure.non_retryable) == ("ScannerAway", False)


async def test_a_document_that_cannot_be_made(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: StatementData) -> None:
        raise ConfinedError("memory", "over 1024 MiB")

    monkeypatch.setattr(module, "render_confined", fail)
    monkeypatch.setattr(module, "invoice_confined", fail)
    make = office.activities.make_statement
    first, third = [await office.failure(make, WANTED, attempt) for attempt in (1, 3)]
    assert first.message == "the document was not made (memory)"
    assert first.next_retry_delay is None
    assert third.next_retry_delay == module.AGAIN
    assert not third.non_retryable  # an order is billed by it: it is never given up
    await office.settlements.save(ISSUED)
    assert (await office.failure(office.activities.make_draft, OF, 3)).non_retryable
