"""One mail of every kind, as the domain makes them, in their audiences."""

from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any, Literal

from domain.actors import Actor
from domain.customer_policy import CustomerMailPolicy
from domain.orders.another_day import wish_mail, wish_of
from domain.orders.commands import (
    Accept,
    Cancel,
    DecideReview,
    Decline,
    Reassign,
    RejectRequirements,
    Reopen,
    ReportNotExecuted,
    ReportProblem,
    Resume,
    SetAppointment,
    Unassign,
    WithdrawProblem,
)
from domain.orders.effects import effects
from domain.orders.internal import ConfirmTransmission, NoteRefusal
from domain.orders.lifecycle import begin
from domain.orders.outgoing import Mail
from domain.orders.placement import Intake
from domain.orders.recorded_mails import Occasion, recorded_mails
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import DeadlinePolicy
from domain.policy_file import load_policy
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    COMPLETED,
    GOODS_THERE,
    MONDAY,
    REQUIREMENTS_MET,
    TRANSMITTED,
    Step,
    appointment,
    assignee,
    intake,
    lived,
    partner_actor,
)

WITHOUT_DEADLINES = "[deadlines]\n" + "\n".join(
    f'{name} = "none"' for name in DeadlinePolicy.model_fields
)
"""A policy without any deadline, and so without the step of accepting."""
CUSTOMERS_TOLD = "[customer_mails]\n" + "\n".join(
    f"{name} = true" for name in CustomerMailPolicy.model_fields
)
"""A policy by which customers get all mails."""
_DAYS = timedelta(days=1)
_FAILED: tuple[Step, ...] = (
    *AGREED,
    timedelta(days=2, hours=4),
    ReportNotExecuted(reason="transport_damage", note="Trommel verbeult.\nFotos folgen."),
)
_REFUSALS: dict[str, Actor] = {
    "partner": partner_actor(),
    "stranger": partner_actor("sanitaer-rossi"),
    "operations": Actor(role="operations", name="Anna", email="anna@shop.example"),
    "shop": Actor(role="shop", name="Shop-Schnittstelle"),
}


def mails_of(*steps: Step, of: Intake | None = None) -> tuple[Mail, ...]:
    """The mails of an order's life."""
    start = of or intake()
    _, events = lived(*steps, of=start)
    return tuple(e for e in effects(begin(start), events) if isinstance(e, Mail))


def one(kind: str, mails: Iterable[Mail], audience: str | None = None, which: int = -1) -> Mail:
    """The last mail of a kind (and audience), or another one."""
    return [m for m in mails if m.kind == kind and audience in (None, m.audience)][which]


def refusal(
    sender: Actor,
    *,
    action: str = "accept",
    code: str = "wrong_state",
    steps: tuple[Step, ...] = AGREED,
) -> Mail:
    """The mail about a command that was left as a signal and refused."""
    noted = NoteRefusal(refused=action, code=code, sender=sender)
    return one("command_refused", mails_of(*steps, noted))


@cache
def all_mails() -> dict[str, Mail]:
    """Every kind in every audience and shape that changes its words, by a name."""
    reassign = Reassign(
        partner=assignee("sanitaer-rossi"), calendar=intake().calendar, reason="Ferien"
    )
    no_accept = intake(policy=load_policy('[deadlines]\naccept = "none"'))
    partner_late = mails_of(*TRANSMITTED, *(timedelta(hours=6) for _ in range(24)))
    appointment_late = mails_of(*GOODS_THERE, *(timedelta(hours=6) for _ in range(12)))
    execution_late = mails_of(*AGREED, *(timedelta(hours=6) for _ in range(24)))
    goods_late = mails_of(*REQUIREMENTS_MET, 18 * _DAYS)
    review_late = mails_of(*_FAILED, 7 * _DAYS)
    not_sent = mails_of(timedelta(minutes=30), timedelta(minutes=15), 3 * _DAYS)
    found = {
        "new_order": one("new_order", mails_of(*TRANSMITTED)),
        "new_order_reassigned": one("new_order", mails_of(*TRANSMITTED, reassign)),
        "new_order_no_accept": one("new_order", mails_of(*TRANSMITTED, reassign, of=no_accept)),
        "transmission_failed": one("transmission_failed", not_sent, which=0),
        "transmission_failed_again": one("transmission_failed", not_sent),
        "goods_shipped": one(
            "goods_shipped", mails_of(*REQUIREMENTS_MET, GoodsShipped(tracking="99.1"))
        ),
        "goods_received": one("goods_received", mails_of(*REQUIREMENTS_MET, GoodsReceived())),
        "cancelled": one(
            "cancelled", mails_of(*TRANSMITTED, Cancel(reason="Storno durch Kundschaft"))
        ),
        "cancelled_while_sent": one(
            "cancelled", mails_of(timedelta(minutes=30), Cancel(reason="x"), ConfirmTransmission())
        ),
        "cancelled_by_review": one(
            "cancelled", mails_of(*_FAILED, DecideReview(decision="cancel", note="Gutschrift"))
        ),
        "reassigned": one("reassigned", mails_of(*TRANSMITTED, reassign)),
        "review_needed": one("review_needed", mails_of(*_FAILED)),
        "escalation_goods": one("escalation", goods_late),
        "escalation_review": one("escalation", review_late),
        "escalation_set_appointment": one("escalation", appointment_late, "partner", 0),
        "escalation_confirm_execution": one("escalation", execution_late, "partner", 0),
        "reminder_set_appointment": one("reminder", appointment_late),
        "reminder_confirm_execution": one("reminder", execution_late),
    }
    for mail in partner_late:
        if mail.kind in ("reminder", "escalation") and mail.facts.deadline:
            where = f"{mail.kind}_{mail.facts.deadline.kind}_{mail.audience}_{mail.facts.level}"
            found.setdefault(where, mail)
    for decision in ("new_appointment", "reship", "accept_as_executed"):
        decided = DecideReview(decision=decision, note="Danke für die Fotos.")
        found[f"review_decided_{decision}"] = one("review_decided", mails_of(*_FAILED, decided))
    for name, sender in _REFUSALS.items():
        code = "not_yours" if name == "stranger" else "wrong_state"
        found[f"command_refused_{name}"] = refusal(sender, code=code)
    found["command_refused_value"] = refusal(
        partner_actor(), action="set_appointment", code="move_needs_reason"
    )
    return found | second_rules() | recorded()


