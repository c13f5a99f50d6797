"""One settlement as a durable workflow: claims orders, has the statement made, waits for the invoice."""

import asyncio
from collections import deque
from datetime import timedelta
from decimal import Decimal
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
)

with workflow.unsafe.imports_passed_through():
    from contracts import activities, names
    from contracts.messages import (
        Checked,
        SettlementAnswer,
        SettlementCarried,
        SettlementStart,
        Upload,
        come_again,
        fingerprint,
        refusal,
        remember,
    )
    from domain.actors import SYSTEM, Actor
    from domain.settlements import lifecycle as life
    from domain.settlements.commands import (
        Command,
        NoteReleased,
        NoteUndelivered,
        PassTime,
        SettlementRequest,
        Statement,
        TakeClaims,
        TakeStatement,
        TakeVerdict,
        VoidSettlement,
    )
    from domain.settlements.errors import SettlementRefused
    from domain.settlements.invoicing import Verdict
    from domain.settlements.mails import SettlementMail, is_obsolete, settlement_mails
    from domain.settlements.settlement import CorrectionLine, LeftOut, SettlementStatus
    from workflows.background import (
        ATTEMPT_LIMIT,
        UNTIL_IT_SUCCEEDS,
        Background,
        Lanes,
        Outcome,
        Parts,
        called_back,
    )
    from workflows.saving import SAVE_LIMIT, Recorder
    from workflows.settlement_display import details, search_attributes, wake_summary

BATCH_LIMIT = DOCUMENT_LIMIT = timedelta(minutes=10)
HEARTBEAT = timedelta(seconds=30)
WRITE_LIMIT = timedelta(minutes=2)
# In runs of the first shell: one of more orders takes longer than a workflow task may be held up.
LOCAL_WRITE_ORDERS = 300
BATCH, BATCHES_AT_A_TIME = 100, 2
_NO_FEES: Decimal | None = Decimal("0.00")


