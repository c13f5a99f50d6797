"""Orders of version 2 of the rules: every command in every state, who may do what, and any life whatever."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from pydantic import TypeAdapter

from domain.actors import SYSTEM, Actor
from domain.errors import InvalidCommand
from domain.orders.access import allowed
from domain.orders.ball import ball
from domain.orders.command_rules import ACTIONS, COMMANDS
from domain.orders.commands import (
    AdoptRules,
    Command,
    ConfirmExecution,
    DecideReview,
    Decline,
    PaymentReceived,
    Reopen,
    ReportProblem,
    Resume,
    SetAppointment,
    Unassign,
    Undo,
    WithdrawProblem,
)
from domain.orders.deadlines import next_due, next_instant
from domain.orders.effects import effects
from domain.orders.errors import Refused
from domain.orders.events import Recorded
from domain.orders.evolve import evolve
from domain.orders.explanation import explain
from domain.orders.internal import PassTime
from domain.orders.lifecycle import fold, handle
from domain.orders.order import Order, Status
from domain.orders.outgoing import Effect, Mail, ShippingRequest, ShippingStop
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.orders import test_lifecycle as first
from tests.domain.strategies import (
    ANNA,
    HUBER,
    MEIER,
    MET,
    POLICIES,
    ROSSI,
    SHOP,
    STANDARD,
    WAREHOUSE,
    Life,
    at,
    commands_of_2,
    intake_of,
    partner,
    reached,
    usual_actor,
)

# --- the table of docs/rules.md, "The life of an order", by hand -------------------------------------------------

ASKED: dict[str, Command] = {
    **first.ASKED,
    "confirm_execution": ConfirmExecution(early=True),
    "decline": Decline(reason="no_capacity"),
    "report_problem": ReportProblem(reason="site_not_ready"),
    "withdraw_problem": WithdrawProblem(),
    "resume": Resume(),
    "reopen": Reopen(reason="by mistake"),
    "undo": Undo(),
    "review: continue": DecideReview(decision="continue"),
    "review: wait_until": DecideReview(decision="wait_until", until=date(2026, 12, 14)),
    "unassign": Unassign(partner_id=HUBER.partner_id),
}

TABLE: dict[str, dict[str, str]] = {
    "awaiting_payment": {
        "payment_received": "in_transmission",
        "reassign": "awaiting_payment",
        "cancel": "cancelled",
    },
    "in_transmission": {"reassign": "in_transmission", "cancel": "cancelled"},
    "new": {
        "accept": "check_requirements",
        "decline": "unassigned",
        "reassign": "new",
        "cancel": "cancelled",
    },
    "unassigned": {"reassign": "new", "cancel": "cancelled"},
    "check_requirements": {
        "log_contact": "check_requirements",
        "confirm_requirements": "requirements_met",
        "reject_requirements": "under_review",
        "report_problem": "under_review",
        "reassign": "new",
        "cancel": "cancelled",
    },
    "requirements_met": {
        "goods_shipped": "set_appointment",
        "goods_received": "set_appointment",
        "log_contact": "requirements_met",
        "report_problem": "under_review",
        "reassign": "new",
        "cancel": "cancelled",
    },
    "set_appointment": {
        "log_contact": "set_appointment",
        "set_appointment": "confirm_execution",
        "report_problem": "under_review",
        "reassign": "new",
        "cancel": "cancelled",
    },
    "confirm_execution": {
        "confirm_execution": "completed",
        "set_appointment": "confirm_execution",
        "log_contact": "confirm_execution",
        "report_problem": "under_review",
        "report_not_executed": "under_review",
        "reassign": "new",
        "cancel": "cancelled",
    },
    "under_review": {
        "review: continue": "confirm_execution",
        "review: new_appointment": "set_appointment",
        "review: reship": "requirements_met",
        "review: wait_until": "on_hold",
        "review: cancel": "cancelled",
        "review: accept_as_executed": "completed",
        "withdraw_problem": "confirm_execution",
        "reassign": "new",
        "cancel": "cancelled",
    },
    "on_hold": {
        "resume": "confirm_execution",
        "log_contact": "on_hold",
        "report_problem": "under_review",
        "reassign": "new",
        "cancel": "cancelled",
    },
    "completed": {"bill": "billed", "reopen": "confirm_execution"},
    "billed": {},
    "cancelled": {},
}
# Never an error, wherever they come: they change nothing, are kept, or are told to operations.
TOLERATED = {
    "payment_received",
    "confirm_transmission",
    "goods_shipped",
    "goods_received",
    "unassign",
}
UNASSIGNS = {
    status for status in TABLE if status not in ("unassigned", "completed", "billed", "cancelled")
}

_PARTNERS = {
    "accept",
    "decline",
    "log_contact",
    "confirm_requirements",
    "reject_requirements",
    "report_problem",
    "withdraw_problem",
    "set_appointment",
    "confirm_execution",
    "report_not_executed",
    "resume",
    "undo",
}
_MAY = {
    "partner": {*_PARTNERS, "goods_received"},
    "operations": {
        *_PARTNERS,
        "goods_received",
        "cancel",
        "reassign",
        "reopen",
        "continue",
        "new_appointment",
        "reship",
        "wait_until",
        "accept_as_executed",
    },
    "shop": {"payment_received", "cancel"},
    "warehouse": {"goods_shipped", "goods_received"},
    "system": {"bill"},
    "accounting": set(),
}

BALL = {
    **first.BALL,
    "unassigned": "retailer",
    "on_hold": "customer",
}

DEADLINES = {  # when everything is reached as `reached` does, and the customer has been reached
    "awaiting_payment": {},
    "in_transmission": {"transmit": "2026-11-02 10:45"},
    "new": {"accept": "2026-11-03 18:00", "contact_customer": "2026-11-04 18:00"},
    "unassigned": {"assign": "2026-11-03 18:00"},
    "check_requirements": {
        "check_requirements": "2026-11-04 18:00",
        "contact_customer": "2026-11-04 18:00",
    },
    "requirements_met": {"goods": "2026-11-18 18:00"},
    "set_appointment": {"set_appointment": "2026-11-10 18:00"},
    "confirm_execution": {"confirm_execution": "2026-11-13 18:00"},
    "under_review": {"review": "2026-11-16 18:00"},
    "on_hold": {},
    "completed": {},
    "billed": {},
    "cancelled": {},
}


def listed(status: str) -> set[str]:
    return {first.action_named(name) for name in TABLE[status]}


def may(status: str, role: str) -> set[str]:
    return listed(status) & _MAY[role]


def test_the_tables_of_this_test_are_complete() -> None:
    states = {status.value for status in Status}
    assert set(TABLE) == set(BALL) == set(DEADLINES) == states
    internal = {"note_seen", "stretch_deadlines", "adopt_rules"}
    given = {
        action for each in COMMANDS if not each.until or each.until > 1 for action in each.actions
    }
    assert {first.action_named(name) for name in ASKED} | internal == given | {
        "confirm_transmission"
    }
    assert set(ACTIONS[2]) | {Status.BILLED, Status.CANCELLED} == set(Status)


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("name", ASKED)
def test_every_command_in_every_state(status: str, name: str) -> None:
    life = reached(Status(status), rules=2)
    before = life.order
    if name in TABLE[status]:
        events = life.do(ASKED[name])
        assert events, "it happened, and was written down"
        assert life.order.status == TABLE[status][name]
        assert life.order.version == before.version + len(events)
    elif name in TOLERATED:
        life.do(ASKED[name])
        unassigned = name == "unassign" and status in UNASSIGNS
        assert life.order.status == ("unassigned" if unassigned else status)
    else:
        with pytest.raises(Refused) as refused:
            life.do(ASKED[name])
        error = refused.value
        assert life.order is before
        assert error.status == status
        role = usual_actor(ASKED[name], before).role
        assert set(error.allowed) == (set() if error.code == "not_yours" else may(status, role))
        code = {"billed": "final", "cancelled": "final"}.get(status, "wrong_state")
        if name == "set_appointment" and status in {*first.BEFORE_GOODS, "unassigned"}:
            code = "before_goods"
        if name == "bill" and status == "billed":
            code = "other_settlement"
        if name == "undo" and status == "completed":
            code = "undo_over"
        if status == "unassigned" and role == "partner":
            code = "not_yours"
        assert error.code == code


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("role", _MAY)
def test_what_a_role_may_do_now(status: str, role: str) -> None:
    order = reached(Status(status), rules=2).order
    able = allowed(order, role)  # type: ignore[arg-type]
    assert set(able) == may(status, role)
    assert len(able) == len(set(able))


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("role", ["partner", "operations", "shop", "warehouse", "system"])
def test_who_may_not_is_refused(status: str, role: str) -> None:
    life = reached(Status(status), rules=2)
    before = life.order
    actor = partner() if role == "partner" else Actor(role=role)  # type: ignore[arg-type]
    systems = {"bill", "confirm_transmission", "unassign"}
    for name, command in ASKED.items():
        able = first.action_named(name) in _MAY[role] or (role == "system" and name in systems)
        if name in ("review: cancel", "unassign") and role != "system":
            able = role == "operations"
        if able:
            continue  # the table above
        with pytest.raises(Refused) as refused:
            life.do(command, by=actor)
        assert refused.value.code == "role", name
        assert life.order is before


@pytest.mark.parametrize("status", TABLE)
def test_who_has_the_ball_and_which_deadlines_run(status: str) -> None:
    life = reached(Status(status), rules=2)
    assert ball(life.order, life.now) == BALL[status]
    running = {d.kind for d in life.order.open_deadlines}
    assert {kind: life.due(kind) for kind in running} == DEADLINES[status]


@pytest.mark.parametrize("status", TABLE)
def test_another_partner_may_do_nothing(status: str) -> None:
    life = reached(Status(status), rules=2)
    before = life.order
    for command in ASKED.values():
        with pytest.raises(Refused) as refused:
            life.do(command, by=partner(MEIER))
        assert refused.value.code in ("not_yours", "role")
        assert set(refused.value.allowed) <= may(status, "partner")
        assert life.order is before


# --- any life whatever -------------------------------------------------------------------------------------------

# Which kinds of deadlines may run in which state; "-": none other than these, whatever has happened before.
MAY_RUN: dict[str, set[str]] = {
    "awaiting_payment": set(),
    "in_transmission": {"transmit"},
    "new": {"transmit", "accept", "contact_customer", "goods", "delivery"},
    "unassigned": {"assign", "goods", "delivery"},
    "check_requirements": {"transmit", "check_requirements", "contact_customer"},
    "requirements_met": {"transmit", "contact_customer", "goods"},
    "set_appointment": {"transmit", "contact_customer", "delivery", "set_appointment"},
    "confirm_execution": {"delivery", "confirm_execution"},
    "under_review": {"review", "goods", "delivery"},
    "on_hold": {"goods", "delivery"},
    "completed": set(),
    "billed": set(),
    "cancelled": set(),
}
NEEDED = {
    "unassigned": "assign",
    "requirements_met": "goods",
    "confirm_execution": "confirm_execution",
    "under_review": "review",
}
ENDS = ("cancel", "cancel_review", "bill")


class AnyLife(RuleBasedStateMachine):
    """Anybody asks anything at any time, under version 2 from the beginning or from some point on."""

    life: Life

    @initialize(
        policy=st.sampled_from(POLICIES),
        assignee=st.sampled_from([HUBER, ROSSI, MEIER]),
        prepaid=st.booleans(),
        version=st.sampled_from([2, 2, 2, 1]),
        start=st.integers(0, 260 * 24 * 60),
        ahead=st.integers(0, 12),
        hours=st.integers(0, 30),
    )
    def begin(self, policy, assignee, prepaid, version, start, ahead, hours):
        """Many lives have come some way already, lest few come to the later states."""
        intake = intake_of(policy, prepaid=prepaid, assignee=assignee, rules=version)
        self.life = Life(intake, at("2026-10-05 08:00") + timedelta(minutes=start))
        self.received = False
        self.check_state()
        for step in range(ahead):
            now = self.life.now = self.life.now + timedelta(hours=hours)
            way: dict[str, Command] = {
                "awaiting_payment": PaymentReceived(),
                "in_transmission": PassTime(),
                "new": self.possible()["accept_once"],
                "check_requirements": MET,
                "requirements_met": GoodsShipped(tracking=f"T-{step}"),
                "set_appointment": GoodsReceived()
                if not self.received and hours % 2
                else SetAppointment(start=now, end=now + timedelta(hours=4), unusual=True),
                "confirm_execution": ReportProblem(reason="site_not_ready")
                if hours % 3
                else ConfirmExecution(early=True),
            }
            command = way.get(self.life.order.status)
            if command is not None:
                self.take(command, usual_actor(command, self.life.order))

    def possible(self) -> dict[str, Command]:
        return {"accept_once": first.ASKED["accept"]}

    @precondition(lambda self: self.life.order.rules < 2)
    @rule()
    def adopts(self):
        """The order goes on under the newer rules, wherever it is."""
        self.take(AdoptRules(version=2, policy=STANDARD), SYSTEM)
        assert self.life.order.rules == 2 or self.life.order.status.is_final

    @rule(data=st.data(), by=first.advances())
    def somebody_asks(self, data, by):
        """Most of the time something that is allowed now, by whom it is; else anything by anybody."""
        self.life.now += by
        order = self.life.order
        possible = commands_of_2(order, self.life.now)
        sensible = [name for name in possible if name in listed(order.status)]
        sensible += ["note_seen", "stretch_deadlines", "goods_received", "goods_shipped"]
        lasting = [name for name in sensible if name not in ENDS] or sensible
        pick = data.draw(st.integers(0, 9))
        if pick >= 2:
            name = data.draw(st.sampled_from(lasting if pick >= 3 else sensible))
        else:
            name = data.draw(st.sampled_from(sorted(possible)))
        command = data.draw(possible[name]())
        actor = usual_actor(command, order)
        if data.draw(st.integers(0, 9)) == 0:
            actor = data.draw(
                st.sampled_from([SHOP, WAREHOUSE, ANNA, SYSTEM, partner(HUBER), partner(ROSSI)])
            )
        self.take(command, actor)

    @precondition(lambda self: next_instant(self.life.order) is not None)
    @rule(off=st.sampled_from([-1, 0, 0, 0, 1]))
    def time_passes(self, off):
        """The timer fires, punctual or nearly."""
        instant = next_instant(self.life.order)
        self.life.now = max(self.life.now, instant + timedelta(seconds=off))
        self.take(PassTime(), SYSTEM)

    def take(self, command: Command, actor: Actor) -> None:
        life = self.life
        before, known = life.order, len(life.events)
        refusal = None
        try:
            life.do(command, by=actor)
        except (Refused, InvalidCommand) as error:
            refusal = error
        if refusal is not None:
            assert life.order is before
            assert actor.role not in ("warehouse", "system") or isinstance(refusal, Refused)
        if isinstance(refusal, Refused) and actor.role == "warehouse":
            assert refusal.code == "role", "what the warehouse reports is never refused"
        if before.status.is_final:
            assert life.order.status is before.status
            assert life.order.executed_on == before.executed_on
        self.check_steps(before, life.events[known:], actor)
        self.check_state()

    def check_steps(self, before: Order, recorded: list[Recorded], actor: Actor) -> None:
        order = before
        for entry in recorded:
            event = entry.event
            after = evolve(order, entry)
            assert entry.seq == order.version + 1
            assert order.changed_at is None or entry.at >= order.changed_at
            if entry.by.startswith("partner:"):
                assert order.partner.partner_id == actor.partner_id
                assert order.status is not Status.UNASSIGNED
            asks = [e for e in effects(order, [entry]) if isinstance(e, ShippingRequest)]
            may_ask = event.type == "requirements_confirmed" or (
                event.type == "review_decided" and event.decision == "reship"
            )
            assert len(asks) == may_ask
            if event.type in ("execution_confirmed", "review_decided") and after.executed_on:
                self.check_execution(order, after, entry)
            if event.type == "goods_received":
                self.received = True
            if asks:
                self.received = False
                assert asks[0].attempt == len(order.shipments) + 1
            order = after
        assert order == self.life.order

    def check_execution(self, order: Order, after: Order, entry: Recorded) -> None:
        """Nothing is payable that was not done.

        Operations may accept an execution whose goods are only known to be on their way: a report of the receipt can
        be lost.
        """
        if order.rules < 2:
            return
        local = order.calendar.local
        assert after.executed_on is not None
        assert after.executed_on <= local(entry.at).date()
        received_at = order.shipments[-1].received_at
        if received_at is None:
            assert entry.event.type == "review_decided"
            assert order.shipments[-1].shipped_at is not None
        else:
            assert self.received
            assert local(received_at).date() <= after.executed_on

    def check_state(self) -> None:
        life, order = self.life, self.life.order
        assert order.status.value in TABLE
        assert (ball(order, life.now) is None) == order.status.is_final
        open_deadlines = order.open_deadlines
        running = [d.kind for d in open_deadlines]
        assert len(running) == len(set(running))
        if order.rules >= 2:
            assert set(running) <= MAY_RUN[order.status]
            needed = NEEDED.get(order.status)
            shipment = order.shipment
            if needed == "goods" and (shipment is None or shipment.shipped_at):
                needed = None
            assert needed is None or needed in running
            if order.status is Status.SET_APPOINTMENT and order.appointment_from:
                assert "set_appointment" in running or "transmit" in running
            if order.status is Status.NEW:
                assert "accept" in running or "transmit" in running
            if order.status is Status.UNASSIGNED:
                assert order.appointment is None
                assert order.transmitted_at is None
            if not order.status.is_final:
                interrupted = order.status in (Status.UNDER_REVIEW, Status.ON_HOLD)
                assert interrupted or order.resume_status is None
                assert (order.held_until is not None) == (order.status is Status.ON_HOLD)
        for deadline in open_deadlines:
            explanation = explain(order, deadline)
            assert explanation.due - explanation.started >= timedelta()
        for deadline in order.deadlines:
            assert (deadline.outcome is None) == deadline.is_open
            assert deadline.is_open or not deadline.missed or deadline.outcome == "missed"
        assert next_due(order) == min((d.due for d in open_deadlines), default=None)

        # No busy loop, and nothing twice: once time has passed it has passed, and the next instant is to come.
        passed, _ = handle(order, PassTime(), SYSTEM, life.now)
        assert handle(passed, PassTime(), SYSTEM, life.now) == (passed, ())
        coming = next_instant(passed)
        assert coming is None or coming > life.now
        if coming is not None:
            assert handle(passed, PassTime(), SYSTEM, coming)[1]
            assert handle(passed, PassTime(), SYSTEM, coming - timedelta(seconds=1))[1] == ()
        if order.status in ("completed", "billed", "cancelled"):
            assert coming is None

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        life, order = self.life, self.life.order
        assert fold(life.intake, life.events) == order
        assert [entry.seq for entry in life.events] == list(range(1, order.version + 1))
        keys = [effect.key for effect in life.outgoing]
        assert len(keys) == len(set(keys))
        asked = [e.attempt for e in life.outgoing if isinstance(e, ShippingRequest)]
        assert asked == list(range(1, len(order.shipments) + 1))
        stops = [e for e in life.outgoing if isinstance(e, ShippingStop)]
        assert len(stops) <= 1
        assert not stops or order.status is Status.CANCELLED
        assert Order.model_validate_json(order.model_dump_json()) == order
        adapter = TypeAdapter(list[Recorded])
        assert adapter.validate_json(adapter.dump_json(life.events)) == life.events
        outgoing = TypeAdapter(list[Effect])
        assert outgoing.validate_json(outgoing.dump_json(life.outgoing)) == life.outgoing
        self.check_mails()

    def check_mails(self) -> None:
        """A partner that has lost the order gets the mail about just that, and nothing more."""
        holder: str | None = self.life.intake.partner.partner_id
        order = fold(self.life.intake, self.life.events[:1])
        for entry in self.life.events[1:]:
            sent = [e for e in effects(order, [entry]) if isinstance(e, Mail)]
            order = evolve(order, entry)
            former, holder = holder, order.partner.partner_id
            for mail in sent:
                if mail.audience == "partner" and mail.partner_id != holder:
                    assert mail.kind == "reassigned"
                    assert mail.partner_id == former
                    assert not mail.facts.customer_name
                if mail.audience == "partner" and order.status is Status.UNASSIGNED:
                    assert mail.kind == "withdrawn"
                    assert not mail.facts.customer_name


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
