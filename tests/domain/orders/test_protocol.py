"""Execution protocols and photos: when they are possible, what is asked, what a signature is."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidCommand
from domain.orders.commands import Cancel, ConfirmExecution, Decline
from domain.orders.photos import why_not_added
from domain.orders.protocol import (
    HEIGHT,
    WIDTH,
    Checked,
    Protocol,
    ProtocolVersion,
    check_protocol,
    checklist_of,
    is_required,
    svg_path,
    why_no_protocol,
)
from domain.policy_file import load_policy
from domain.values import LANGUAGES
from tests.support.builders import ACCEPTED, AGREED, GOODS_THERE, MONDAY, Step, intake, lived
from words.protocol import ITEMS, item_label

POLICY = load_policy(
    '[protocol]\nrequired = ["install-washing-machine"]\n'
    '[protocol.checklists]\ninstall-washing-machine = ["Wasserhahn geprüft", "tested"]'
)
LINE = (((100, 100), (400, 120)),)
DONE = (*AGREED, timedelta(days=2, hours=6), ConfirmExecution(executed_on="2026-10-07"))


def order(*steps: Step, policy: Any = None) -> Any:
    """An order after these steps."""
    return lived(*steps, of=intake(rules=2, **({"policy": policy} if policy else {})))[0]


@pytest.mark.parametrize(
    ("steps", "photo", "protocol"),
    [
        (ACCEPTED, None, "not_yet"),
        (GOODS_THERE, None, None),
        (AGREED, None, None),
        (DONE, None, None),
        ((*AGREED, Cancel(reason="Storno")), "order_cancelled", "order_cancelled"),
        ((*ACCEPTED[:-1], Decline(reason="no_capacity")), "nobody_has_it", "nobody_has_it"),
    ],
    ids=["accepted", "goods", "agreed", "done", "cancelled", "declined"],
)
def test_when_it_is_possible(
    steps: tuple[Step, ...], photo: str | None, protocol: str | None
) -> None:
    found = order(*steps)
    assert (why_not_added(found), why_no_protocol(found)) == (photo, protocol)


def test_the_policy_that_is_pinned_says_what_is_asked_and_required() -> None:
    plain, own = order(*AGREED), order(*AGREED, policy=POLICY)
    assert (is_required(plain), is_required(own)) == (False, True)
    assert set(checklist_of(plain)) <= set(ITEMS)
    assert checklist_of(own) == ("Wasserhahn geprüft", "tested")
    assert item_label("Wasserhahn geprüft", "fr") == "Wasserhahn geprüft"
    assert len({item_label("tested", language) for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("changes", "has_picture", "code"),
    [
        ({}, False, None),
        ({"strokes": ()}, True, None),
        ({}, True, "two_signatures"),
        ({"strokes": (((5, 5), (9, 9)),)}, False, "signature_missing"),
        ({"strokes": (((5, 5),),) * 201 + LINE}, False, "signature_too_long"),
        ({"strokes": (((0, 0), (1000, 0)) * 2001,)}, False, "signature_too_long"),
        ({"reason": "x"}, False, "reason_with_signature"),
        ({"ending": "absent", "signer": "", "strokes": ()}, False, "no_signature_needs_reason"),
        ({"ending": "absent", "signer": "", "strokes": (), "reason": "x"}, False, None),
        ({"ended": MONDAY + timedelta(hours=3, minutes=6)}, False, "work_in_future"),
        ({"ended": MONDAY + timedelta(hours=3, minutes=4)}, False, None),
        ({"ended": MONDAY + timedelta(hours=1)}, False, "work_ends_before_begin"),
        ({"begun": MONDAY - timedelta(days=2)}, False, "work_before_order"),
        ({"begun": MONDAY - timedelta(days=3)}, False, "work_too_long"),
    ],
    ids=lambda value: None,
)
def test_what_a_protocol_must_have(
    changes: dict[str, Any], has_picture: bool, code: str | None
) -> None:
    found, now = order(*AGREED), MONDAY + timedelta(hours=3)
    values = {
        "checklist": tuple(Checked(item=each, result="done") for each in checklist_of(found)),
        "begun": MONDAY + timedelta(hours=1),
        "ended": now,
        "ending": "signed",
        "signer": "Regula Müller",
        "strokes": LINE,
    }
    said = None
    try:
        check_protocol(found, Protocol(**values | changes), now, has_picture=has_picture)
    except InvalidCommand as error:
        said = error.code
    assert said == code


points = st.tuples(st.integers(0, WIDTH), st.integers(0, HEIGHT))


@given(st.lists(st.lists(points, min_size=1, max_size=5).map(tuple), max_size=5).map(tuple))
def test_a_signature_is_read_again_as_it_was_and_changes_the_checksum(strokes: Any) -> None:
    protocol = Protocol(
        checklist=(), begun=MONDAY, ended=MONDAY, ending="signed", signer="x", strokes=strokes
    )
    version = ProtocolVersion(
        sp_id="SP-1",
        version=1,
        partner_id="a",
        partner_name="A",
        at=MONDAY,
        side="partner",
        login_id="b",
        author="B",
        protocol=protocol,
    )
    again = ProtocolVersion.model_validate_json(version.model_dump_json())
    assert (again, again.sha256) == (version, version.sha256)
    other = version.replace(protocol=protocol.model_copy(update={"signer": "y"}))
    assert other.sha256 != version.sha256
    assert svg_path(strokes).count("M") == sum(len(stroke) > 1 for stroke in strokes)
