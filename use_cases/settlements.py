"""The use cases of settlements: open, find, list, select, close, note an invoice, void."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts.activities import SettlementOf
from contracts.messages import DisplaySettings
from domain.cantons import pin_calendar
from domain.errors import InvalidCommand
from domain.months import Month
from domain.policies import Policies
from domain.settlements.commands import Close, NoteInvoice, Select, VoidSettlement
from domain.settlements.lines import Line, VatRates
from domain.settlements.settlement import SettlementStatus
from domain.settlements.uploads import Quota
from domain.values import Value
from records.corrections import Correction, Corrections
from records.database import Database
from records.invoice_numbers import InvoiceNumbers
from records.orders import Orders
from records.papers import Papers
from records.partners import Partner, Partners
from records.settlements import SettlementPage, Settlements, StoredSettlement
from records.uploads import Uploads
from temporal import settlements
from temporal.calls import Closed, NoAnswer, TemporalAway, temporal_call
from use_cases import access
from use_cases.access import Forbidden
from use_cases.corrections import CorrectionUseCases
from use_cases.corrections import UnknownPartner as UnknownPartner
from use_cases.months import AlreadySettled as AlreadySettled
from use_cases.months import MonthsSettlements
from use_cases.opening import NothingToBill as NothingToBill
from use_cases.opening import choose_billable, opening_of
from use_cases.papers import NoSuchPaper as NoSuchPaper
from use_cases.payment_import import PaymentImport
from use_cases.payments import PaymentUseCases
from use_cases.principal import Principal
from use_cases.security_events import note
from use_cases.settlement_gateway import PaperNotMade as PaperNotMade
from use_cases.settlement_gateway import SettlementGateway
from use_cases.settlement_gateway import UnknownSettlement as UnknownSettlement
from use_cases.settlement_papers import SettlementPapers
from use_cases.uploads import UploadedInvoices

PATIENCE = timedelta(seconds=5)
"""How long a caller waits for its settlement's worker."""
MOST_ORDERS = 20_000
"""The most SP-IDs in one call."""


class Billable(Value):
    """What a partner could bill now, in the settlement of `month`.

    `settlement_id` is None if it does not exist yet, or is void, so that another can follow.
    """

    partner_id: str
    month: Month
    settlement_id: str | None
    lines: tuple[Line, ...]
    corrections: tuple[Correction, ...]


