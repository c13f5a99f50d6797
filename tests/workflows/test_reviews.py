"""A service that was not executed: what operations may decide, and where each decision leads."""

from datetime import date

from domain.orders.commands import ConfirmExecution, DecideReview, ReportNotExecuted, SetAppointment
from domain.orders.order import Status
from tests.workflows.life import OPERATIONS, Life, Lives, zurich
from tests.workflows.test_lives import FRIDAY, due, until_appointed, until_checked


async def under_review(lives: Lives, reason: str) -> Life:
    """An order whose service was not executed on Wednesday the 2nd of December."""
    life = await lives.start(at=FRIDAY)
    await lives.until(zurich("2037-11-30 09:00"))
    await until_checked(life)
    await until_appointed(life, "2037-12-02 09:00", "2037-12-02 11:00")
    await lives.until(zurich("2037-12-02 12:00"))
    await life.do(ReportNotExecuted(reason=reason, note="Nachbarin gefragt"))
    assert (await life.order()).status is Status.UNDER_REVIEW
    return life


async def test_accepted_as_executed(lives: Lives) -> None:
    life = await under_review(lives, "other")
    await lives.until(zurich("2037-12-03 09:00"))
    await life.do(DecideReview(decision="accept_as_executed"), OPERATIONS)
    order = await life.order()
    assert order.status is Status.COMPLETED
    assert order.executed_on == date(2037, 12, 2)
    assert order.open_deadlines == ()


async def test_cancelled_after_review(lives: Lives) -> None:
    life = await under_review(lives, "wrong_goods")
    await life.do(DecideReview(decision="cancel", note="Gutschrift"), OPERATIONS)
    assert (await life.handle.result())["status"] == "cancelled"
    assert lives.outside.kinds("partner")[-1] == "cancelled"


async def test_a_new_appointment_after_review(lives: Lives) -> None:
    """The review is late: operations are reminded of it, and the partner's day begins with the decision."""
    life = await under_review(lives, "customer_absent")
    await lives.until(zurich("2037-12-07 10:00"))
    assert lives.outside.kinds("operations") == ["review_needed", "escalation"]
    await life.do(DecideReview(decision="new_appointment"), OPERATIONS)
    order = await life.order()
    assert order.status is Status.SET_APPOINTMENT
    # The 8th is the Immaculate Conception, which Zürich does not keep.
    assert due(order, "set_appointment") == zurich("2037-12-08 18:00")
    await life.do(SetAppointment(start=zurich("2037-12-09 09:00"), end=zurich("2037-12-09 11:00")))
    await lives.until(zurich("2037-12-09 12:00"))
    await life.do(ConfirmExecution())
    assert (await life.order()).executed_on == date(2037, 12, 9)
    assert len(lives.outside.requests) == 1