def recorded() -> dict[str, Mail]:
    """Every mail that follows from what the records store."""
    start = _second()
    until = (MONDAY + 20 * _DAYS).date()
    held = DecideReview(decision="wait_until", until=until)
    postponed = ReportProblem(reason="customer_postpones", until=until)
    early = (*AGREED, postponed, held, Resume())
    told = _second(policy=load_policy(CUSTOMERS_TOLD))
    return {
        "caller": recorded_of(*ACCEPTED, of=told)[-1],
        "visit_set": recorded_of(*AGREED, of=told)[-1],
        "visit_moved": recorded_of(*AGREED, _moved(3), of=told)[-1],
        "visit_tomorrow": recorded_of(*AGREED, of=told, occasion="day_before")[-1],
        "visit_cancelled": recorded_of(*AGREED, Cancel(reason="Storno"), of=told)[-1],
        "visit_cancelled_before": recorded_of(*ACCEPTED, Cancel(reason="Storno"), of=told)[-1],
        "visit_cancelled_new_one": recorded_of(
            *AGREED,
            ReportProblem(reason="site_not_ready", note="Der Plattenleger fehlt."),
            DecideReview(decision="new_appointment"),
            of=told,
        )[-1],
        "another_day": _wished("another_day", of=start),
        "another_day_late": _wished("another_day_late", of=start),
        "appointment_set": recorded_of(*AGREED, of=start)[0],
        "appointment_moved": recorded_of(*AGREED, _moved(3), of=start)[0],
        "appointment_stands_again": recorded_of(*early, of=start)[0],
    }


def _wished(kind: Literal["another_day", "another_day_late"], of: Intake) -> Mail:
    order, events = lived(*AGREED, of=of)
    return wish_mail(order, events[-1], wish_of(order, "Lieber am Freitag.", MONDAY), kind)


def recorded_of(
    *steps: Step, of: Intake | None = None, occasion: Occasion = "event"
) -> tuple[Mail, ...]:
    """The mails that the last event of an order's life causes in the records."""
    order, events = lived(*steps, of=of or intake())
    return recorded_mails(order, events, events[-1].seq, occasion)


