"""One mail of every kind, as the domain makes them, in their audiences."""

from collections.abc import Iterable
from datetime import timedelta

from domain.actors import Actor
from domain.orders.commands import Cancel, DecideReview, Reassign, ReportNotExecuted
from domain.orders.effects import effects
from domain.orders.internal import ConfirmTransmission, NoteRefusal
from domain.orders.lifecycle import begin
from domain.orders.outgoing import Mail
from domain.orders.placement import Intake
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy_file import load_policy
from tests.support.builders import (
    AGREED,
    GOODS_THERE,
    REQUIREMENTS_MET,
    TRANSMITTED,
    Step,
    assignee,
    intake,
    lived,
    partner_actor,
)

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
    return found