@workflow.defn(name=names.SETTLEMENT)
class Settlement:
    """The life of one settlement. Its rules are in `domain/settlements/lifecycle.py`; here is what makes them last.

    Commands and invoices come as updates, and are refused by validators, which leaves no trace. Closing and setting
    free go step by step beside the main loop, each step again until it succeeds: where one was interrupted the next run
    goes on. Mails leave by lanes, the read model by a loop of its own.
    """

    @workflow.init
    def __init__(self, start: SettlementStart) -> None:
        self._desk = start.desk
        self._shell = start.shell
        self._background = Background(counting=start.shell >= 2)
        outbox = start.carried.outbox if start.carried is not None else ()
        self._mails = Lanes(self._background, self._send, ((m.audience, m) for m in outbox))
        self._parts = Parts(self._background)
        self._papers: list[workflow.ActivityHandle[Any]] = []
        self._checking = asyncio.Lock()
        self._draft: workflow.ActivityHandle[Any] | None = None
        self._step: asyncio.Task[None] | None = None
        self._continuing = False
        self._shown = workflow.info().typed_search_attributes
        if start.carried is not None:
            carried = start.carried
            self._settling = carried.settling
            self._events = list(carried.unsaved)
            unsaved = carried.unsaved
            self._answered = dict(carried.answered)
            self._asked = carried.asked
            self._refused: list[LeftOut] = list(carried.refused)
            self._fees = carried.fees if carried.asked else _NO_FEES
        else:
            assert start.opening is not None, (
                "a workflow starts from an opening or from an earlier run"
            )
            assert start.opened_at is not None, "a settlement's clock runs from its opening"
            self._settling, events = life.open_settling(
                start.opening, start.opened_by, start.opened_at
            )
            self._events = list(events)
            unsaved = events
            self._answered = {}
            self._asked = 0
            self._refused = []
            self._fees = _NO_FEES
        opening = self._settling.opening
        partner_id = opening.partner.partner_id
        self._of = activities.SettlementOf(partner_id=partner_id, month=opening.month)
        self._records = Recorder(
            self._background, activities.SAVE_SETTLEMENT, unsaved, limit=WRITE_LIMIT
        )

    @workflow.run
    async def run(self, start: SettlementStart) -> SettlementAnswer:
        """Live until the settlement is invoiced or void and all that had to go out has gone out."""
        if start.carried is not None:
            life.check_understood(start.carried.settling)
        recorder = self._background.begin(self._keep_records())
        self._mails.begin()
        self._show()
        while not self._is_over():
            try:
                if self._must_continue_as_new():
                    if self._shell >= 2:  # not for long: the database may be away
                        self._records.stop()
                        summary = "Records before the next run"
                        await self._background.wait_at_most(recorder.done, SAVE_LIMIT, summary)
                    recorder.cancel()
                    await self._continue_as_new()
                self._go_on()
                await self._sleep()
            except asyncio.CancelledError:
                self._cancelled_from_outside()
            self._background.stop_if_broken()
        recorder.cancel()
        return self._answer()

    # --- messages ------------------------------------------------------------------------------------------------

    @workflow.update(name=names.COMMAND, description="A command of domain/settlements/commands.py.")
    def command(self, request: SettlementRequest) -> SettlementAnswer:
        """Take a command and answer with the settlement's new version and state.

        Raises:
            ApplicationError: of type `Refused` or `RequestIdReused`, with what the caller needs in its details.
        """
        if request.request_id not in self._answered:
            try:
                self._take(request.command, request.actor)
            except SettlementRefused as error:
                raise refusal(error) from error
            remember(self._answered, request.request_id, fingerprint(request.command))
        return self._answer()

    @command.validator
    def _check_command(self, request: SettlementRequest) -> None:
        known = self._answered.get(request.request_id)
        if known is not None:
            if known != fingerprint(request.command):
                raise ApplicationError(
                    "the same request id came with another command", type=names.ID_REUSED
                )
            return
        try:
            life.live(self._settling, request.command, request.actor, workflow.now())
        except SettlementRefused as error:
            raise refusal(error) from error

    @workflow.update(name=names.CHECK_INVOICE, description="An uploaded invoice.")
    async def check_invoice(self, upload: Upload) -> Checked:
        """Have an invoice checked, and take it if it is right. One at a time: the first right one is the invoice.

        Raises:
            ApplicationError: of type `Refused` if none is awaited (any more), `ComeAgain` if the workflow goes over
                into its next run meanwhile.
        """
        async with self._checking:
            if self._is_the_invoice(upload):
                return Checked(version=self._settling.version, verdict=Verdict(accepted=True))
            try:
                life.authorise(self._settling, "invoice", upload.actor, workflow.now())
                verdict: Verdict = await self._paper(
                    "invoice",
                    self._begin_paper(
                        activities.CHECK_INVOICE,
                        activities.InvoiceToCheck(settlement=self._of, paper_id=upload.paper_id),
                        result_type=Verdict,
                        summary="check of an uploaded invoice",
                    ),
                )
                self._take(TakeVerdict(paper_id=upload.paper_id, verdict=verdict), upload.actor)
            except SettlementRefused as error:
                raise refusal(error) from error
        return Checked(version=self._settling.version, verdict=verdict)

    @check_invoice.validator
    def _check_upload(self, upload: Upload) -> None:
        if self._is_the_invoice(upload):
            return
        try:
            life.authorise(self._settling, "invoice", upload.actor, workflow.now())
        except SettlementRefused as error:
            raise refusal(error) from error

    @workflow.update(name=names.MAKE_DRAFT, description="A draft of the partner's invoice.")
    async def make_draft(self) -> str:
        """Have a draft of the partner's invoice made; the paper's id.

        Those who ask while one is being made get that one.

        Raises:
            ApplicationError: of type `Refused` if no invoice is awaited, `ComeAgain` as `check_invoice`, `NotMade`.
        """
        if self._draft is None or self._draft.done() or self._shell < 2:
            self._draft = self._begin_paper(
                activities.MAKE_DRAFT,
                self._of,
                result_type=str,
                summary="draft of the partner's invoice",
            )
        try:
            paper_id: str = await self._paper("draft", self._draft)
        except ActivityError as error:
            raise ApplicationError("the draft was not made", type=names.NOT_MADE) from error
        return paper_id

    @make_draft.validator
    def _check_draft(self) -> None:
        if not self._settling.can_be_drafted:
            raise refusal(SettlementRefused("draft", "wrong_state", self._settling.status))

    @workflow.signal(name=names.NEXT_RUN, description="Go on in a new run, with today's shell.")
    def next_run(self) -> None:
        """Go on in a new run, which works as today's release does."""
        self._background.count_end()
        self._background.ask_for_next_run()

    @workflow.query(name=names.SNAPSHOT, description="The settlement and its events.")
    def snapshot(self) -> activities.SettlementSnapshot:
        """What the records hold once they have caught up; of the events, those of this run."""
        return activities.SettlementSnapshot(
            settling=self._settling, events=tuple(self._events), shell=self._shell
        )

    # --- the settlement ------------------------------------------------------------------------------------------

    def _take(self, command: Command, actor: Actor = SYSTEM) -> None:
        before = self._settling
        self._settling, events = life.live(before, command, actor, workflow.now())
        if not events:
            return
        self._events.extend(events)
        self._records.unsaved.extend(events)
        for mail in settlement_mails(before, events, self._desk.language):
            self._mails.put(mail.audience, mail)
        self._call_back_what_lost_its_sense()
        self._show()

    def _call_back_what_lost_its_sense(self) -> None:
        if self._settling.status is not SettlementStatus.ISSUED:
            for paper in self._papers:
                paper.cancel()
        self._mails.call_back(lambda mail: is_obsolete(mail, self._settling))

    def _answer(self) -> SettlementAnswer:
        now = self._settling
        return SettlementAnswer(version=now.version, status=now.status, digest=now.digest)

    def _is_the_invoice(self, upload: Upload) -> bool:
        return upload.paper_id == self._settling.invoice_paper_id

    def _cancelled_from_outside(self) -> None:
        """Somebody asked Temporal to cancel the workflow: that is operations taking it back, if they may."""
        try:
            self._take(
                VoidSettlement(reason="Cancelled in the Temporal UI"),
                Actor(role="operations", name="Temporal"),
            )
        except SettlementRefused:
            workflow.logger.warning("cancellation refused in state %s", self._settling.status)

    def _is_over(self) -> bool:
        return (
            self._settling.is_over
            and not self._mails.waiting
            and self._mails.idle
            and not self._records.unsaved
            and workflow.all_handlers_finished()
        )

    async def _sleep(self) -> None:
        """Wait for the next instant at which time does something, or for a change that moves it."""
        version, wake = self._settling.version, life.next_instant(self._settling)
        await self._background.sleep(
            lambda: (
                self._settling.version != version or self._is_over() or self._must_continue_as_new()
            ),
            wake,
            wake_summary(self._settling, wake) if wake is not None else "Waits for messages",
        )
        self._take(PassTime())

    def _must_continue_as_new(self) -> bool:
        return self._background.next_run_asked or workflow.info().is_continue_as_new_suggested()

    # --- closing and setting free --------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """See that the state's own work is being done, if it has any."""
        if self._step is not None and not self._step.done():
            return
        settling = self._settling
        if settling.status is SettlementStatus.CLOSING:
            self._step = self._background.begin(self._close())
        elif settling.status is SettlementStatus.VOID and not settling.released:
            self._step = self._background.begin(self._release())

    async def _close(self) -> None:
        """Claim the orders, take the corrections, have the statement made."""
        if not self._settling.claimed:
            await self._ask_orders(activities.CLAIM_ORDERS, "claim")
            corrections = await self._parts.finished(
                self._parts.start(
                    activities.TAKE_CORRECTIONS,
                    self._of,
                    result_type=tuple[CorrectionLine, ...],
                    start_to_close_timeout=ATTEMPT_LIMIT,
                    summary="corrections of this settlement",
                )
            )
            self._take(
                TakeClaims(refused=tuple(self._refused), corrections=corrections, fees=self._fees)
            )
            self._asked, self._refused, self._fees = 0, [], _NO_FEES
        if self._settling.status is not SettlementStatus.CLOSING:
            return
        # The statement is made of what the records hold.
        await workflow.wait_condition(lambda: not self._records.unsaved)
        settling = self._settling
        statement = await self._parts.finished(
            self._parts.start(
                activities.MAKE_STATEMENT,
                activities.StatementWanted(
                    settlement=self._of,
                    version=settling.version,
                    created=settling.opening.calendar.local(workflow.now()).date(),
                ),
                result_type=Statement,
                task_queue=names.DOCUMENTS_QUEUE,
                start_to_close_timeout=DOCUMENT_LIMIT,
                heartbeat_timeout=HEARTBEAT,
                summary=f"statement of {len(settling.picked)} orders",
            )
        )
        self._take(TakeStatement(statement=statement))

    async def _release(self) -> None:
        """Set the orders and the corrections of a voided settlement free."""
        await self._ask_orders(activities.RELEASE_ORDERS, "set free")
        await self._parts.finished(
            self._parts.start(
                activities.RELEASE_CORRECTIONS,
                self._of,
                start_to_close_timeout=ATTEMPT_LIMIT,
                summary="corrections for the next settlement",
            )
        )
        self._take(NoteReleased())

    async def _ask_orders(self, activity: str, what: str) -> None:
        """Ask all orders in batches, some at a time; `_asked` of them have answered, and need not be asked again."""
        sp_ids = self._settling.picked
        batches: deque[tuple[int, workflow.ActivityHandle[Any]]] = deque()
        begun = self._asked
        while begun < len(sp_ids) or batches:
            while begun < len(sp_ids) and len(batches) < BATCHES_AT_A_TIME:
                batch = sp_ids[begun : begun + BATCH]
                handle = self._parts.start(
                    activity,
                    activities.OrdersOf(settlement=self._of, sp_ids=batch),
                    result_type=activities.Claims if activity == activities.CLAIM_ORDERS else None,
                    start_to_close_timeout=BATCH_LIMIT,
                    heartbeat_timeout=HEARTBEAT,
                    summary=f"{what} {begun + 1} to {begun + len(batch)} of {len(sp_ids)}",
                )
                begun += len(batch)
                batches.append((len(batch), handle))
            size, oldest = batches.popleft()
            claims = await self._parts.finished(oldest)
            if claims is not None:
                self._refused += claims.refused
                known = self._fees is not None and claims.fees is not None
                self._fees = self._fees + claims.fees if known else None
            self._asked += size
            self._show()

    # --- papers of the partner -----------------------------------------------------------------------------------

    def _begin_paper(
        self, activity: str, argument: Any, **options: Any
    ) -> workflow.ActivityHandle[Any]:
        """Have an activity make or read a paper for an update."""
        if self._continuing:  # its turn came only now; what has been called back made room for it
            raise come_again()
        return self._background.start_activity(
            activity,
            argument,
            task_queue=names.DOCUMENTS_QUEUE,
            start_to_close_timeout=DOCUMENT_LIMIT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=UNTIL_IT_SUCCEEDS,
            **options,
        )

    async def _paper(self, action: str, handle: workflow.ActivityHandle[Any]) -> Any:
        """What came of it, unless it has lost its sense meanwhile. Several updates may wait for the same."""
        self._papers.append(handle)
        try:
            return await handle
        except ActivityError as error:
            if not called_back(error):
                raise
            if self._continuing:
                raise come_again() from error
            raise refusal(
                SettlementRefused(action, "wrong_state", self._settling.status)
            ) from error
        finally:
            self._papers.remove(handle)

    # --- what goes out -------------------------------------------------------------------------------------------

    async def _send(self, mail: SettlementMail) -> bool:
        """Whether it is out, has lost its sense or was given up; not if it was called back."""
        if is_obsolete(mail, self._settling):
            return True
        outcome = await self._mails.attempt(
            mail, activities.SEND_SETTLEMENT_MAIL, f"{mail.kind} to {mail.audience}"
        )
        if outcome is Outcome.GIVEN_UP:
            self._take(NoteUndelivered(key=mail.key, mail=mail.kind))
        return outcome is not Outcome.CALLED_BACK

    async def _keep_records(self) -> None:
        await self._records.run(
            lambda events: activities.SettlementSnapshot(
                settling=self._settling, events=events, shell=self._shell
            ),
            lambda: self._settling.version,
            lambda: (
                self._shell < 2
                and len(self._settling.picked) + len(self._settling.left_out) <= LOCAL_WRITE_ORDERS
            ),
        )

    # --- the Temporal UI -----------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Tell operations where it stands; search attributes only when they change (docs/traps.md, "Costs")."""
        workflow.set_current_details(details(self._settling, self._asked, self._desk))
        changes = search_attributes(self._settling, self._shown)
        if changes:
            workflow.upsert_search_attributes(changes)
            self._shown = workflow.info().typed_search_attributes

    # --- the next run --------------------------------------------------------------------------------------------

    async def _continue_as_new(self) -> None:
        """Go on in a new run. What is not done by now is done there; nothing new is begun here."""
        self._continuing = True
        for paper in self._papers:
            paper.cancel()
        self._mails.stop()
        self._parts.stop()
        if self._shell < 2:
            await self._parts.ended()
        await self._background.wait(
            lambda: self._mails.idle and self._parts.idle and workflow.all_handlers_finished(),
            "Goes on in a new run",
        )
        carried = SettlementCarried(
            settling=self._settling,
            unsaved=tuple(self._records.unsaved),
            outbox=self._mails.waiting,
            answered=self._answered,
            asked=self._asked,
            refused=tuple(self._refused),
            fees=self._fees,
        )
        workflow.continue_as_new(
            SettlementStart(desk=self._desk, shell=names.SHELL, carried=carried)
        )
