"""Orders to test the domain with: what they start from, how they live, everything one may ask of them."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, get_args
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.orders.catalogue import checklist
from domain.orders.codes import ProblemReason
from domain.orders.commands import (
    Accept,
    AdoptRules,
    Bill,
    Cancel,
    Command,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    Decline,
    LogContact,
    NoteSeen,
    PaymentReceived,
    Reassign,
    RejectRequirements,
    Reopen,
    ReportNotExecuted,
    ReportProblem,
    Resume,
    SetAppointment,
    StretchDeadlines,
    Unassign,
    Undo,
    WithdrawProblem,
)
from domain.orders.deadline import Deadline
from domain.orders.deadlines import next_instant
from domain.orders.effects import effects
from domain.orders.events import Event, Recorded
from domain.orders.internal import (
    ConfirmTransmission,
    NoteRefusal,
    NoteUndelivered,
    PassTime,
    RenewCalendar,
)
from domain.orders.lifecycle import fold, handle, place
from domain.orders.order import Order, Status
from domain.orders.outgoing import Effect
from domain.orders.placement import Assignee, Customer, Intake, Placement, Product, Service
from domain.orders.recorded_mails import mail_kinds
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import Policy
from domain.policy_file import load_policy

ZURICH = ZoneInfo("Europe/Zurich")
PINNED = date(2026, 10, 1)

HUBER = Assignee(partner_id="elektro-huber", name="Elektro Huber AG", canton="ZH", language="de")
ROSSI = Assignee(partner_id="rossi-sagl", name="Rossi Sagl", canton="TI", language="it")
MEIER = Assignee(partner_id="meier-luzern", name="Meier GmbH", canton="LU", language="fr")
PARTNERS = (HUBER, ROSSI, MEIER)

SHOP = Actor(role="shop")
WAREHOUSE = Actor(role="warehouse")
ANNA = Actor(role="operations", name="Anna")


def partner(assignee: Assignee = HUBER) -> Actor:
    """A login of a firm."""
    return Actor(role="partner", name="Beat", partner_id=assignee.partner_id, email="b@example.ch")


STANDARD = Policy()
NO_ACCEPT = load_policy('[deadlines]\naccept = "none"')
SECONDS = load_policy(
    """
    [transmission]
    hold = "2 seconds"
    alarm = "4 seconds"
    [deadlines]
    accept = "5 seconds"
    check_requirements = "6 seconds"
    contact_customer = "7 seconds"
    set_appointment = "5 seconds"
    confirm_execution = "5 seconds"
    review = "5 seconds"
    goods = "0 seconds"
    [escalation]
    remind_before = "2 seconds"
    repeat_every = "3 seconds"
    repeats = 2
    office_hours_only = false
    """
)
IN_OFFICE = load_policy(  # plain durations that end at night, mails that wait for the morning
    """
    [transmission]
    hold = "0 seconds"
    [deadlines]
    accept = "6 hours"
    check_requirements = "3 days"
    contact_customer = "10 hours"
    set_appointment = "90 minutes"
    confirm_execution = "0 seconds"
    review = "1 hour"
    [escalation]
    remind_before = "1 working day"
    repeat_every = "0 seconds"
    """
)
POLICIES = (STANDARD, NO_ACCEPT, SECONDS, IN_OFFICE)


def at(text: str) -> datetime:
    """The instant of a Zürich wall-clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZURICH).astimezone(UTC)


def shown(instant: datetime | None) -> str | None:
    """The Zürich wall-clock time of an instant, as `at` reads it; the domain's own clock has no part in it."""
    return f"{instant.astimezone(ZURICH):%Y-%m-%d %H:%M}" if instant else None