def second_rules() -> dict[str, Mail]:
    """Every mail whose words version 2 of the rules changes, or that came with it."""
    start = _second()
    at_customers = _second(deliver_to="customer")
    without = _second(policy=load_policy(WITHOUT_DEADLINES))
    until = (MONDAY + 20 * _DAYS).date()
    rossi = Reassign(partner=assignee("sanitaer-rossi"), calendar=start.calendar, reason="Ferien")
    underway = (*REQUIREMENTS_MET, GoodsShipped(tracking="99.1"))
    postponed = ReportProblem(reason="customer_postpones", until=until)
    tiler = ReportProblem(reason="site_not_ready", note="Der Plattenleger fehlt.")
    held = DecideReview(decision="wait_until", until=until)

    def mail(
        kind: str, *steps: Step, of: Intake = start, audience: str | None = None, which: int = -1
    ) -> Mail:
        taken = (s for s in steps if of is not without or not isinstance(s, Accept))
        return one(kind, mails_of(*taken, of=of), audience, which)

    def decided(decision: Any, *steps: Step, of: Intake = start) -> Mail:
        return mail("review_decided", *steps, DecideReview(decision=decision), of=of)

    not_noticed = (timedelta(minutes=30), timedelta(minutes=16))
    declined = (*TRANSMITTED, Decline(reason="no_capacity", note="Ferien"))
    never = (*TRANSMITTED, *(timedelta(hours=6) for _ in range(24)))
    ended = Unassign(partner_id="elektro-huber")
    resumed = (postponed, held, 21 * _DAYS)
    return {
        "new_order_2": mail("new_order", *TRANSMITTED),
        "new_order_2_without_deadlines": mail("new_order", *TRANSMITTED, of=without),
        "new_order_2_goods_shipped": mail("new_order", *underway, rossi),
        "new_order_2_goods_at_customers": mail("new_order", *underway, rossi, of=at_customers),
        "new_order_2_goods_requested": mail("new_order", *REQUIREMENTS_MET, rossi, of=without),
        "transmission_failed_2": mail("transmission_failed", *not_noticed),
        "transmission_failed_2_again": mail("transmission_failed", *not_noticed, 3 * _DAYS),
        "goods_shipped_2": mail("goods_shipped", *underway),
        "goods_received_2": mail("goods_received", *GOODS_THERE),
        "goods_received_2_without_deadlines": mail("goods_received", *GOODS_THERE, of=without),
        "cancelled_2": mail("cancelled", *AGREED, Cancel(reason="Storno")),
        "reassigned_2": mail("reassigned", *underway, rossi),
        "withdrawn_not_accepted": mail("withdrawn", *never),
        "withdrawn_partner_ended": mail("withdrawn", *underway, ended),
        "unassigned_declined": mail("unassigned", *declined),
        "unassigned_not_accepted": mail("unassigned", *never),
        "unassigned_partner_ended": mail("unassigned", *TRANSMITTED, ended, of=without),
        "escalation_2_accept": mail("escalation", *never, audience="partner", which=0),
        "escalation_2_accept_operations": mail(
            "escalation", *never, audience="operations", which=0
        ),
        "escalation_2_delivery": mail("escalation", *underway, 8 * _DAYS),
        "escalation_2_delivery_customer": mail("escalation", *underway, 8 * _DAYS, of=at_customers),
        "escalation_2_assign": mail("escalation", *declined, 3 * _DAYS),
        "review_needed_rejected": mail(
            "review_needed", *ACCEPTED, RejectRequirements(reason="no_space")
        ),
        "review_needed_problem": mail("review_needed", *AGREED, tiler),
        "review_needed_postponed": mail("review_needed", *ACCEPTED, postponed),
        "review_needed_without_deadlines": mail("review_needed", *ACCEPTED, tiler, of=without),
        "problem_withdrawn": mail("problem_withdrawn", *AGREED, tiler, WithdrawProblem()),
        "moved_again": mail("moved_again", *AGREED, _moved(3), _moved(4)),
        "goods_unexpected_shipped": mail(
            "goods_unexpected", *REQUIREMENTS_MET, Cancel(reason="x"), GoodsShipped(tracking="99.2")
        ),
        "goods_unexpected_received": mail(
            "goods_unexpected", *underway, Cancel(reason="x"), GoodsReceived(), of=at_customers
        ),
        "reopened": mail(
            "reopened", *COMPLETED, Reopen(reason="Das Foto zeigt ein anderes Gerät.")
        ),
        "reopened_without_deadlines": mail("reopened", *COMPLETED, Reopen(reason="x"), of=without),
        "hold_ended": mail("hold_ended", *ACCEPTED, *resumed),
        "hold_ended_appointment_stands": mail("hold_ended", *GOODS_THERE, _moved(30), *resumed),
        "hold_ended_appointment_over": mail("hold_ended", *AGREED, *resumed),
        "hold_ended_over_without_deadlines": mail("hold_ended", *AGREED, *resumed, of=without),
        "hold_ended_goods_awaited": mail("hold_ended", *REQUIREMENTS_MET, *resumed),
        "hold_ended_without_deadlines": mail("hold_ended", *ACCEPTED, *resumed, of=without),
        "review_decided_2_new_appointment": decided("new_appointment", *AGREED, tiler, of=without),
        "review_decided_2_reship": decided("reship", *AGREED, tiler),
        "review_decided_continue": decided("continue", *AGREED, tiler),
        "review_decided_continue_over": decided("continue", *AGREED, 3 * _DAYS, tiler),
        "review_decided_continue_goods_awaited": decided("continue", *REQUIREMENTS_MET, tiler),
        "review_decided_wait_until": mail("review_decided", *ACCEPTED, postponed, held),
        "review_decided_wait_until_appointment": mail("review_decided", *AGREED, postponed, held),
    }


def _second(deliver_to: str = "partner", **changes: Any) -> Intake:
    start = intake(rules=2, **changes)
    placed = start.placement.model_copy(update={"deliver_to": deliver_to})
    return start.model_copy(update={"placement": placed})


def _moved(days: int) -> SetAppointment:
    """An appointment that the partner moves to so many days after `MONDAY`."""
    return appointment(24 * days, reason="Der Monteur ist krank.")