class SettlementUseCases:
    """Opens settlements, finds them, gives them commands. `clock` gives the instant, `patience` is how long to wait.

    `vat_rates` apply to partners that are liable for VAT.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        policies: Policies,
        vat_rates: VatRates,
        display: DisplaySettings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        patience: timedelta = PATIENCE,
        quota: Quota = Quota(),  # noqa: B008
    ) -> None:
        self._client = client
        self._settlements = Settlements(database)
        self._corrections = Corrections(database)
        self._partners = Partners(database)
        self._policies = policies
        self._vat_rates = vat_rates
        self._display = display
        self._gateway = SettlementGateway(client, self._settlements, patience)
        self._months = MonthsSettlements(client, self._settlements, self._gateway, patience)
        papers, uploads = Papers(database), Uploads(database)
        self.papers = SettlementPapers(
            client,
            self._gateway,
            papers,
            uploads,
            self._partners,
            InvoiceNumbers(database),
            clock,
            quota,
        )
        self.uploaded_invoices = UploadedInvoices(self._gateway, uploads, papers)
        self.payments = PaymentUseCases(self._gateway)
        self.payment_import = PaymentImport(self.payments, self._settlements)
        self.corrections = CorrectionUseCases(
            self._corrections, Orders(database), self._partners, clock
        )
        self._clock = clock
        self._patience = patience

    @property
    def now(self) -> datetime:
        """The instant for which pages are shown."""
        return self._clock()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the office, in which lists show instants."""
        return ZoneInfo(self._policies.standard.office.timezone)

    # --- opening -------------------------------------------------------------------------------------------------

    async def billable(self, principal: Principal, partner_id: str | None = None) -> Billable:
        """What the partner can bill now.

        Raises:
            Forbidden: not for this role, or a partner for another partner.
            InvalidCommand: operations did not name a partner, or the partner does not exist.
        """
        access.check(principal, "settle")
        partner = await self._partner(principal, partner_id)
        month = self._month(partner)
        latest = await self._settlements.latest_of_month(partner.partner_id, month)
        return Billable(
            partner_id=partner.partner_id,
            month=month,
            settlement_id=None
            if latest is None or latest.can_be_followed
            else latest.settlement_id,
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
        """Open the current month's settlement with these orders, and close its selection. It may follow a voided one.

        Orders that cannot be billed are left out and listed in it. The settlement is open once its workflow is started.
        It is also stored in the records here, so that the caller finds it at once. If that fails, the workflow stores
        it.

        Raises:
            Forbidden: not for this role, or a partner for another partner.
            InvalidCommand: operations did not name one of several partners, or the partner does not exist.
            NothingToBill: none of the orders can be billed, or too many cannot.
            UnknownPolicy: the partner's policy is missing. Nothing was opened.
            AlreadySettled: another request has opened the settlement of this month.
            TemporalAway: it is unknown whether it was opened. The same call may be repeated.
        """
        access.check(principal, "settle")
        asked = tuple(sp_ids)
        partner = await self._partner(principal, partner_id, asked)
        now = self._clock()
        month = self._month(partner)
        latest = await self._settlements.latest_of_month(partner.partner_id, month)
        number = 1
        if latest is not None:
            before = SettlementOf.opened_by(latest.opening)
            if not latest.can_be_followed or await self._months.opened_by(before) == request_id:
                return await self._months.opened_before(principal, before, request_id)
            await self._months.wait_until_released(latest)
            number = latest.opening.number + 1
        that = SettlementOf(partner_id=partner.partner_id, month=month, number=number)
        picked, left_out = await choose_billable(
            self._settlements, partner.partner_id, that.settlement_id, asked
        )
        opening = opening_of(
            partner,
            month,
            now,
            policies=self._policies,
            vat_rates=self._vat_rates,
            picked=picked,
            left_out=left_out,
            automatic=False,
            number=number,
        )
        try:
            async with temporal_call(self._patience):
                begun = await settlements.start_settlement(
                    self._client, opening, principal.actor, self._display, now, request_id
                )
        except (NoAnswer, Closed) as error:
            raise TemporalAway("no answer") from error
        except WorkflowAlreadyStartedError:
            return await self._months.opened_before(principal, that, request_id)
        return await self._gateway.recorded(begun)

    async def _partner(
        self, principal: Principal, partner_id: str | None, sp_ids: Iterable[str] = ()
    ) -> Partner:
        """The partner of the settlement: the caller, or the one that operations name or whose orders they name."""
        own = access.own_partner(principal)
        if own is not None and partner_id not in (None, own):
            note("access_refused", "refused", principal.login_id, partner_id or "")
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
        return Month.at(now, pin_calendar(partner.canton, self._policies.standard, now.date()))

    # --- looking -------------------------------------------------------------------------------------------------

    async def find(self, principal: Principal, number: str) -> StoredSettlement:
        """A settlement with its lines and its timeline.

        Raises:
            Forbidden: this role sees no settlements.
            UnknownSettlement: it does not exist, or this caller may not know of it.
        """
        access.check(principal, "read_settlements")
        return await self._gateway.known(principal, number)

    async def list(
        self,
        principal: Principal,
        *,
        partner_id: str | None = None,
        status: SettlementStatus | None = None,
        month: Month | None = None,
        q: str | None = None,
        awaits_payment: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> SettlementPage:
        """A page of this caller's settlements, the newest first.

        Raises:
            Forbidden: this role sees no settlements.
            ValueError: it is not a cursor of this list.
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
            awaits_payment=awaits_payment,
            limit=limit,
            cursor=cursor,
        )

    async def list_whole(
        self, principal: Principal, **wanted: Any
    ) -> tuple[tuple[StoredSettlement, ...], str | None]:
        """Like `list`, but each settlement with its lines and timeline; and the cursor of the next page."""
        page = await self.list(principal, **wanted)
        numbers = [row.settlement_id for row in page.items]
        return await self._settlements.several(numbers), page.next_cursor

    # --- acting --------------------------------------------------------------------------------------------------

    async def select(
        self, principal: Principal, number: str, sp_ids: Iterable[str], request_id: str
    ) -> StoredSettlement:
        """Pick other orders, or none, while the settlement is open.

        Raises the errors of `close`, and `NothingToBill`: none of the named orders can be billed, or too many cannot.
        """
        access.check(principal, "select")
        known = await self._gateway.known(principal, number)
        asked, change = tuple(sp_ids), Select(sp_ids=())
        if asked:
            picked, left_out = await choose_billable(
                self._settlements, known.account.partner_id, number, asked
            )
            shown = {line.sp_id for line in known.account.lines}
            again = set(known.settlement.picked) & set(picked) - shown
            change = Select(sp_ids=picked, left_out=left_out, again=bool(again))
        return await self._gateway.act(principal, known, change, request_id)

    async def close(self, principal: Principal, number: str, request_id: str) -> StoredSettlement:
        """Close the selection, so that the orders are claimed. Returns the recorded settlement afterwards.

        Raises:
            Forbidden: not for this role.
            UnknownSettlement: it does not exist, or this caller may not know of it.
            SettlementRefused: the current state does not allow it.
            RequestReused: the request id was used for another command.
            TemporalAway: it is unknown whether it happened. The same request may be repeated.
        """
        access.check(principal, "close")
        known = await self._gateway.known(principal, number)
        return await self._gateway.act(principal, known, Close(), request_id)

    async def note_invoice(
        self, principal: Principal, number: str, note: str, request_id: str
    ) -> StoredSettlement:
        """Note that a correct invoice came by another channel. Raises as `close`."""
        access.check(principal, "note_invoice")
        known = await self._gateway.known(principal, number)
        return await self._gateway.act(principal, known, NoteInvoice(note=note), request_id)

    async def void(
        self, principal: Principal, number: str, reason: str, request_id: str
    ) -> StoredSettlement:
        """Void a settlement; its orders are released after the answer. Raises as `close`."""
        access.check(principal, "void")
        known = await self._gateway.known(principal, number)
        return await self._gateway.act(principal, known, VoidSettlement(reason=reason), request_id)