def placement(**changes: Any) -> Placement:
    """An order as the shop places it."""
    facts = {
        "sp_id": "SP-1048213",
        "sales_order_id": "48392011",
        "partner_id": HUBER.partner_id,
        "customer": Customer(
            name="Verena Muster",
            email="verena@example.ch",
            phone="+41 79 000 00 00",
            street="Seeweg 4",
            postal_code="8800",
            city="Thalwil",
            language="de",
        ),
        "product": Product(sku="WM-1", name="Waschmaschine", quantity=1),
        "service": Service(code="install-washing-machine", name="Anschluss", fee="129.00"),
    }
    return Placement(**{**facts, **changes})


@cache
def intake(
    policy_text: str = "",
    *,
    prepaid: bool = False,
    assignee: Assignee = HUBER,
    rules: int = 1,
    customer_holidays: tuple[date, ...] = (),
) -> Intake:
    """What an order starts from, with a policy as its TOML file."""
    return intake_of(
        load_policy(policy_text),
        prepaid=prepaid,
        assignee=assignee,
        rules=rules,
        customer_holidays=customer_holidays,
    )


def intake_of(
    policy: Policy,
    *,
    prepaid: bool = False,
    assignee: Assignee = HUBER,
    rules: int = 1,
    customer_holidays: tuple[date, ...] = (),
    **changes: Any,
) -> Intake:
    """What an order starts from, placed under a version of the rules; `changes` are those of the placement."""
    return Intake(
        placement=placement(prepaid=prepaid, partner_id=assignee.partner_id, **changes),
        partner=assignee,
        policy=policy,
        calendar=pin_calendar(assignee.canton, policy, PINNED),
        rules=rules,
        customer_holidays=customer_holidays,
    )


def reassign(to: Assignee = ROSSI, policy: Policy = STANDARD) -> Reassign:
    """Another partner, with its own calendar."""
    return Reassign(
        partner=to, calendar=pin_calendar(to.canton, policy, PINNED), reason="Too many orders"
    )


@dataclass
class Life:
    """An order that lives: what it is, what happened, what went out. Times are Zürich wall-clock texts."""

    intake: Intake
    now: datetime
    order: Order = field(init=False)
    events: list[Recorded] = field(init=False)
    outgoing: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.events = [place(self.intake, self.now)]
        self.order = fold(self.intake, self.events)

    def do(
        self, command: Command, when: str | datetime | None = None, by: Actor | None = None
    ) -> list[Event]:
        """Take a command at an instant (now if none is said), by the one whose it is if nobody else does it."""
        if when is not None:
            self.now = at(when) if isinstance(when, str) else when
        before = self.order
        actor = by or usual_actor(command, before)
        self.order, recorded = handle(before, command, actor, self.now)
        self.events += recorded
        self.outgoing += effects(before, recorded)
        return [r.event for r in recorded]

    def let_pass(self, until: str) -> list[tuple[str, Event]]:
        """Sleep as the workflow does, from one instant to the next, until an instant; what happened, and when."""
        seen: list[tuple[str, Event]] = []
        while (instant := next_instant(self.order)) is not None and instant <= at(until):
            assert instant > self.now or not seen, "time does not pass"
            events = self.do(PassTime(), max(instant, self.now))
            assert events, "woken for nothing"
            seen += [(shown(self.now) or "", event) for event in events]
        self.now = at(until)
        return seen

    def deadline(self, kind: str) -> Deadline | None:
        """The open deadline of a kind."""
        found = [d for d in self.order.open_deadlines if d.kind == kind]
        assert len(found) <= 1, "two open deadlines of a kind"
        return found[0] if found else None

    def due(self, kind: str) -> str | None:
        """When a deadline is due."""
        deadline = self.deadline(kind)
        return shown(deadline.due) if deadline else None

    def outcomes(self, kind: str) -> list[str | None]:
        """How the deadlines of a kind ended, in their order."""
        return [d.outcome for d in self.order.deadlines if d.kind == kind]


