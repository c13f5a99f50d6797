"""The use cases of settlements: open, find, select, close, invoice, void, correct. Programs and pages come by here."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts.activities import SettlementOf
from contracts.messages import DisplaySettings, Upload
from domain.cantons import pin_calendar
from domain.errors import InvalidCommand
from domain.months import Month
from domain.policy import Policy
from domain.settlements.access import allowed
from domain.settlements.commands import Close, NoteInvoice, Select, VoidSettlement
from domain.settlements.errors import SettlementRefused
from domain.settlements.ids import settlement_id
from domain.settlements.invoicing import Verdict
from domain.settlements.lines import CorrectionLine, Line, VatRates
from domain.settlements.settlement import SettlementStatus, Statement
from domain.values import Value
from records.corrections import Correction, Corrections
from records.database import Database
from records.orders import Orders
from records.papers import Paper, Papers, TooManyPapers, invoice_id, statement_csv_id
from records.partners import Partner, Partners
from records.settlements import SettlementPage, Settlements, StoredSettlement
from temporal import settlements
from temporal.calls import Closed, NoAnswer, TemporalAway, temporal_call
from use_cases import access
from use_cases.access import Forbidden
from use_cases.opening import NothingToBill as NothingToBill
from use_cases.opening import judged, opening_of
from use_cases.orders import RequestReused
from use_cases.papers import UPLOADS, draft_request, file_name
from use_cases.principal import Principal
from use_cases.settlement_calls import PaperNotMade as PaperNotMade
from use_cases.settlement_calls import SettlementCalls, of
from use_cases.settlement_calls import UnknownSettlement as UnknownSettlement

PATIENCE = timedelta(seconds=5)
"""How long a caller waits for its settlement's worker."""
DOCUMENT_PATIENCE = timedelta(seconds=60)
"""How long a caller waits for an invoice to be checked, or a draft to be made: the file's own limits are below it."""
MOST_ORDERS = 20_000
"""So many SP-IDs can be asked for in one call."""


class UnknownPartner(Exception):
    """There is no such partner."""


class NoSuchPaper(Exception):
    """This paper of the settlement does not exist (yet)."""


class AlreadySettled(Exception):
    """The partner has its one settlement of the month already."""

    def __init__(self, number: str, status: SettlementStatus | None, may: tuple[str, ...]) -> None:
        self.settlement_id = number
        self.status = status
        self.allowed = may
        super().__init__(f"{number} is the partner's settlement of this month")


class Billable(Value):
    """What a partner could bill now: in which month's settlement, and that one's id if it exists already."""

    partner_id: str
    month: Month
    settlement_id: str | None
    lines: tuple[Line, ...]
    corrections: tuple[Correction, ...]


