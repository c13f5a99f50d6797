"""Writes settlements and their corrections to the records, and opens settlements at the end of a month."""

from datetime import UTC, datetime

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.failures import without_contents
from contracts import activities
from contracts.activities import PartnersWanted, SettlementOf, SettlementSnapshot
from contracts.messages import DisplaySettings
from domain.policies import Policies, UnknownPolicy
from domain.settlements.lines import CorrectionLine, VatRates
from records.corrections import Corrections
from records.heads import Diverged, take_over
from records.partners import Partners
from records.settlements import Settlements
from telemetry.metrics import RECORDS_LAG
from temporal.settlements import settlement_snapshot
from use_cases.opening import NotReleased, open_month


class SettlementActivities:
    """The activities of settlements. The partner's policy of `policies`, and `vat_rates`, are pinned into new ones."""

    def __init__(
        self,
        client: Client,
        settlements: Settlements,
        corrections: Corrections,
        partners: Partners,
        *,
        policies: Policies,
        vat_rates: VatRates,
        display: DisplaySettings,
    ) -> None:
        self._client = client
        self._settlements = settlements
        self._corrections = corrections
        self._partners = partners
        self._policies = policies
        self._vat_rates = vat_rates
        self._display = display

    @activity.defn(name=activities.SAVE_SETTLEMENT)
    async def save_settlement(self, snapshot: SettlementSnapshot) -> int:
        """Store a settlement, its lines and events. Returns the recorded version, this one or a newer one. Idempotent.

        If the recorded events differ from these, the settlement's workflow is queried, and its answer is stored.
        Failures are retried: the database is away, or an order is not recorded yet.
        """
        opening = snapshot.settlement.opening
        with without_contents(f"records of {opening.settlement_id}"):
            try:
                version = await self._settlements.save(snapshot)
                if snapshot.events:
                    lag = datetime.now(UTC) - snapshot.events[-1].at
                    RECORDS_LAG.labels("settlement").observe(lag.total_seconds())
                return version
            except Diverged:
                if activity.info().is_local:
                    raise  # a workflow answers no query during its own task; the next attempt is not local
                of = SettlementOf.opened_by(opening)
                held = await take_over(
                    self._settlements,
                    opening.settlement_id,
                    lambda: settlement_snapshot(self._client, of),
                )
                return held.settlement.version

    @activity.defn(name=activities.TAKE_CORRECTIONS)
    async def take_corrections(self, of: SettlementOf) -> tuple[CorrectionLine, ...]:
        """Assign the partner's pending corrections to a settlement. Idempotent."""
        number = of.settlement_id
        with without_contents(f"corrections of {number}"):
            return await self._corrections.take(number, of.partner_id)

    @activity.defn(name=activities.RELEASE_CORRECTIONS)
    async def release_corrections(self, of: SettlementOf) -> None:
        """Release the corrections of a voided settlement. Idempotent."""
        number = of.settlement_id
        with without_contents(f"corrections of {number}"):
            await self._corrections.release(number)

    @activity.defn(name=activities.PARTNERS_TO_SETTLE)
    async def partners_to_settle(self, wanted: PartnersWanted) -> tuple[str, ...]:
        """Partners with unbilled orders and no settlement of the month, by id, at most `limit`."""
        with without_contents(f"partners to settle for {wanted.month}"):
            return await self._settlements.billable.partners_to_settle(
                wanted.month, wanted.after, wanted.limit
            )

    @activity.defn(name=activities.OPEN_SETTLEMENT)
    async def open_settlement(self, of: SettlementOf) -> bool:
        """Open a partner's settlement of a month with all that can be billed, by starting its workflow.

        Retried while the partner's policy is missing. False if the month has a settlement that is not voided, or there
        is nothing to bill.
        """
        number = of.settlement_id
        with without_contents(f"opening of {number}"):
            partner = await self._partners.get(of.partner_id)
            if partner is None:
                raise ApplicationError(
                    f"partner {of.partner_id} is not in the records", type="PartnerUnknown"
                )
            try:
                begun = await open_month(
                    self._client,
                    self._settlements,
                    partner,
                    of.month,
                    activity.info().started_time,
                    policies=self._policies,
                    vat_rates=self._vat_rates,
                    display=self._display,
                )
            except NotReleased as error:
                raise ApplicationError(str(error), type="NotReleased") from None
            except UnknownPolicy as error:
                raise ApplicationError(str(error), type=type(error).__name__) from None
            return begun is not None
