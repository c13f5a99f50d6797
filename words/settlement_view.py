"""The view of a settlement for the API and the pages."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any

import words
from domain.months import Month
from domain.settlements.access import allowed
from domain.settlements.account import SettlementAccount
from domain.settlements.events import SettlementRecorded
from domain.settlements.lines import (
    Amount,
    CorrectionLine,
    LeftOut,
    LeftOutReason,
    Line,
    Percent,
)
from domain.settlements.settlement import Settlement, SettlementStatus, month_runs
from domain.values import OPEN, Language, Value, without_unknown
from words.order_view import TimelineEntry, zoned


class LineView(Value):
    """An order that is billed or selected. `fee` is net.

    `vat_percent`: the rate of VAT; None if the partner is not liable for VAT on it. `vat`: the VAT on the line, if VAT
    is rounded on each line (version 1 of the rules).
    """

    sp_id: str
    sales_order_id: str
    executed_on: date
    service: str
    customer_place: str
    fee: Amount
    vat_percent: Percent | None
    vat: Amount | None


class CorrectionView(Value):
    """An amount (net) that operations added, plus or minus, for an order. VAT as in `LineView`."""

    sp_id: str
    reason: str
    amount: Amount
    vat_percent: Percent | None
    vat: Amount | None


class VatView(Value):
    """Net and VAT of all lines with one rate. VAT is rounded once for each rate (version 1: on each line)."""

    percent: Percent
    net: Amount
    vat: Amount


class LeftOutView(Value):
    """An order that was selected and is not billed. `text` says why, in the caller's language."""

    sp_id: str
    reason: Annotated[LeftOutReason, OPEN]
    text: str


class StatementView(Value):
    """What identifies the statement's PDF."""

    sha256: str
    pages: int
    template_version: str


class SettlementView(Value):
    """A settlement as the API returns it. `overdue`: whether the invoice is late.

    `vat`: the sum of `vat_rates`, which has one entry for each rate that occurs.
    `invoice_number`, `invoice_date`: of an invoice that CMI made. `return_reason`: why accounting returned the last
    invoice, until another one is accepted. `accounting_decides`: about an invoice that names another account.
    `month_note`: that the month still runs; None once it is over, or if the settlement is void.
    """

    settlement_id: str
    partner_id: str
    partner_name: str
    month: Month
    status: SettlementStatus
    status_label: str
    version: int
    orders: tuple[LineView, ...]
    corrections: tuple[CorrectionView, ...]
    left_out: tuple[LeftOutView, ...]
    net: Amount
    vat_rates: tuple[VatView, ...]
    vat: Amount
    total: Amount
    opened_at: datetime
    selectable_until: datetime | None
    issued_at: datetime | None
    invoice_due: datetime | None
    overdue: bool
    invoice_total: Amount | None
    accounting_decides: bool
    month_note: str | None
    invoice_number: str | None
    invoice_date: date | None
    return_reason: str | None
    paid_on: date | None
    payment_reference: str | None
    allowed: tuple[str, ...]
    statement: StatementView | None
    timeline: tuple[TimelineEntry, ...]


def settlement_view(
    settlement: Settlement,
    account: SettlementAccount,
    events: Iterable[SettlementRecorded],
    now: datetime,
    language: Language,
    role: str,
) -> SettlementView:
    """The settlement as a caller of this role sees it at `now`.

    A partner does not learn that another partner's order exists: it is shown as unknown.
    """
    calendar = settlement.opening.calendar
    partner = settlement.opening.partner
    names = {partner.partner_id: partner.name}

    def local(instant: datetime | None) -> datetime | None:
        return None if instant is None else zoned(calendar, instant)

    def entry(recorded: SettlementRecorded) -> TimelineEntry:
        data = without_unknown(recorded.event).model_dump(mode="json", exclude={"type"})
        for left_out in data.get("left_out", ()):
            left_out["reason"] = _visible_reason(left_out["reason"], role)
        return TimelineEntry(
            seq=recorded.seq,
            at=zoned(calendar, recorded.at),
            type=recorded.event.type,
            by=recorded.author,
            data=_without_internals(data),
            text=words.settlement_event_text(recorded, language, calendar.local),
            author_text=words.author_text(recorded.by, recorded.on_behalf_of, language, names),
        )

    def vat_of(line: Line | CorrectionLine) -> dict[str, Any]:
        vat = account.vat_on(line) if account.rounds_each_line else None
        return {"vat_percent": account.percent(line), "vat": vat}

    statement, due, invoice = settlement.statement, settlement.invoice_due, settlement.invoice
    return SettlementView(
        settlement_id=settlement.settlement_id,
        partner_id=settlement.opening.partner.partner_id,
        partner_name=settlement.opening.partner.name,
        month=settlement.opening.month,
        status=settlement.status,
        status_label=words.settlement_status_label(settlement.status, language),
        version=settlement.version,
        orders=tuple(
            LineView(**dict(without_unknown(line)), **vat_of(line)) for line in account.lines
        ),
        corrections=tuple(
            CorrectionView(
                sp_id=line.sp_id,
                reason=line.reason,
                amount=line.amount,
                **vat_of(line),
            )
            for line in account.corrections
        ),
        left_out=tuple(_left_out(each, role, language) for each in settlement.left_out),
        net=account.net,
        vat_rates=tuple(VatView(**dict(part)) for part in account.vat_sums),
        vat=account.vat,
        total=account.total,
        opened_at=zoned(calendar, settlement.opened_at),
        selectable_until=local(settlement.selectable_until),
        issued_at=local(settlement.issued_at),
        invoice_due=local(due),
        overdue=settlement.status is SettlementStatus.ISSUED
        and settlement.held is None
        and due is not None
        and due <= now,
        invoice_total=settlement.invoice_total,
        accounting_decides=settlement.held is not None,
        month_note=_month_note(settlement, now, language),
        invoice_number=invoice.number if invoice else None,
        invoice_date=invoice.date if invoice else None,
        return_reason=settlement.return_reason or None
        if settlement.status is SettlementStatus.ISSUED
        else None,
        paid_on=settlement.paid_on,
        payment_reference=settlement.payment_reference or None,
        allowed=allowed(settlement, role),
        statement=None
        if statement is None
        else StatementView(
            sha256=statement.sha256,
            pages=statement.pages,
            template_version=statement.template_version,
        ),
        timeline=tuple(entry(recorded) for recorded in events),
    )


def _month_note(settlement: Settlement, now: datetime, language: Language) -> str | None:
    if settlement.status is SettlementStatus.VOID or not month_runs(settlement, now):
        return None
    return words.month_runs_text(settlement.opening.month.last_day, language)


def _left_out(left_out: LeftOut, role: str, language: Language) -> LeftOutView:
    reason = _visible_reason(left_out.reason, role)
    return LeftOutView(
        sp_id=left_out.sp_id, reason=reason, text=words.left_out_text(reason, language)
    )


def _visible_reason(reason: LeftOutReason, role: str) -> LeftOutReason:
    return "unknown" if role == "partner" and reason == "not_yours" else reason


def _without_internals(data: dict[str, Any]) -> dict[str, Any]:
    """An event's data without the fields that only our processes use: ids of papers, keys of mails, the policy."""
    statement = data.get("statement")
    if statement is not None:
        data["statement"] = {k: v for k, v in statement.items() if k != "paper_id"}
    return {
        name: value for name, value in data.items() if name not in ("paper_id", "key", "policy")
    }
