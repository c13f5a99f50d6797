"""What a process makes of values that a newer one wrote."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_type_hints

import pytest
from pydantic import Field, TypeAdapter, ValidationError

import words
from contracts.messages import fingerprint
from domain.errors import NotUnderstood
from domain.orders import lifecycle
from domain.orders.access import allowed, why_not
from domain.orders.ball import ball
from domain.orders.commands import Cancel, SetAppointment
from domain.orders.events import Billed, Event, NotExecuted, Recorded, UnknownEvent
from domain.orders.evolve import evolve
from domain.orders.order import Status
from domain.orders.request import Request, is_newer
from domain.settlements import access as settlement_access
from domain.settlements import lifecycle as settlement_lifecycle
from domain.settlements.events import SettlementRecorded
from domain.settlements.settlement import SettlementStatus
from domain.values import LANGUAGES, OPEN, Input, Value, without_unknown
from tests.support.builders import AGREED, MONDAY, OPERATIONS, lived
from tests.support.settlements import issued, opening, settled

EVENT: TypeAdapter[Any] = TypeAdapter(Event)


class Part(Value):
    """A value inside."""

    name: str


class Whole(Value):
    """A value with values inside."""

    part: Part
    parts: tuple[Part, ...] = ()
    by_name: dict[str, Part] = Field(default_factory=dict)


NEWER = {
    "part": {"name": "a", "new": 1},
    "parts": [{"name": "b", "new": [2]}],
    "by_name": {"c": {"name": "c", "new": {"x": 3}}},
    "new": None,
}


def test_unknown_fields_are_kept_through_changes_and_not_shown() -> None:
    whole = Whole.model_validate(NEWER)
    changed = whole.model_copy(update={"parts": (*whole.parts, Part(name="d"))})
    assert changed.model_dump() == {**NEWER, "parts": [*NEWER["parts"], {"name": "d"}]} | {
        "parts": ({"name": "b", "new": [2]}, {"name": "d"})
    }
    known = Whole(part=Part(name="a"), parts=(Part(name="b"),), by_name={"c": Part(name="c")})
    assert without_unknown(whole) == known
    assert without_unknown(known) is known


def _replaceable(value: type[Value] = Value) -> Iterator[type[Value]]:
    if "replace" in vars(value):
        yield value
    for each in value.__subclasses__():
        yield from _replaceable(each)


@pytest.mark.parametrize("value", list(_replaceable()))
def test_what_may_be_replaced_are_fields_of_the_value(value: Any) -> None:
    (changes,) = get_args(get_type_hints(value.replace)["changes"])
    fields = get_type_hints(value, include_extras=True)
    replaced = get_type_hints(changes, include_extras=True)
    assert replaced == {name: fields[name] for name in replaced}


@pytest.mark.parametrize("depth", ["part", "parts", "by_name"])
def test_from_outside_they_are_refused_at_any_depth(depth: str) -> None:
    plain: dict[str, Any] = {"part": {"name": "a"}}
    assert Whole.model_validate(plain, extra="forbid")
    with pytest.raises(ValidationError) as refused:
        Whole.model_validate({**plain, depth: NEWER[depth]}, extra="forbid")
    (error,) = refused.value.errors()
    assert (error["type"], error["loc"][0], error["loc"][-1]) == ("extra_forbidden", depth, "new")

    class Body(Input):
        name: str

    with pytest.raises(ValidationError, match="nmae"):
        Body.model_validate({"name": "a", "nmae": "b"})


def test_a_name_of_a_newer_process_is_kept_as_it_is() -> None:
    status = TypeAdapter(Status).validate_json('"parked"')
    assert (status, status.value, str(status), f"{status}") == ("parked",) * 4
    assert not status.is_known
    assert not status.is_final
    assert status not in set(Status)
    assert "parked" not in Status.__members__
    assert status == Status("parked")
    assert all(each.is_known for each in Status)
    assert TypeAdapter(Status).dump_json(status) == b'"parked"'
    kind = TypeAdapter(Annotated[Literal["met", "missed"], OPEN])
    assert [kind.validate_python(each) for each in ("met", "waived")] == ["met", "waived"]
    for nothing in (None, 7, ["parked"]):
        with pytest.raises(ValidationError):
            TypeAdapter(Status).validate_python(nothing)


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "parked", "until": "2026-12-01"},
        {"type": "review_decided", "decision": "ask_again", "note": "", "executed_on": None},
    ],
)
def test_an_event_of_a_newer_process_is_kept_and_never_applied(raw: dict[str, Any]) -> None:
    event = EVENT.validate_python(raw)
    assert isinstance(event, UnknownEvent)
    assert event.model_dump(mode="json") == raw
    order, _ = lived(*AGREED)
    recorded = Recorded(seq=order.version + 1, at=MONDAY, by="system", event=event)
    assert Recorded.model_validate_json(recorded.model_dump_json()) == recorded
    with pytest.raises(NotUnderstood, match=raw["type"]):
        evolve(order, recorded)
    of = opening("SP-1")
    snapshot = settled(of, *issued(of))
    told = SettlementRecorded(seq=99, at=MONDAY, by="system", event=event)
    with pytest.raises(NotUnderstood, match=raw["type"]):
        settlement_lifecycle.evolve(snapshot.settlement, told)
    for language in LANGUAGES:
        said = words.event_text(recorded, language, order.calendar.local)
        assert said == words.settlement_event_text(told, language, order.calendar.local)
        assert len(said) > 20


def test_known_events_are_themselves() -> None:
    assert isinstance(EVENT.validate_python({"type": "billed", "settlement_id": "V-1"}), Billed)
    reason = EVENT.validate_python({"type": "not_executed", "reason": "flooded", "note": ""})
    assert isinstance(reason, NotExecuted)
    assert reason.reason == "flooded"
    with pytest.raises(ValidationError):
        EVENT.validate_python({"no": "type"})


def test_a_state_of_a_newer_process_allows_nothing() -> None:
    order, _ = lived(*AGREED)
    lifecycle.check_understood(order)
    newer = order.model_copy(update={"status": Status("parked")})
    assert allowed(newer, "operations") == ()
    assert ball(newer, MONDAY) is None
    assert why_not(newer, "cancel") == "wrong_state"
    with pytest.raises(NotUnderstood, match="parked"):
        lifecycle.check_understood(newer)
    with pytest.raises(NotUnderstood, match="rules version 99"):
        lifecycle.check_understood(order.model_copy(update={"rules": 99}))
    of = opening("SP-1")
    settlement = settled(of, *issued(of)).settlement
    settlement_lifecycle.check_understood(settlement)
    newer_one = settlement.model_copy(update={"status": SettlementStatus("parked")})
    assert settlement_access.allowed(newer_one, "operations") == ()
    with pytest.raises(NotUnderstood, match="parked"):
        settlement_lifecycle.check_understood(newer_one)


REQUEST = {
    "command": {"type": "cancel", "reason": "x"},
    "actor": OPERATIONS.model_dump(),
    "request_id": "r",
}


@pytest.mark.parametrize(
    ("changes", "newer"),
    [
        ({"command": {"type": "hold", "until": "2026-12-01"}}, True),
        ({"command": {"type": "decide_review", "decision": "ask_again"}}, True),
        ({"command": {"type": "cancel"}}, False),
        ({"command": {"type": "cancel", "reason": ""}}, False),
        ({"command": {"reason": "x"}}, False),
        ({"command": {"type": "hold"}, "request_id": None}, False),
        ({"command": "hold"}, False),
    ],
)
def test_a_request_of_a_newer_process_is_told_from_nonsense(
    changes: dict[str, Any], newer: bool
) -> None:
    with pytest.raises(ValidationError) as unreadable:
        Request.model_validate({**REQUEST, **changes})
    assert is_newer(unreadable.value) is newer
    assert not is_newer(ValueError("x"))


def test_a_command_has_one_fingerprint_for_builds_that_know_more_fields() -> None:
    class LaterCancel(Cancel):
        told_customer: bool = False
        later: str | None = None

    assert fingerprint(LaterCancel(reason="x")) == fingerprint(Cancel(reason="x"))
    assert fingerprint(LaterCancel(reason="x", told_customer=True)) != fingerprint(
        Cancel(reason="x")
    )
    sent = Cancel.model_validate({"type": "cancel", "told_customer": True, "reason": "x"})
    assert fingerprint(sent) == fingerprint(LaterCancel(reason="x", told_customer=True))
    assert fingerprint(Cancel(reason="x")) != fingerprint(
        SetAppointment(start=MONDAY, end=MONDAY, reason="x")
    )
