"""Opens settlements: chooses the orders, and pins the policy and rates."""

from collections.abc import Iterable
from datetime import datetime

from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts.activities import SettlementSnapshot
from contracts.messages import DisplaySettings
from domain import rules
from domain.actors import SYSTEM
from domain.cantons import pin_calendar
from domain.months import Month
from domain.policies import Policies
from domain.settlements.lines import LeftOut, VatRates
from domain.settlements.settlement import Opening, Selection
from records.partners import Partner, Partners
from records.settlements import Settlements
from temporal.settlements import start_settlement

MOST_LEFT_OUT = 1000
"""The most orders that can be left out. A settlement lists them all, and a payload of Temporal is at most 2 MB."""


class NotReleased(Exception):
    """A voided settlement of the month has not released its orders yet, so that no other can follow it now."""

    def __init__(self, settlement_id: str) -> None:
        super().__init__(f"{settlement_id} has not released its orders yet")


class NothingToBill(Exception):
    """None of the requested orders can be billed, or (`too_many`) too many of them cannot.

    `left_out` has each of these with its reason, in the order of the request.
    """

    def __init__(self, left_out: tuple[LeftOut, ...], *, too_many: bool = False) -> None:
        self.left_out = left_out
        self.too_many = too_many
        super().__init__(f"{len(left_out)} orders cannot be billed")


async def choose_billable(
    settlements: Settlements, partner_id: str, settlement: str, sp_ids: Iterable[str]
) -> tuple[Selection, tuple[LeftOut, ...]]:
    """Those of these orders that a partner may bill in a settlement, and the others, each with the reason.

    Raises:
        NothingToBill: it may bill none of them, or more than `MOST_LEFT_OUT` are left out.
    """
    picked, left_out = await settlements.billable.judge(partner_id, settlement, sp_ids)
    if not picked or len(left_out) > MOST_LEFT_OUT:
        raise NothingToBill(left_out, too_many=bool(picked))
    return picked, left_out


def opening_of(
    partner: Partner,
    month: Month,
    now: datetime,
    *,
    policies: Policies,
    vat_rates: VatRates,
    picked: Selection,
    left_out: tuple[LeftOut, ...] = (),
    automatic: bool,
    number: int = 1,
) -> Opening:
    """The opening of a partner's settlement of a month at `now`.

    Without a VAT number the partner charges no VAT; with one, on services from its day `vat_liable_from` on.

    `number`: of the settlement in the month.

    Raises:
        UnknownPolicy: the partner's policy is missing.
    """
    policy = policies.of(partner.policy)
    return Opening(
        partner=Partners.assignee(partner),
        month=month,
        policy=policy,
        calendar=pin_calendar(partner.canton, policy, now.date()),
        vat_rates=vat_rates if partner.vat_number else (),
        vat_liable_from=partner.vat_liable_from,
        picked=picked,
        left_out=left_out,
        automatic=automatic,
        rules=rules.CURRENT,
        number=number,
    )


async def open_month(
    client: Client,
    settlements: Settlements,
    partner: Partner,
    month: Month,
    now: datetime,
    *,
    policies: Policies,
    vat_rates: VatRates,
    display: DisplaySettings,
) -> SettlementSnapshot | None:
    """Open a partner's settlement of a month with all that can be billed. Idempotent.

    Returns None if the month has a settlement already, or if there is nothing to bill. One that operations voided is
    followed by another; one that is void because the partner deselected all orders is not. The settlement is open once
    its workflow is started.

    Raises:
        NotReleased: a voided settlement of the month still releases its orders.
        UnknownPolicy: the partner's policy is missing.
        RPCError: Temporal is away.
    """
    # Temporal deletes old workflows; the records keep all settlements.
    latest = await settlements.latest_of_month(partner.partner_id, month)
    if latest is not None and not (latest.voided and latest.can_be_followed):
        return None
    if latest is not None and not latest.released:
        raise NotReleased(latest.settlement_id)
    lines = await settlements.billable.lines(partner.partner_id, month.last_day)
    if not lines:
        return None
    opening = opening_of(
        partner,
        month,
        now,
        policies=policies,
        vat_rates=vat_rates,
        picked=tuple(line.sp_id for line in lines),
        automatic=True,
        number=1 if latest is None else latest.opening.number + 1,
    )
    try:
        begun = await start_settlement(client, opening, SYSTEM, display, now)
    except WorkflowAlreadyStartedError:
        return None
    await settlements.save(begun)
    return begun