class SettlementUseCases:
    """Where settlements are opened, found and acted upon. `clock` gives the instant, `patience` is how long one waits.

    `vat_rates` are those of partners that are liable.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        policy: Policy,
        vat_rates: VatRates,
        desk: DisplaySettings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        patience: timedelta = PATIENCE,
    ) -> None:
        self._client = client
        self._settlements = Settlements(database)
        self._corrections = Corrections(database)
        self._papers = Papers(database)
        self._orders = Orders(database)
        self._partners = Partners(database)
        self._policy = policy
        self._vat_rates = vat_rates
        self._desk = desk
        self._talks = SettlementCalls(client, self._settlements, patience)
        self._clock = clock
        self._patience = patience

    @property
    def now(self) -> datetime:
        """The instant at which something is shown."""
        return self._clock()

    @property
    def zone(self) -> ZoneInfo:
        """Where the office is: by its clock a list shows instants."""
        return ZoneInfo(self._policy.office.timezone)

    # --- opening -------------------------------------------------------------------------------------------------

    async def billable(self, principal: Principal, partner_id: str | None = None) -> Billable:
        """What can be picked now.

        Raises:
            Forbidden: a role that settles nothing, or a partner in another's place.
            InvalidCommand: operations did not say for which partner, or there is no such one.
        """
        access.check(principal, "settle")
        partner = await self._partner(principal, partner_id)
        month = self._month(partner)
        return Billable(
            partner_id=partner.partner_id,
            month=month,
            settlement_id=await self._settlements.of_month(partner.partner_id, month),
            lines=await self._settlements.billable.lines(partner.partner_id),
            corrections=await self._corrections.pending(partner.partner_id),
        )

    async def open(
        self,
        principal: Principal,
        sp_ids: Iterable[str],
        request_id: str,
        partner_id: str | None = None,
    ) -> StoredSettlement:
        """Open the current month's settlement with these orders; it is closed at once, and goes on behind the answer.

        Orders that cannot be billed are left out and named. Starting its workflow is the one thing that counts; that
        the records know it at once is for the caller's next look, and if it fails here the workflow does it.

        Raises:
            Forbidden: a role that settles nothing, or a partner in another's place.
            InvalidCommand: operations did not say for which of several partners, or there is no such one.
            NothingToBill: none of the orders can be billed, or too many cannot.
            AlreadySettled: there is one of this month, opened by another request.
            TemporalAway: nothing was opened, or the same call finds it opened.
        """
        access.check(principal, "settle")
        asked = tuple(sp_ids)
        partner = await self._partner(principal, partner_id, asked)
        now = self._clock()
        month = self._month(partner)
        that = SettlementOf(partner_id=partner.partner_id, month=month)
        there = await self._settlements.of_month(partner.partner_id, month)
        if there is not None:
            return await self._opened_before(principal, that, request_id)
        this = settlement_id(partner.partner_id, month)
        picked, left_out = await judged(self._settlements, partner.partner_id, this, asked)
        opening = opening_of(
            partner,
            month,
            now,
            policy=self._policy,
            vat_rates=self._vat_rates,
            picked=picked,
            left_out=left_out,
            automatic=False,
        )
        try:
            async with temporal_call(self._patience):
                begun = await settlements.start_settlement(
                    self._client, opening, principal.actor, self._desk, now, request_id
                )
        except (NoAnswer, Closed) as error:
            raise TemporalAway("no answer") from error
        except WorkflowAlreadyStartedError:
            return await self._opened_before(principal, that, request_id)
        return await self._talks.recorded(begun)

    async def _opened_before(
        self, principal: Principal, that: SettlementOf, request_id: str
    ) -> StoredSettlement:
        """The month's settlement, if it was this request that opened it: its first answer was lost.

        Raises:
            AlreadySettled: it was another one.
            TemporalAway: nobody can say.
        """
        this = settlement_id(that.partner_id, that.month)
        try:
            async with temporal_call(self._patience):
                opened_by = await settlements.opening_request(self._client, that)
        except Closed:  # of old times: the server has forgotten it
            opened_by = None
        except NoAnswer as error:
            raise TemporalAway("no answer") from error
        stored = await self._settlements.get(this) or await self._talks.fetch(that)
        if stored is not None and opened_by == request_id:
            return stored
        if stored is None:
            raise AlreadySettled(this, None, ())
        settlement = stored.settlement
        raise AlreadySettled(this, settlement.status, allowed(settlement, principal.role))

    async def _partner(
        self, principal: Principal, partner_id: str | None, sp_ids: Iterable[str] = ()
    ) -> Partner:
        """Who settles: the partner itself; whom operations name, or mean by orders that are all of one partner."""
        own = access.own_partner(principal)
        if own is not None and partner_id not in (None, own):
            raise Forbidden("a partner in another's place")
        wanted = own or partner_id
        if wanted is None:
            owners = set((await self._settlements.billable.partners_of(sp_ids)).values())
            wanted = owners.pop() if len(owners) == 1 else None
        if wanted is None:
            raise InvalidCommand("partner_id", "partner_needed")
        partner = await self._partners.get(wanted)
        if partner is None:
            raise InvalidCommand("partner_id", "unknown_partner")
        return partner

    def _month(self, partner: Partner) -> Month:
        now = self._clock()
        return Month.at(now, pin_calendar(partner.canton, self._policy, now.date()))

    # --- looking -------------------------------------------------------------------------------------------------

    async def find(self, principal: Principal, number: str) -> StoredSettlement:
        """A settlement with its lines and its timeline.

        Raises:
            Forbidden: a role that looks at no settlements.
            UnknownSettlement: it does not exist, or is not this caller's to know of.
        """
        access.check(principal, "read_settlements")
        return await self._talks.known(principal, number)

    async def list(
        self,
        principal: Principal,
        *,
        partner_id: str | None = None,
        status: SettlementStatus | None = None,
        month: Month | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> SettlementPage:
        """A page of this caller's settlements, the newest first.

        Raises:
            Forbidden: a role that looks at no settlements.
            ValueError: a cursor that no page gave.
        """
        access.check(principal, "read_settlements")
        own = access.own_partner(principal)
        if own is not None and partner_id not in (None, own):
            return SettlementPage((), None)
        return await self._settlements.page(
            partner_id=own or partner_id,
            status=status,
            month=month,
            q=q,
            limit=limit,
            cursor=cursor,
        )

    async def list_whole(
        self, principal: Principal, **wanted: Any
    ) -> tuple[tuple[StoredSettlement, ...], str | None]:
        """As `list`, each settlement with its lines and its timeline; and the cursor of the next page."""
        page = await self.list(principal, **wanted)
        numbers = [row.settlement_id for row in page.items]
        return await self._settlements.several(numbers), page.next_cursor

    # --- acting --------------------------------------------------------------------------------------------------

    async def select(
        self, principal: Principal, number: str, sp_ids: Iterable[str], request_id: str
    ) -> StoredSettlement:
        """Pick other orders while it is open; nothing at all is possible, too. Raises as `close`, and

        NothingToBill: orders were named, and none of them can be billed, or too many cannot.
        """
        access.check(principal, "select")
        known = await self._talks.known(principal, number)
        asked, change = tuple(sp_ids), Select(sp_ids=())
        if asked:
            picked, left_out = await judged(
                self._settlements, known.account.partner_id, number, asked
            )
            change = Select(sp_ids=picked, left_out=left_out)
        return await self._talks.act(principal, known, change, request_id)

    async def close(self, principal: Principal, number: str, request_id: str) -> StoredSettlement:
        """Close the selection: the orders are claimed now. The settlement after it, as the records now hold it.

        Raises:
            Forbidden: this role may not.
            UnknownSettlement: it does not exist, or is not this caller's to know of.
            SettlementRefused: not in the state it is in now.
            RequestReused: the request id came before, with another command.
            TemporalAway: nothing is known to have happened; the same request may come again.
        """
        access.check(principal, "close")
        known = await self._talks.known(principal, number)
        return await self._talks.act(principal, known, Close(), request_id)

    async def note_invoice(
        self, principal: Principal, number: str, note: str, request_id: str
    ) -> StoredSettlement:
        """The invoice came by another way, and is right. Raises as `close`."""
        access.check(principal, "note_invoice")
        known = await self._talks.known(principal, number)
        return await self._talks.act(principal, known, NoteInvoice(note=note), request_id)

    async def void(
        self, principal: Principal, number: str, reason: str, request_id: str
    ) -> StoredSettlement:
        """Take a settlement back; its orders are set free behind the answer. Raises as `close`."""
        access.check(principal, "void")
        known = await self._talks.known(principal, number)
        return await self._talks.act(principal, known, VoidSettlement(reason=reason), request_id)

    # --- papers --------------------------------------------------------------------------------------------------

    async def upload_invoice(
        self, principal: Principal, number: str, content: bytes, name: str
    ) -> Verdict:
        """Keep an invoice and have it checked, in a process of its own. The same file again has the same verdict.

        Raises:
            Forbidden, UnknownSettlement: as `close`.
            SettlementRefused: as `close`; `too_many_files` if more was uploaded than `UPLOADS`, this file not among it.
            TemporalAway: there is no verdict in time; the same upload may come again, and hears of it.
        """
        access.check(principal, "invoice")
        known = await self._talks.known(principal, number)
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
            await self._papers.keep(paper, UPLOADS)
        except TooManyPapers:
            raise SettlementRefused("invoice", "too_many_files", settlement.status, may) from None
        this, upload = of(known), Upload(paper_id=paper_id, actor=principal.actor)
        async with self._talks.asking("invoice", known, DOCUMENT_PATIENCE):
            checked = await settlements.check_invoice(self._client, this, upload, DOCUMENT_PATIENCE)
        await self._talks.as_of(this, checked.version)
        return checked.verdict

    async def draft(self, principal: Principal, number: str) -> Paper:
        """A draft of the partner's invoice, made now: once, however many ask for it meanwhile.

        Raises:
            Forbidden, UnknownSettlement, TemporalAway: as `close`.
            PaperNotMade: it was tried, and failed.
            NoSuchPaper: there is no statement of which it could be made, or no invoice is awaited any more.
        """
        access.check(principal, "invoice")
        known = await self._talks.known(principal, number)
        if not known.settlement.can_be_drafted:
            raise NoSuchPaper("draft")
        partner = await self._partner(principal, known.account.partner_id)
        request_id = draft_request(partner, self._clock())
        try:
            async with self._talks.asking("invoice", known, DOCUMENT_PATIENCE):
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
            NoSuchPaper: it is not issued (yet).
        """
        return await self._paper((await self._issued(principal, number)).paper_id)

    async def statement_csv(self, principal: Principal, number: str) -> Paper:
        """The statement's lines as CSV. Raises as `statement`."""
        await self._issued(principal, number)
        return await self._paper(statement_csv_id(number))

    async def invoice_paper(self, principal: Principal, number: str) -> Paper:
        """The invoice that was accepted.

        Raises:
            Forbidden, UnknownSettlement: as `find`.
            NoSuchPaper: none was, or it came by another way.
        """
        known = await self.find(principal, number)
        if known.settlement.invoice_paper_id is None:
            raise NoSuchPaper("invoice")
        return await self._paper(known.settlement.invoice_paper_id)

    async def _issued(self, principal: Principal, number: str) -> Statement:
        known = await self.find(principal, number)
        if known.settlement.statement is None:
            raise NoSuchPaper("statement")
        return known.settlement.statement

    async def _paper(self, paper_id: str) -> Paper:
        paper = await self._papers.get(paper_id)
        if paper is None:
            raise NoSuchPaper(paper_id)
        return paper

    # --- corrections ---------------------------------------------------------------------------------------------

    async def add_correction(
        self,
        principal: Principal,
        partner_id: str,
        sp_id: str,
        amount: Decimal,
        reason: str,
        request_id: str,
    ) -> Correction:
        """Add an amount, plus or minus, to a partner's next settlement, once for a request id.

        Raises:
            Forbidden: this role may not.
            UnknownPartner: there is no such partner.
            InvalidCommand: nothing to add, or not an order that this partner executed.
            RequestReused: the request id came before, with another correction.
        """
        access.check(principal, "correct")
        if await self._partners.get(partner_id) is None:
            raise UnknownPartner(partner_id)
        if not amount:
            raise InvalidCommand("amount", "amount_is_zero")
        stored = await self._orders.get(sp_id)
        if stored is None or stored.order.partner.partner_id != partner_id:
            raise InvalidCommand("sp_id", "unknown_order")
        if stored.order.executed_on is None:
            raise InvalidCommand("sp_id", "not_executed")
        line = CorrectionLine(
            sp_id=sp_id, reason=reason, amount=amount, executed_on=stored.order.executed_on
        )
        correction_id = f"cor_{hashlib.sha256(request_id.encode()).hexdigest()[:16]}"
        by = f"operations:{principal.name}"
        kept = await self._corrections.add(correction_id, partner_id, line, by, self._clock())
        if (kept.partner_id, kept.line) != (partner_id, line):
            raise RequestReused(correction_id)
        return kept

    async def corrections(self, principal: Principal, partner_id: str) -> tuple[Correction, ...]:
        """All corrections of a partner, the oldest first, each with the settlement that took it.

        Raises:
            Forbidden: this role may not.
            UnknownPartner: there is no such partner.
        """
        access.check(principal, "read_corrections")
        if await self._partners.get(partner_id) is None:
            raise UnknownPartner(partner_id)
        return await self._corrections.of(partner_id)
