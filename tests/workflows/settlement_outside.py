"""The world around a settlement, for tests of its workflow: orders that agree or refuse, papers, mails, switches."""

from decimal import Decimal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.calendars import CalendarActivities
from contracts import activities as names
from contracts.names import NUMBER_USED
from domain.months import Month
from domain.policy import Policy
from domain.settlements.events import SettlementRecorded
from domain.settlements.ids import settlement_id
from domain.settlements.invoicing import OwnInvoice, Verdict
from domain.settlements.lines import CorrectionLine, LeftOut, LeftOutReason
from domain.settlements.mails import SettlementMail
from domain.settlements.settlement import Statement

FEE = Decimal("100.00")


class SettlementOutside:
    """Stands where orders, papers, mail server and database are; `down` holds the names of activities that fail.

    `refusing` are orders that refuse, each with its reason; `wrong` the verdicts of invoices that are not right. `used`
    are the numbers that the partner has used for other settlements; `letterhead` is what an invoice shows of it.
    """

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.attempts: dict[str, int] = {}
        self.refusing: dict[str, LeftOutReason] = {}
        self.corrections: tuple[CorrectionLine, ...] = ()
        self.wrong: dict[str, Verdict] = {}
        self.made: list[OwnInvoice] = []
        self.used: set[str] = set()
        self.letterhead = "old"
        self.billed: dict[str, str] = {}
        self.batches: list[tuple[str, ...]] = []
        self.at_a_time = 0
        self.most_at_a_time = 0
        self.mails: list[SettlementMail] = []
        self.checked: list[str] = []
        self.statements: list[names.StatementWanted] = []
        self.versions: list[int] = []
        self.timeline: dict[str, dict[int, SettlementRecorded]] = {}
        self.hopeless: set[str] = set()
        self.policy = Policy()
        self.partners: list[str] = []
        self.opened: list[tuple[str, Month]] = []
        self.unwilling: dict[str, int] = {}
        self.listed: list[names.PartnersWanted] = []

    @property
    def activities(self) -> list[object]:
        """To be given to a worker of the queue `orders`."""
        return [
            self.save_settlement,
            self.claim_orders,
            self.take_corrections,
            self.send_settlement_mail,
            self.release_orders,
            self.release_corrections,
            self.partners_to_settle,
            self.open_settlement,
            CalendarActivities(self.policy).pin_calendar,
        ]

    @property
    def documents(self) -> list[object]:
        """To be given to a worker of the queue `documents`."""
        return [self.make_statement, self.make_draft, self.make_invoice]

    @property
    def invoices(self) -> list[object]:
        """To be given to a worker of the queue `invoices`."""
        return [self.check_invoice]

    def kinds(self, audience: str | None = None) -> list[str]:
        """The kinds of the mails sent, in order, to one audience or to all."""
        return [m.kind for m in self.mails if audience in (None, m.audience)]

    def _try(self, name: str) -> None:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        if name in self.hopeless:
            raise ApplicationError(f"{name} will never work", non_retryable=True)
        if name in self.down:
            raise ConnectionError(f"{name} is down")

    @activity.defn(name=names.SAVE_SETTLEMENT)
    async def save_settlement(self, snapshot: names.SettlementSnapshot) -> int:
        self._try(names.SAVE_SETTLEMENT)
        self.versions.append(snapshot.settlement.version)
        known = self.timeline.setdefault(snapshot.settlement.settlement_id, {})
        known.update({e.seq: e for e in snapshot.events})
        return snapshot.settlement.version

    @activity.defn(name=names.CLAIM_ORDERS)
    async def claim_orders(self, orders: names.OrdersOf) -> names.Claims:
        self._try(names.CLAIM_ORDERS)
        self.batches.append(orders.sp_ids)
        claimed_by = settlement_id(orders.settlement.partner_id, orders.settlement.month)
        refused = []
        for sp_id in orders.sp_ids:
            if sp_id in self.refusing:
                refused.append(LeftOut(sp_id=sp_id, reason=self.refusing[sp_id]))
            elif self.billed.setdefault(sp_id, claimed_by) != claimed_by:
                refused.append(LeftOut(sp_id=sp_id, reason="billed"))
        return names.Claims(refused=tuple(refused))

    @activity.defn(name=names.TAKE_CORRECTIONS)
    async def take_corrections(self, settlement: names.SettlementOf) -> tuple[CorrectionLine, ...]:
        self._try(names.TAKE_CORRECTIONS)
        return self.corrections

    @activity.defn(name=names.MAKE_STATEMENT)
    async def make_statement(self, wanted: names.StatementWanted) -> Statement:
        self._try(names.MAKE_STATEMENT)
        assert max(self.versions) >= wanted.version, "it is made of what the records hold"
        self.statements.append(wanted)
        made_of = settlement_id(wanted.settlement.partner_id, wanted.settlement.month)
        orders = sum(by == made_of for by in self.billed.values())
        net = FEE * orders + sum(line.amount for line in self.corrections)
        return Statement(
            paper_id=f"statement-{made_of}",
            sha256="0" * 64,
            template_version="1",
            input_checksum="1" * 64,
            pages=1,
            net=net,
            vat=Decimal(0),
            total=net,
        )

    @activity.defn(name=names.MAKE_DRAFT)
    async def make_draft(self, settlement: names.SettlementOf) -> str:
        self._try(names.MAKE_DRAFT)
        return f"draft-{settlement_id(settlement.partner_id, settlement.month)}-0000"

    @activity.defn(name=names.MAKE_INVOICE)
    async def make_invoice(self, wanted: names.InvoiceToMake) -> str:
        self._try(names.MAKE_INVOICE)
        if wanted.invoice.number in self.used:
            raise ApplicationError("used", type=NUMBER_USED, non_retryable=True)
        self.made.append(wanted.invoice)
        return f"invoice-{wanted.invoice.number}-{self.letterhead}"

    @activity.defn(name=names.CHECK_INVOICE)
    async def check_invoice(self, invoice: names.InvoiceToCheck) -> Verdict:
        self._try(names.CHECK_INVOICE)
        self.checked.append(invoice.paper_id)
        return self.wrong.get(invoice.paper_id, Verdict(accepted=True))

    @activity.defn(name=names.SEND_SETTLEMENT_MAIL)
    async def send_settlement_mail(self, mail: SettlementMail) -> None:
        self._try(names.SEND_SETTLEMENT_MAIL)
        self.mails.append(mail)

    @activity.defn(name=names.RELEASE_ORDERS)
    async def release_orders(self, orders: names.OrdersOf) -> None:
        self._try(names.RELEASE_ORDERS)
        for sp_id in orders.sp_ids:
            self.billed.pop(sp_id, None)

    @activity.defn(name=names.RELEASE_CORRECTIONS)
    async def release_corrections(self, settlement: names.SettlementOf) -> None:
        self._try(names.RELEASE_CORRECTIONS)

    @activity.defn(name=names.PARTNERS_TO_SETTLE)
    async def partners_to_settle(self, wanted: names.PartnersWanted) -> tuple[str, ...]:
        self._try(names.PARTNERS_TO_SETTLE)
        self.listed.append(wanted)
        there = {partner for partner, month in self.opened if month == wanted.month}
        left = [p for p in sorted(self.partners) if p not in there and p > (wanted.after or "")]
        return tuple(left[: wanted.limit])

    @activity.defn(name=names.OPEN_SETTLEMENT)
    async def open_settlement(self, settlement: names.SettlementOf) -> bool:
        self._try(names.OPEN_SETTLEMENT)
        partner_id, month = settlement.partner_id, settlement.month
        if self.unwilling.get(partner_id, 0) > 0:
            self.unwilling[partner_id] -= 1
            raise ConnectionError(f"{partner_id} cannot be settled just now")
        new = (partner_id, month) not in self.opened
        if new:
            self.opened.append((partner_id, month))
        return new