def usual_actor(command: Command, order: Order) -> Actor:
    """Whose command it is."""
    match command:
        case PaymentReceived():
            return SHOP
        case GoodsShipped() | GoodsReceived():
            return WAREHOUSE
        case Cancel() | Reassign() | DecideReview() | AdoptRules() | Reopen():
            return ANNA
        case (
            PassTime()
            | ConfirmTransmission()
            | NoteRefusal()
            | NoteUndelivered()
            | RenewCalendar()
            | Bill()
            | NoteSeen()
            | StretchDeadlines()
            | Unassign()
        ):
            return SYSTEM
        case _:
            return partner(order.partner)


MET = ConfirmRequirements(
    checklist=dict.fromkeys(checklist(placement().service.code), "yes"), note="all fine"
)


def appointment(
    start: str = "2026-11-12 09:00", hours: int = 2, reason: str = ""
) -> SetAppointment:
    """A date with the customer."""
    return SetAppointment(start=at(start), end=at(start) + timedelta(hours=hours), reason=reason)


# One way into each state, a step a line; the same instants whichever state is wanted.
_WAY: tuple[tuple[Status, str, Command], ...] = (
    (Status.IN_TRANSMISSION, "2026-11-02 10:00", PaymentReceived()),
    (Status.IN_TRANSMISSION, "2026-11-02 10:30", PassTime()),
    (Status.NEW, "2026-11-02 10:31", ConfirmTransmission()),
    (Status.CHECK_REQUIREMENTS, "2026-11-03 09:00", Accept()),
    (Status.REQUIREMENTS_MET, "2026-11-04 09:00", MET),
    (Status.SET_APPOINTMENT, "2026-11-06 09:00", GoodsShipped(tracking="T-1")),
    (Status.SET_APPOINTMENT, "2026-11-09 09:00", GoodsReceived()),
    (Status.CONFIRM_EXECUTION, "2026-11-09 11:00", appointment()),
    (Status.UNDER_REVIEW, "2026-11-12 12:00", ReportNotExecuted(reason="customer_absent")),
    (Status.COMPLETED, "2026-11-13 09:00", DecideReview(decision="accept_as_executed")),
    (Status.BILLED, "2026-12-01 09:00", Bill(settlement_id="settlement-a")),
)


# Version 2: the order is visible at the end of its hold, and its notice follows.
_WAY_2: tuple[tuple[Status, str, Command], ...] = (_WAY[0], (Status.NEW, *_WAY[1][1:]), *_WAY[2:])

# From which state, when and how one comes to the states beside the way.
_BESIDE: dict[Status, tuple[Status, str, Command]] = {
    Status.CANCELLED: (
        Status.CHECK_REQUIREMENTS,
        "2026-11-03 10:00",
        Cancel(reason="changed my mind"),
    ),
    Status.UNASSIGNED: (Status.NEW, "2026-11-02 14:00", Decline(reason="no_capacity")),
    Status.ON_HOLD: (
        Status.UNDER_REVIEW,
        "2026-11-13 09:00",
        DecideReview(decision="wait_until", until=date(2026, 11, 23)),
    ),
}


def reached(
    status: Status, *, received: bool = True, policy_text: str = "", rules: int = 1
) -> Life:
    """A life that has come to a state; `received=False` stops before the goods are received.

    All times but that of the order's placement (Sunday, 1 November 2026) are in `_WAY` and `_BESIDE`.
    """
    life = copy(_reached(status, received, policy_text, rules))
    life.events, life.outgoing = list(life.events), list(life.outgoing)
    return life


@cache
def _reached(status: Status, received: bool, policy_text: str, rules: int) -> Life:
    if status in _BESIDE:
        before, when, command = _BESIDE[status]
        life = reached(before, policy_text=policy_text, rules=rules)
        life.do(command, when)
        return life
    life = Life(intake(policy_text, prepaid=True, rules=rules), at("2026-11-01 12:00"))
    if status is Status.AWAITING_PAYMENT:
        return life
    for state, when, command in _WAY if rules < 2 else _WAY_2:
        life.do(command, when)
        if rules >= 2:
            if life.order.status is status and _is_ready(life.order, received):
                return life
            assert life.order.status is state
            continue
        if life.order.status is status and status is not Status.IN_TRANSMISSION:
            if (
                status is Status.SET_APPOINTMENT
                and received
                and life.order.shipments[-1].received_at is None
            ):
                continue
            return life
        if status is Status.IN_TRANSMISSION and life.order.sending_since:
            return life
        assert life.order.status is state
    raise AssertionError(f"no way leads to {status}")


