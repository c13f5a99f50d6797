"""The use cases of a settlement's papers: statement, draft invoice, invoice that is uploaded or made."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio.client import Client

from contracts.messages import InvoiceWanted, Upload
from domain.errors import InvalidCommand
from domain.settlements.access import allowed
from domain.settlements.commands import AcceptHeldInvoice, RefuseHeldInvoice
from domain.settlements.errors import SettlementRefused
from domain.settlements.facts import check_invoice_facts, verdict_on
from domain.settlements.invoicing import OwnInvoice, Verdict
from domain.settlements.settlement import Statement
from domain.settlements.uploads import Quota
from invoices.draft import takes_reference
from records.invoice_numbers import InvoiceNumbers
from records.papers import Paper, Papers, TooManyPapers, invoice_id, statement_csv_id
from records.partners import Partners
from records.settlements import StoredSettlement
from records.uploads import Uploads
from temporal import settlements
from use_cases import access
from use_cases.papers import (
    UPLOADS,
    NoSuchPaper,
    draft_request,
    file_name,
    invoice_request,
)
from use_cases.principal import Principal
from use_cases.settlement_gateway import SettlementGateway, of

DOCUMENT_PATIENCE = timedelta(seconds=60)
"""How long a caller waits for the check of an invoice or for a draft. The process of a document has shorter limits."""


class SettlementPapers:
    """Accepts invoices, and returns papers. `clock` gives the instant, `quota` limits the uploads of a partner."""

    def __init__(
        self,
        client: Client,
        gateway: SettlementGateway,
        papers: Papers,
        uploads: Uploads,
        partners: Partners,
        numbers: InvoiceNumbers,
        clock: Callable[[], datetime],
        quota: Quota,
    ) -> None:
        self._client = client
        self._numbers = numbers
        self._gateway = gateway
        self._papers = papers
        self._uploads = uploads
        self._quota = quota
        self._partners = partners
        self._clock = clock

    async def upload_invoice(
        self, principal: Principal, number: str, content: bytes, name: str
    ) -> Verdict:
        """Store an uploaded invoice and check it in a separate process. The same file gets the same verdict.

        Raises:
            Forbidden, UnknownSettlement: as `close`.
            SettlementRefused: as `close`; `too_many_files` if this file would exceed `UPLOADS`.
            OverQuota: this file would exceed what the partner may upload.
            TemporalAway: there is no verdict in time. The same upload may be repeated to get it.
        """
        access.check(principal, "invoice")
        known = await self._gateway.known(principal, number)
        sha256 = hashlib.sha256(content).hexdigest()
        paper_id = invoice_id(known.account.settlement_id, sha256)
        settlement = known.settlement
        if settlement.invoice_paper_id == paper_id:
            return Verdict(accepted=True)
        may = allowed(settlement, principal.role)
        if "invoice" not in may:
            raise SettlementRefused("invoice", "wrong_state", settlement.status, may)
        paper = Paper(
            paper_id=paper_id,
            settlement_id=known.account.settlement_id,
            kind="invoice",
            name=file_name(name) or f"{known.account.settlement_id}.pdf",
            content=content,
            sha256=sha256,
            created_at=self._clock(),
        )
        try:
            await self._uploads.keep(paper, known.account.partner_id, UPLOADS, self._quota)
        except TooManyPapers:
            raise SettlementRefused("invoice", "too_many_files", settlement.status, may) from None
        this, upload = of(known), Upload(paper_id=paper_id, actor=principal.actor)
        async with self._gateway.asking("invoice", known, DOCUMENT_PATIENCE):
            checked = await settlements.check_invoice(
                self._client, this, upload, DOCUMENT_PATIENCE, settlement.returns
            )
        await self._gateway.as_of(this, checked.version)
        return checked.verdict

    async def make_invoice(self, principal: Principal, number: str, invoice: OwnInvoice) -> Verdict:
        """Make the partner's invoice with its own number and date, and hand it in: it is checked, then forwarded.

        The same invoice again gets the same verdict.

        Raises:
            Forbidden, UnknownSettlement, TemporalAway: as `close`.
            SettlementRefused: as `close`; there is nothing to pay, or no IBAN that a payment part can have.
            InvalidCommand: the date is not possible, or the partner has used the number for another settlement.
            PaperNotMade: making it failed.
        """
        access.check(principal, "invoice")
        known = await self._gateway.known(principal, number)
        settlement = known.settlement
        verdict = verdict_on(settlement, invoice=invoice)
        if verdict is not None:
            return verdict
        may = allowed(settlement, principal.role)
        if "invoice" not in may:
            raise SettlementRefused("invoice", "wrong_state", settlement.status, may)
        check_invoice_facts(settlement, invoice, self._clock())
        partner_id = known.account.partner_id
        partner = await self._partners.get(partner_id)
        if partner is None or not partner.iban:
            raise SettlementRefused("invoice", "no_iban", settlement.status, may)
        if not takes_reference(partner.iban):
            raise SettlementRefused("invoice", "unusable_iban", settlement.status, may)
        holder = await self._numbers.holder(partner_id, invoice.number)
        if holder not in (None, known.account.settlement_id):
            raise InvalidCommand("invoice_number", "invoice_number_used")
        this, wanted = of(known), InvoiceWanted(invoice=invoice, actor=principal.actor)
        request_id = invoice_request(partner, invoice, settlement.returns, self._clock())
        async with self._gateway.asking("invoice", known, DOCUMENT_PATIENCE):
            checked = await settlements.make_invoice(
                self._client, this, wanted, request_id, DOCUMENT_PATIENCE
            )
        await self._gateway.as_of(this, checked.version)
        return checked.verdict

    async def decide_about_held(
        self,
        principal: Principal,
        number: str,
        *,
        reason: str | None,
        request_id: str,
        paper_id: str | None = None,
    ) -> StoredSettlement:
        """Accept the invoice that names another account than the registered one, or (with a reason) return it.

        `paper_id`: the invoice that the caller looked at; None: the one that is held now.

        Raises:
            Forbidden, UnknownSettlement, RequestReused, TemporalAway: as `close`.
            SettlementRefused: as `close`; `other_invoice` if another invoice came since the caller looked.
        """
        access.check(principal, "accept_invoice")
        known = await self._gateway.known(principal, number)
        held = known.settlement.held
        which = paper_id or (held.paper_id if held is not None else "")
        command: AcceptHeldInvoice | RefuseHeldInvoice
        if reason is None:
            command = AcceptHeldInvoice(paper_id=which)
        else:
            command = RefuseHeldInvoice(paper_id=which, reason=reason)
        return await self._gateway.act(principal, known, command, request_id)

    async def draft(self, principal: Principal, number: str) -> Paper:
        """Make a draft of the partner's invoice. Simultaneous requests share one draft.

        Raises:
            Forbidden, UnknownSettlement, TemporalAway: as `close`.
            PaperNotMade: making it failed.
            NoSuchPaper: there is no statement yet, or an invoice is no longer expected.
        """
        access.check(principal, "invoice")
        known = await self._gateway.known(principal, number)
        if not known.settlement.can_be_drafted:
            raise NoSuchPaper("draft")
        partner = await self._partners.get(known.account.partner_id)
        if partner is None:
            raise InvalidCommand("partner_id", "unknown_partner")
        request_id = draft_request(partner, self._clock())
        try:
            async with self._gateway.asking("invoice", known, DOCUMENT_PATIENCE):
                paper_id = await settlements.make_draft(
                    self._client, of(known), request_id, DOCUMENT_PATIENCE
                )
        except SettlementRefused as error:
            raise NoSuchPaper("draft") from error
        return await self._paper(paper_id)

    async def statement(self, principal: Principal, number: str) -> Paper:
        """The statement as PDF.

        Raises:
            Forbidden, UnknownSettlement: as `find`.
            NoSuchPaper: it is not issued yet.
        """
        return await self._paper((await self._issued(principal, number)).paper_id)

    async def statement_csv(self, principal: Principal, number: str) -> Paper:
        """The statement's lines as CSV. Raises as `statement`."""
        await self._issued(principal, number)
        return await self._paper(statement_csv_id(number))

    async def invoice(self, principal: Principal, number: str) -> Paper:
        """The file of the accepted or held invoice.

        Raises:
            Forbidden, UnknownSettlement: as `find`.
            NoSuchPaper: there is no such invoice, or accounting received it some other way.
        """
        settlement = (await self._find(principal, number)).settlement
        paper_id = settlement.held.paper_id if settlement.held else settlement.invoice_paper_id
        if paper_id is None:
            raise NoSuchPaper("invoice")
        return await self._paper(paper_id)

    async def _issued(self, principal: Principal, number: str) -> Statement:
        known = await self._find(principal, number)
        if known.settlement.statement is None:
            raise NoSuchPaper("statement")
        return known.settlement.statement

    async def _paper(self, paper_id: str) -> Paper:
        paper = await self._papers.get(paper_id)
        if paper is None:
            raise NoSuchPaper(paper_id)
        return paper

    async def _find(self, principal: Principal, settlement: str) -> StoredSettlement:
        access.check(principal, "read_settlements")
        return await self._gateway.known(principal, settlement)
