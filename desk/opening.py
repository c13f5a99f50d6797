"""What a settlement starts from, whoever opens it: all that is pinned into it (DESIGN 4)."""

from datetime import datetime

from domain.cantons import pin_calendar
from domain.policy import Policy
from domain.settlement import LeftOut, VatRates
from domain.settlement_id import Month
from domain.settling_commands import Opening, Selection
from records.partners import Partner, Partners


def opening_of(
    partner: Partner,
    month: Month,
    now: datetime,
    *,
    policy: Policy,
    vat_rates: VatRates,
    picked: Selection,
    left_out: tuple[LeftOut, ...] = (),
    automatic: bool,
) -> Opening:
    """The opening of a partner's settlement of a month at `now`. VAT is for partners that have a VAT number."""
    return Opening(
        partner=Partners.assignee(partner),
        month=month,
        policy=policy,
        calendar=pin_calendar(partner.canton, policy, now.date()),
        vat_rates=vat_rates if partner.vat_number else (),
        picked=picked,
        left_out=left_out,
        automatic=automatic,
    )