def _is_ready(order: Order, received: bool) -> bool:
    """Whether the notice is out, and the goods are there, if they are to be."""
    if order.status is Status.NEW:
        return order.notified_at is not None
    if order.status is Status.SET_APPOINTMENT and received:
        return order.shipments[-1].received_at is not None
    return True


# --- everything one may ask --------------------------------------------------------------------------------------

notes = st.sampled_from(["", "a note"])
trackings = st.sampled_from(["T-1", "T-2", "T-3"])
around = st.integers(-72, 72).map(lambda hours: timedelta(hours=hours))
at_any_time = around | st.integers(-400, 400).map(lambda days: timedelta(days=days))
answers = st.sampled_from(["yes", "yes", "yes", "not_applicable", "no"])
durations = st.sampled_from(
    [timedelta(hours=2), timedelta(minutes=1), timedelta(days=3), timedelta(0)]
)

Commands = dict[str, Callable[[], st.SearchStrategy[Command]]]
"""For each action, what makes the strategy of its commands. To make all takes longer than a step of a life."""


def commands(order: Order, now: datetime) -> Commands:
    """For each action, the commands that ask it of this order: mostly sensible ones."""
    asked = checklist(order.intake.placement.service.code)

    def decide(decision: str) -> st.SearchStrategy[Command]:
        return st.builds(DecideReview, decision=st.just(decision), note=notes)

    others = [p for p in PARTNERS if p.partner_id != order.partner.partner_id]
    return {
        "payment_received": lambda: st.just(PaymentReceived()),
        "confirm_transmission": lambda: st.just(ConfirmTransmission()),
        "accept": lambda: st.just(Accept()),
        "log_contact": lambda: st.builds(
            LogContact, outcome=st.sampled_from(["reached", "not_reached"]), note=notes
        ),
        "confirm_requirements": lambda: st.builds(
            ConfirmRequirements,
            checklist=st.fixed_dictionaries(dict.fromkeys(asked, answers)),
            note=notes,
        ),
        "reject_requirements": lambda: st.builds(
            RejectRequirements, reason=st.sampled_from(["no_space", "other"]), note=notes
        ),
        "goods_shipped": lambda: st.builds(GoodsShipped, tracking=trackings),
        "goods_received": lambda: st.builds(
            GoodsReceived, received_at=st.one_of(st.none(), at_any_time.map(lambda by: now + by))
        ),
        "set_appointment": lambda: st.builds(
            lambda after, length, reason: SetAppointment(
                start=now + after, end=now + after + length, reason=reason
            ),
            at_any_time,
            durations,
            st.sampled_from(["moved", "moved", ""]),
        ),
        "confirm_execution": lambda: st.builds(
            ConfirmExecution,
            executed_on=st.one_of(st.none(), at_any_time.map(lambda by: (now + by).date())),
            note=notes,
        ),
        "report_not_executed": lambda: st.builds(
            ReportNotExecuted, reason=st.sampled_from(["customer_absent", "other"]), note=notes
        ),
        "new_appointment": lambda: decide("new_appointment"),
        "reship": lambda: decide("reship"),
        "accept_as_executed": lambda: decide("accept_as_executed"),
        "cancel_review": lambda: decide("cancel"),
        "cancel": lambda: st.just(Cancel(reason="out of stock")),
        "reassign": lambda: st.sampled_from([*others, order.partner]).map(
            lambda to: reassign(to, order.policy)
        ),
        "bill": lambda: st.builds(
            Bill, settlement_id=st.sampled_from(["settlement-a", "settlement-b"])
        ),
        "note_undelivered": lambda: st.builds(
            NoteUndelivered, key=st.just("k"), mail=st.sampled_from(mail_kinds())
        ),
        "note_refusal": lambda: st.just(
            NoteRefusal(refused="accept", code="not_yours", sender=partner(MEIER))
        ),
        "renew_calendar": lambda: st.just(
            RenewCalendar(calendar=pin_calendar(order.partner.canton, order.policy, now.date()))
        ),
    }


