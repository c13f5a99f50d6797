"""One service order as a durable workflow: takes commands, keeps deadlines, lets the outside know."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, SearchAttributeUpdate
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts import activities, names
    from contracts.messages import (
        EVENTS_CARRIED,
        Answer,
        Carried,
        Start,
        fingerprint,
        refusal,
        remember,
    )
    from domain.actors import SYSTEM, Actor
    from domain.calendar import Calendar
    from domain.errors import InvalidCommand, NotUnderstood
    from domain.orders import deadlines, lifecycle
    from domain.orders.commands import (
        Cancel,
        Command,
        ConfirmTransmission,
        NoteRefusal,
        NoteUndelivered,
        PassTime,
        RenewCalendar,
        Request,
        action_of,
        is_newer,
    )
    from domain.orders.effects import Effect, Mail, effects, is_obsolete
    from domain.orders.errors import Refused
    from domain.orders.order import Status
    from domain.settlements.settlement import line_of_order
    from domain.values import Language
    from domain.view import OrderView, order_view
    from workflows.background import ATTEMPT_LIMIT, UNTIL_IT_SUCCEEDS, Background, Lanes, Outcome
    from workflows.order_display import details, wake_summary
    from workflows.saving import SAVE_LIMIT, Recorder

RENEW_BEFORE_END = timedelta(days=60)
# Workers that are away for longer are no reason to believe a clock that says so.
LONGEST_ABSENCE = timedelta(days=7)
REFUSED = ""
"""In the place of a request's fingerprint: it came as a signal and was refused. As an update it is looked at anew."""


