"""One service order as a durable workflow: takes commands, keeps deadlines, sends mails and shipping requests."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from temporalio import workflow
from temporalio.common import RawValue, SearchAttributeUpdate, TypedSearchAttributes
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts import activities, names
    from contracts.messages import (
        EVENTS_CARRIED,
        REFUSALS,
        Answer,
        Carried,
        Start,
        fingerprint,
        refusal,
        remember,
    )
    from domain.actors import Actor
    from domain.calendar import Calendar
    from domain.errors import NotUnderstood
    from domain.orders import deadlines, lifecycle
    from domain.orders.access import allowed
    from domain.orders.commands import Cancel, Command, action_of
    from domain.orders.effects import effects, is_obsolete
    from domain.orders.events import Recorded
    from domain.orders.internal import (
        ConfirmTransmission,
        NoteRefusal,
        NoteUndelivered,
        PassTime,
        RenewCalendar,
    )
    from domain.orders.limits import check_room
    from domain.orders.order import Order, Status
    from domain.orders.outgoing import Effect, Mail, ShippingRequest, ShippingStop, ShopNotice
    from domain.orders.request import Request, is_newer
    from domain.settlements.lines import line_of_order
    from domain.values import Language
    from words.order_view import OrderView, order_view
    from workflows.background import ATTEMPT_LIMIT, UNTIL_IT_SUCCEEDS, Outcome
    from workflows.entity import EntityWorkflow
    from workflows.order_display import details, search_attributes, wake_summary

RENEW_BEFORE_END = timedelta(days=60)
LONGEST_ABSENCE = timedelta(days=7)
"""A signal takes effect as of when it was received if that is at most this long ago, and otherwise as of now."""
REFUSED = ""
"""Kept instead of the fingerprint of a request that was refused as a signal. An update with its id is checked again."""


@workflow.defn(name=names.SERVICE_ORDER)
class ServiceOrder(EntityWorkflow[Order, Command, Recorded, Effect]):
    """The life of one order. Its rules are in `domain/orders/`; `entity.py` has what it shares with a settlement.

    Commands come as updates, named as in `domain/orders/commands.py`, and are refused by the validator, which leaves no
    trace in the history. The same commands come as signals from callers that must not wait, and so do the events of
    shop and warehouse.
    """

    save_activity = activities.SAVE_ORDER

    @workflow.init
    def __init__(self, start: Start) -> None:
        self._renewal: asyncio.Task[None] | None = None
        self._renewing_from: Calendar | None = None
        carried = start.carried
        if carried is not None:
            super().__init__(start, carried.order, carried.events, carried.unsaved, carried.outbox)
        else:
            assert start.intake is not None, (
                "a workflow starts from an intake or from an earlier run"
            )
            placed = start.placed
            if placed is None:  # started by an older release
                assert start.placed_at is not None, "an order's clock runs from when it was placed"
                placed = lifecycle.place(start.intake, start.placed_at)
            order = lifecycle.fold(start.intake, [placed])
            lifecycle.check_understood(order)
            super().__init__(start, order, (placed,), (placed,), ())
        self._wake = self._wake_at()

    @workflow.run
    async def run(self, start: Start) -> Answer:
        """Run until the order is final and everything that has to be sent has been sent."""
        if start.carried is not None:
            lifecycle.check_understood(start.carried.order)
        await self._run_until_finished()
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
            NotUnderstood: a newer worker accepted it, and this older one has taken over.
        """
        request = _read(name, args)
        self._take_once(request.command, request.actor, request.request_id)
        return self._answer()

    @command.validator
    def _check_command(self, name: str, args: Sequence[RawValue]) -> None:
        try:
            request = _read(name, args)
        except NotUnderstood as error:
            raise ApplicationError(str(error), type=names.UNREADABLE) from error
        self._check(request.command, request.actor, request.request_id)
        if request.request_id in self._answered:
            return
        try:  # only in the validator, which is not replayed: an update that an earlier release accepted stays accepted
            check_room(
                self._state,
                request.command,
                allowed(self._state, request.actor.role, workflow.now()),
            )
        except REFUSALS as error:
            raise refusal(error) from error

    @workflow.signal(
        dynamic=True, description="The same commands, and the events of shop and warehouse."
    )
    def notice(self, name: str, args: Sequence[RawValue]) -> None:
        """Take a command whose sender does not wait. If it is not allowed, it is recorded and mailed to its sender.

        Raises:
            NotUnderstood: a newer process sent it; it waits for a newer worker, and the order with it.
        """
        self._background.count_completion()
        try:
            request = _read(name, args)
        except ApplicationError as error:
            workflow.logger.error("signal ignored: %s", error, extra={"signal": name})
            return
        if request.request_id in self._answered:
            return
        outcome = fingerprint(request.command)
        try:
            self._take(request.command, request.actor, self._received_at(request))
        except REFUSALS as error:
            action = action_of(request.command)
            self._take(NoteRefusal(refused=action, code=error.code, sender=request.actor))
            outcome = REFUSED
        remember(self._answered, request.request_id, outcome)

    def _received_at(self, request: Request) -> datetime:
        """The instant as of which a signal takes effect: when it was received, even if no worker was up then."""
        now = workflow.now()
        if request.at and now - request.at <= LONGEST_ABSENCE:
            return min(max(request.at, self._state.changed_at or now), now)
        return now

    @workflow.query(name=names.VIEW, description="The order in words, as operations see it.")
    def view(self, language: Language = "de") -> OrderView:
        """The full view, in a language."""
        return order_view(self._state, self._events, workflow.now(), language, "operations")

    @workflow.query(name=names.SNAPSHOT, description="The order and its events, for the records.")
    def snapshot(self) -> activities.Snapshot:
        """The order and its events, as the records hold them once they have caught up."""
        return self._snapshot(tuple(self._events))

    # --- the order -----------------------------------------------------------------------------------------------

    def _handle(
        self, command: Command, actor: Actor, at: datetime
    ) -> tuple[Order, tuple[Recorded, ...]]:
        return lifecycle.handle(self._state, command, actor, at)

    def _answer(self) -> Answer:
        order = self._state
        line = line_of_order(order) if order.status is Status.BILLED else None
        return Answer(version=order.version, status=order.status, digest=order.digest, line=line)

    def _cancellation(self) -> Cancel:
        return Cancel(reason="Cancelled in the Temporal UI")

    def _is_finished(self) -> bool:
        return self._state.status.is_final

    def _after_change(self) -> None:
        self._wake = self._wake_at()

    # --- time ----------------------------------------------------------------------------------------------------

    def _wake_at(self) -> datetime | None:
        if self._state.status.is_final:
            return None
        instants = [deadlines.next_instant(self._state)]
        if self._state.calendar != self._renewing_from:
            instants.append(_renewal(self._state.calendar))
        return min((at for at in instants if at is not None), default=None)

    def _next_instant(self) -> datetime | None:
        return self._wake

    def _watched(self) -> datetime | None:
        return self._wake

    def _pass_time(self) -> None:
        now = workflow.now()
        self._take(PassTime())
        calendar = self._state.calendar
        if calendar != self._renewing_from and _renewal(calendar) <= now:
            self._renewing_from = calendar
            self._renewal = self._background.start(self._renew(calendar))
            self._wake = self._wake_at()

    async def _renew(self, calendar: Calendar) -> None:
        renewed: Calendar = await self._background.start_activity(
            activities.PIN_CALENDAR,
            activities.CalendarWanted(
                canton=calendar.canton,
                policy=self._state.policy,
                start=calendar.local(workflow.now()).date(),
            ),
            result_type=Calendar,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=UNTIL_IT_SUCCEEDS,
            summary="Calendar of the next 18 months",
        )
        if self._state.calendar == calendar:
            self._take(RenewCalendar(calendar=renewed))

    # --- sending and recording -----------------------------------------------------------------------------------

    def _follow_ups(self, before: Order, events: tuple[Recorded, ...]) -> Iterable[Effect]:
        return effects(before, events)

    def _is_obsolete(self, item: Effect) -> bool:
        return is_obsolete(item, self._state)

    def _sent_by(self, item: Effect) -> tuple[str, str]:
        match item:
            case Mail():
                return activities.SEND_MAIL, f"{item.kind} to {item.audience}"
            case ShippingRequest():
                return activities.REQUEST_SHIPPING, f"attempt {item.attempt}"
            case ShippingStop():
                return activities.STOP_SHIPPING, f"stop of attempt {item.attempt}"
            case ShopNotice():
                return activities.NOTIFY_SHOP, item.kind
            case _:
                assert_never(item)

    def _note_outcome(self, item: Effect, outcome: Outcome) -> None:
        if outcome is Outcome.GIVEN_UP:
            _, summary = self._sent_by(item)
            # Runs of the first shell have recorded the summary, and a replay must do the same.
            mail = item.kind if isinstance(item, Mail) and self._shell >= 2 else summary
            self._take(NoteUndelivered(key=item.key, mail=mail))
        elif outcome is Outcome.SENT and isinstance(item, Mail) and item.kind == "new_order":
            self._take(ConfirmTransmission(partner_id=item.partner_id))

    def _snapshot(self, events: tuple[Recorded, ...]) -> activities.Snapshot:
        return activities.Snapshot(order=self._state, events=events, shell=self._shell)

    # --- the Temporal UI -----------------------------------------------------------------------------------------

    def _wake_summary(self, wake: datetime) -> str:
        return wake_summary(self._state, wake, self._display.language)

    def _details(self) -> str:
        return details(self._state, workflow.now(), self._display)

    def _search_attributes(self, shown: TypedSearchAttributes) -> list[SearchAttributeUpdate[Any]]:
        return search_attributes(self._state, shown)

    # --- the next run --------------------------------------------------------------------------------------------

    def _next_start(self) -> Start:
        carried = Carried(
            order=self._state,
            events=tuple(self._events[-EVENTS_CARRIED:]),
            unsaved=tuple(self._records.unsaved),
            outbox=self._outgoing.pending,
            answered=self._answered,
        )
        return Start(desk=self._display, shell=names.SHELL, carried=carried)


def _renewal(calendar: Calendar) -> datetime:
    return calendar.instant(calendar.last_day - RENEW_BEFORE_END, calendar.opens)


def _read(name: str, args: Sequence[RawValue]) -> Request:
    """The request that a message carries; its name must be that of its command.

    Raises:
        ApplicationError: of type `Unreadable`: it carries no request, or that of another command.
        NotUnderstood: its command, or a code in it, is one that only a newer process knows.
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