def commands_of_2(order: Order, now: datetime) -> Commands:
    """For each action of version 2 of the rules, the commands that ask it of this order."""
    days = st.integers(-2, 400).map(lambda by: (now + timedelta(days=by)).date())
    coming = st.integers(1, 90).map(lambda by: (now + timedelta(days=by)).date())
    before = st.integers(0, 96).map(lambda hours: now - timedelta(hours=hours))

    def decide(decision: str, until: st.SearchStrategy[date | None]) -> st.SearchStrategy[Command]:
        return st.builds(DecideReview, decision=st.just(decision), note=notes, until=until)

    return {
        **commands(order, now),
        "confirm_transmission": lambda: st.builds(
            ConfirmTransmission,
            partner_id=st.sampled_from([None, order.partner.partner_id, ROSSI.partner_id]),
        ),
        "reject_requirements": lambda: st.builds(
            RejectRequirements,
            reason=st.sampled_from(["no_space", "other", "customer_unreachable"]),
            note=notes,
        ),
        "goods_received": lambda: st.builds(
            GoodsReceived,
            received_at=st.one_of(st.none(), around.map(lambda by: now + by)),
            damaged=st.sampled_from([False, False, True]),
        ),
        "set_appointment": lambda: st.builds(
            lambda day, hour, length, reason, by, unusual: SetAppointment(
                start=now.replace(hour=hour, minute=0) + timedelta(days=day),
                end=now.replace(hour=hour, minute=0) + timedelta(days=day, hours=length),
                reason=reason,
                moved_by=by,
                unusual=unusual,
            ),
            st.integers(0, 62),
            st.integers(0, 23),
            st.sampled_from([0, 1, 2, 30]),
            st.sampled_from(["moved", "moved", ""]),
            st.sampled_from(["customer", "partner"]),
            st.booleans(),
        ),
        "confirm_execution": lambda: st.builds(
            ConfirmExecution,
            executed_on=st.none() | st.integers(-5, 1).map(lambda by: (now + timedelta(by)).date()),
            early=st.booleans(),
        ),
        "report_problem": lambda: st.builds(
            ReportProblem,
            reason=st.sampled_from(get_args(ProblemReason)),
            note=notes,
            until=st.none() | days,
        ),
        "withdraw_problem": lambda: st.just(WithdrawProblem()),
        "decline": lambda: st.builds(
            Decline, reason=st.sampled_from(["no_capacity", "other"]), note=notes
        ),
        "resume": lambda: st.just(Resume()),
        "reopen": lambda: st.just(Reopen(reason="by mistake")),
        "undo": lambda: st.just(Undo()),
        "continue": lambda: decide("continue", st.none()),
        "wait_until": lambda: decide("wait_until", coming | days | st.none()),
        "unassign": lambda: st.sampled_from([order.partner, ROSSI]).map(
            lambda of: Unassign(partner_id=of.partner_id)
        ),
        "note_seen": lambda: st.sampled_from([order.partner, ROSSI]).map(
            lambda of: NoteSeen(partner_id=of.partner_id)
        ),
        "stretch_deadlines": lambda: st.builds(
            lambda begin, minutes: StretchDeadlines(
                begin=begin, end=min(begin + timedelta(minutes=minutes), now)
            ),
            before,
            st.integers(15, 3000),
        ),
        "adopt_rules": lambda: st.just(AdoptRules(version=2, policy=STANDARD)),
    }