@workflow.defn(name=names.SERVICE_ORDER)
class ServiceOrder:
    """The life of one order. Its rules are in `domain/`; here is what makes them last.

    Commands come as updates, named as in `domain/orders/commands.py`, and are refused by the validator, which leaves no
    trace. The same commands come as signals from callers that must not wait, and so do the events of shop and
    warehouse. Mails and shipping requests leave by lanes, the read model by a loop of its own: none of them is ever
    waited for by a command or a deadline.
    """

    @workflow.init
    def __init__(self, start: Start) -> None:
        self._desk = start.desk
        self._shell = start.shell
        self._background = Background(counting=start.shell >= 2)
        outbox = start.carried.outbox if start.carried is not None else ()
        self._outgoing = Lanes(self._background, self._send, ((e.lane, e) for e in outbox))
        self._renewal: asyncio.Task[None] | None = None
        self._renewing_from: Calendar | None = None
        self._shown = workflow.info().typed_search_attributes
        if start.carried is not None:
            carried = start.carried
            self._order = carried.order
            self._events = list(carried.events)
            unsaved = carried.unsaved
            self._answered = dict(carried.answered)
        else:
            assert start.intake is not None, (
                "a workflow starts from an intake or from an earlier run"
            )
            assert start.placed_at is not None, "an order's clock runs from when it was placed"
            self._order, placed = lifecycle.place(start.intake, start.placed_at)
            self._events = [placed]
            unsaved = (placed,)
            self._answered = {}
        self._records = Recorder(self._background, activities.SAVE_ORDER, unsaved, limit=SAVE_LIMIT)
        self._wake = self._next_wake()

    @workflow.run
    async def run(self, start: Start) -> Answer:
        """Live until the order is final and all that had to go out has gone out."""
        if start.carried is not None:
            lifecycle.check_understood(start.carried.order)
        recorder = self._background.begin(self._keep_records())
        self._outgoing.begin()
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
                await self._sleep()
            except asyncio.CancelledError:
                self._cancelled_from_outside()
            self._background.stop_if_broken()
        recorder.cancel()
        return self._answer()

    # --- messages ------------------------------------------------------------------------------------------------

    @workflow.update(
        dynamic=True, description="A command of domain/orders/commands.py, by its name."
    )
    async def command(self, name: str, args: Sequence[RawValue]) -> Answer:
        """Take a command and answer with the order's new version and state.

        Raises:
            ApplicationError: of type `Refused`, `Invalid`, `RequestIdReused` or `Unreadable`, with what the caller
                needs in its details.
            NotUnderstood: a newer worker has taken it, and was replaced by this one.
        """
        request = _read(name, args)
        if not self._answered.get(request.request_id):
            try:
                self._take(request.command, request.actor, workflow.now())
            except (Refused, InvalidCommand) as error:
                raise _refusal(error) from error
            remember(self._answered, request.request_id, fingerprint(request.command))
        return self._answer()

    @command.validator
    def _check_command(self, name: str, args: Sequence[RawValue]) -> None:
        try:
            request = _read(name, args)
        except NotUnderstood as error:
            raise ApplicationError(str(error), type=names.UNREADABLE) from error
        known = self._answered.get(request.request_id)
        if known:
            if known != fingerprint(request.command):
                raise ApplicationError(
                    "the same request id came with another command", type=names.ID_REUSED
                )
            return
        try:
            lifecycle.live(self._order, request.command, request.actor, workflow.now())
        except (Refused, InvalidCommand) as error:
            raise _refusal(error) from error

    @workflow.signal(
        dynamic=True, description="The same commands, and the events of shop and warehouse."
    )
    def notice(self, name: str, args: Sequence[RawValue]) -> None:
        """Take a command whose sender does not wait. One that is not allowed is noted and mailed to its sender.

        Raises:
            NotUnderstood: a newer process left it; it waits for a newer worker, and the order with it.
        """
        self._background.count_end()
        if name == names.NEXT_RUN:
            self._background.ask_for_next_run()
            return
        try:
            request = _read(name, args)
        except ApplicationError as error:
            workflow.logger.error("signal left aside: %s", error, extra={"signal": name})
            return
        if request.request_id in self._answered:
            return
        now = workflow.now()
        since = now
        if request.at and now - request.at <= LONGEST_ABSENCE:
            # It counts from when it was safely received, even if no worker was up then.
            since = max(request.at, self._order.changed_at or now)
        outcome = fingerprint(request.command)
        try:
            self._take(request.command, request.actor, min(since, now))
        except (Refused, InvalidCommand) as error:
            self._take(
                NoteRefusal(
                    refused=action_of(request.command), code=error.code, sender=request.actor
                ),
                SYSTEM,
                now,
            )
            outcome = REFUSED
        remember(self._answered, request.request_id, outcome)

    @workflow.query(name=names.VIEW, description="The order in words, as operations see it.")
    def view(self, language: Language = "de") -> OrderView:
        """The full view, in a language."""
        return order_view(self._order, self._events, workflow.now(), language, "operations")

    @workflow.query(name=names.SNAPSHOT, description="The order and its events, for the records.")
    def snapshot(self) -> activities.Snapshot:
        """What the records hold once they have caught up."""
        return activities.Snapshot(order=self._order, events=tuple(self._events), shell=self._shell)

    # --- the order -----------------------------------------------------------------------------------------------

    def _take(self, command: Command, actor: Actor, at: datetime) -> None:
        before = self._order
        self._order, events = lifecycle.live(before, command, actor, at)
        if not events:
            return
        self._events.extend(events)
        self._records.unsaved.extend(events)
        self._wake = self._next_wake()
        for effect in effects(before, events):
            self._outgoing.put(effect.lane, effect)
        self._outgoing.call_back(lambda effect: is_obsolete(effect, self._order))
        self._show()

    def _answer(self) -> Answer:
        order = self._order
        line = line_of_order(order) if order.status is Status.BILLED else None
        return Answer(version=order.version, status=order.status, digest=order.digest, line=line)

    def _cancelled_from_outside(self) -> None:
        """Somebody asked Temporal to cancel the workflow: that is operations cancelling the order, if they may."""
        command = Cancel(reason="Cancelled in the Temporal UI")
        try:
            self._take(command, Actor(role="operations", name="Temporal"), workflow.now())
        except Refused:
            workflow.logger.warning("cancellation refused in state %s", self._order.status)

    def _is_over(self) -> bool:
        return (
            self._order.status.is_final
            and not self._outgoing.waiting
            and self._outgoing.idle
            and not self._records.unsaved
            and workflow.all_handlers_finished()
        )

    # --- time ----------------------------------------------------------------------------------------------------

    def _next_wake(self) -> datetime | None:
        """The stored instant until which the workflow sleeps if nothing comes."""
        if self._order.status.is_final:
            return None
        instants = [deadlines.next_instant(self._order)]
        if self._order.calendar != self._renewing_from:
            instants.append(_renewal(self._order.calendar))
        return min((at for at in instants if at is not None), default=None)

    async def _sleep(self) -> None:
        """Wait for the next instant at which time does something, or for a change that moves it."""
        wake = self._wake
        await self._background.sleep(
            lambda: self._wake != wake or self._is_over() or self._must_continue_as_new(),
            wake,
            wake_summary(self._order, wake) if wake is not None else "Waits for messages",
        )
        if self._wake is not None and self._wake <= workflow.now():
            self._pass_time()

    def _must_continue_as_new(self) -> bool:
        return self._background.next_run_asked or workflow.info().is_continue_as_new_suggested()

    def _pass_time(self) -> None:
        now = workflow.now()
        self._take(PassTime(), SYSTEM, now)
        calendar = self._order.calendar
        if calendar != self._renewing_from and _renewal(calendar) <= now:
            self._renewing_from = calendar
            self._renewal = self._background.begin(self._renew(calendar))
            self._wake = self._next_wake()

    async def _renew(self, calendar: Calendar) -> None:
        renewed: Calendar = await self._background.start_activity(
            activities.PIN_CALENDAR,
            activities.CalendarWanted(
                canton=calendar.canton,
                policy=self._order.policy,
                start=calendar.local(workflow.now()).date(),
            ),
            result_type=Calendar,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=UNTIL_IT_SUCCEEDS,
            summary="Calendar of the next 18 months",
        )
        if self._order.calendar == calendar:
            self._take(RenewCalendar(calendar=renewed), SYSTEM, workflow.now())

    # --- what goes out -------------------------------------------------------------------------------------------

    async def _send(self, effect: Effect) -> bool:
        """Whether it is out, has lost its sense or was given up; not if it was called back."""
        if is_obsolete(effect, self._order):
            return True
        if isinstance(effect, Mail):
            activity, summary = activities.SEND_MAIL, f"{effect.kind} to {effect.audience}"
        else:
            activity, summary = activities.REQUEST_SHIPPING, f"attempt {effect.attempt}"
        outcome = await self._outgoing.attempt(effect, activity, summary)
        if outcome is Outcome.GIVEN_UP:
            # Runs of the first shell have noted the summary, and replay must tell the same.
            mail = effect.kind if isinstance(effect, Mail) and self._shell >= 2 else summary
            self._take(NoteUndelivered(key=effect.key, mail=mail), SYSTEM, workflow.now())
        elif outcome is Outcome.OUT and isinstance(effect, Mail) and effect.kind == "new_order":
            self._take(ConfirmTransmission(), SYSTEM, workflow.now())
        return outcome is not Outcome.CALLED_BACK

    async def _keep_records(self) -> None:
        await self._records.run(
            lambda events: activities.Snapshot(order=self._order, events=events, shell=self._shell),
            lambda: self._order.version,
            lambda: self._shell < 2,
        )

    # --- the Temporal UI -----------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Tell operations where the order stands; search attributes only when they change (docs/traps.md, "Costs")."""
        workflow.set_current_details(details(self._order, workflow.now(), self._desk))
        changes = self._search_attributes()
        if changes:
            workflow.upsert_search_attributes(changes)
            self._shown = workflow.info().typed_search_attributes

    def _search_attributes(self) -> list[SearchAttributeUpdate[Any]]:
        order = self._order
        due = deadlines.next_due(order)
        shown = self._shown
        late = any(d.missed for d in order.open_deadlines)
        same = (
            shown.get(names.SP_STATUS) == order.status.value
            and shown.get(names.PARTNER_ID) == order.partner.partner_id
            and shown.get(names.OVERDUE) == late
            and shown.get(names.DEADLINE) == due
        )
        if same:
            return []
        return [
            names.SP_STATUS.value_set(order.status.value),
            names.PARTNER_ID.value_set(order.partner.partner_id),
            names.CANTON.value_set(order.partner.canton),
            names.OVERDUE.value_set(late),
            names.DEADLINE.value_set(due) if due else names.DEADLINE.value_unset(),
        ]

    # --- the next run --------------------------------------------------------------------------------------------

    async def _continue_as_new(self) -> None:
        """Go on in a new run. What has not gone out by now goes out there; nothing new is begun here."""
        self._outgoing.stop()
        await self._background.wait(
            lambda: self._outgoing.idle and workflow.all_handlers_finished(),
            "Goes on in a new run",
        )
        carried = Carried(
            order=self._order,
            events=tuple(self._events[-EVENTS_CARRIED:]),
            unsaved=tuple(self._records.unsaved),
            outbox=self._outgoing.waiting,
            answered=self._answered,
        )
        workflow.continue_as_new(Start(desk=self._desk, shell=names.SHELL, carried=carried))


def _renewal(calendar: Calendar) -> datetime:
    return calendar.instant(calendar.last_day - RENEW_BEFORE_END, calendar.opens)


def _read(name: str, args: Sequence[RawValue]) -> Request:
    """The request that a message carries; its name must be that of its command.

    Raises:
        ApplicationError: of type `Unreadable`: it is none.
        NotUnderstood: it is one, with a command or a code that only a newer process knows.
    """
    try:
        (raw,) = args
        request: Request = workflow.payload_converter().from_payload(raw.payload, Request)
    except Exception as error:
        if is_newer(error):
            raise NotUnderstood(f"{name}: of a newer process") from error
        raise ApplicationError(f"{name}: not a request", type=names.UNREADABLE) from error
    if request.command.type != name:
        raise ApplicationError(
            f"{name}: carries the command {request.command.type}", type=names.UNREADABLE
        )
    return request


def _refusal(error: Refused | InvalidCommand) -> ApplicationError:
    if isinstance(error, InvalidCommand):
        return ApplicationError(
            str(error), {"field": error.field, "code": error.code}, type=names.INVALID
        )
    return refusal(error)
