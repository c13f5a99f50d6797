"""The papers of a settlement's workflow: the partner's invoice, uploaded or made, and its draft."""

import asyncio
from collections.abc import Iterable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from contracts import activities, names
from contracts.messages import (
    REFUSALS,
    Checked,
    InvoiceWanted,
    SettlementStart,
    Upload,
    refusal,
)
from domain.settlements.access import authorise
from domain.settlements.commands import Command, TakeVerdict
from domain.settlements.errors import SettlementRefused
from domain.settlements.events import SettlementRecorded
from domain.settlements.facts import check_invoice_facts, verdict_on
from domain.settlements.mails import SettlementMail
from domain.settlements.settlement import Settlement
from workflows.entity import EntityWorkflow
from workflows.paper_activities import PaperActivities


class SettlementPapersWorkflow(
    EntityWorkflow[Settlement, Command, SettlementRecorded, SettlementMail]
):
    """The updates about a settlement's papers. They are refused by validators, which leaves no trace."""

    def __init__(
        self,
        start: SettlementStart,
        state: Settlement,
        events: Iterable[SettlementRecorded],
        unsaved: Iterable[SettlementRecorded],
        outbox: Iterable[SettlementMail],
    ) -> None:
        """Begin a run, as `EntityWorkflow` does."""
        super().__init__(start, state, events, unsaved, outbox)
        self._id = activities.SettlementOf.opened_by(state.opening)
        self._papers = PaperActivities(self._background, lambda: self._state.status)
        self._checking = asyncio.Lock()
        self._draft: workflow.ActivityHandle[Any] | None = None

    @workflow.update(name=names.CHECK_INVOICE, description="An uploaded invoice.")
    async def check_invoice(self, upload: Upload) -> Checked:
        """Have an invoice checked, and accept it if it is correct. Checks run one at a time; the first correct one
        wins.

        Raises:
            ApplicationError: of type `Refused` if no invoice is awaited, or no longer; `ComeAgain` if the workflow
                goes on in a new run before the check has ended.
        """
        async with self._checking:
            verdict = verdict_on(self._state, paper_id=upload.paper_id)
            if verdict is not None:
                return Checked(version=self._state.version, verdict=verdict)
            try:
                authorise(self._state, "invoice", upload.actor, workflow.now())
                verdict = await self._papers.verdict(self._state, self._id, upload.paper_id)
                self._take(TakeVerdict(paper_id=upload.paper_id, verdict=verdict), upload.actor)
            except SettlementRefused as error:
                raise refusal(error) from error
        return Checked(version=self._state.version, verdict=verdict)

    @check_invoice.validator
    def _check_upload(self, upload: Upload) -> None:
        if verdict_on(self._state, paper_id=upload.paper_id) is not None:
            return
        try:
            authorise(self._state, "invoice", upload.actor, workflow.now())
        except SettlementRefused as error:
            raise refusal(error) from error

    @workflow.update(name=names.MAKE_INVOICE, description="An invoice to make and hand in.")
    async def make_invoice(self, wanted: InvoiceWanted) -> Checked:
        """Make the partner's invoice with its own number and date, and hand it in: it is checked as an uploaded one is.

        Raises:
            ApplicationError: of type `Refused` if no invoice is awaited, or none can be made; `Invalid` if the date is
                not possible or the number was used; `ComeAgain` as `check_invoice`; `NotMade`.
        """
        invoice = wanted.invoice
        async with self._checking:
            verdict = verdict_on(self._state, invoice=invoice)
            if verdict is not None:
                return Checked(version=self._state.version, verdict=verdict)
            try:
                self._check_making(wanted)
                paper_id = await self._papers.invoice(self._state, self._id, invoice)
                verdict = await self._papers.verdict(self._state, self._id, paper_id)
                self._take(
                    TakeVerdict(paper_id=paper_id, verdict=verdict, invoice=invoice), wanted.actor
                )
            except REFUSALS as error:
                raise refusal(error) from error
        return Checked(version=self._state.version, verdict=verdict)

    @make_invoice.validator
    def _check_wanted(self, wanted: InvoiceWanted) -> None:
        if verdict_on(self._state, invoice=wanted.invoice) is not None:
            return
        try:
            self._check_making(wanted)
        except REFUSALS as error:
            raise refusal(error) from error

    def _check_making(self, wanted: InvoiceWanted) -> None:
        authorise(self._state, "invoice", wanted.actor, workflow.now())
        check_invoice_facts(self._state, wanted.invoice, workflow.now())

    @workflow.update(name=names.MAKE_DRAFT, description="A draft of the partner's invoice.")
    async def make_draft(self) -> str:
        """Have a draft of the partner's invoice made, and answer with the paper's id.

        Requests that come while a draft is being made get that draft.

        Raises:
            ApplicationError: of type `Refused` if no invoice is awaited, `ComeAgain` as `check_invoice`, `NotMade`.
        """
        if self._draft is None or self._draft.done() or self._shell < 2:
            self._draft = self._papers.start(
                activities.MAKE_DRAFT,
                self._id,
                result_type=str,
                summary="draft of the partner's invoice",
            )
        try:
            paper_id: str = await self._papers.result(self._draft, "draft")
        except ActivityError as error:
            raise ApplicationError("the draft was not made", type=names.NOT_MADE) from error
        return paper_id

    @make_draft.validator
    def _check_draft(self) -> None:
        if not self._state.can_be_drafted:
            raise refusal(SettlementRefused("draft", "wrong_state", self._state.status))
