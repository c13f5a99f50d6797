"""What the roles of a partner's people may do, and what they are notified of."""

import pytest

from domain.orders.command_rules import COMMANDS
from domain.people import (
    NOTIFICATIONS,
    PARTNER_ROLES,
    TECHNICIANS,
    Notification,
    PartnerRole,
    may,
    possible,
    wanted,
)
from use_cases.access import MAY

OF_PARTNERS = {name for name, roles in MAY.items() if "partner" in roles}
OFFICE_ONLY = {
    "accept",
    "decline",
    "read_own_figures",
    "read_people",
    "manage_people",
    "assign",
    "settle",
    "read_settlements",
    "select",
    "close",
    "invoice",
}


def test_each_thing_that_a_partner_may_do_is_decided() -> None:
    assert OF_PARTNERS == TECHNICIANS | OFFICE_ONLY
    assert not TECHNICIANS & OFFICE_ONLY
    named = {rule.type for rule in COMMANDS if rule.is_partners}
    assert named - TECHNICIANS == {"accept", "decline"}


@pytest.mark.parametrize("use_case", sorted(OF_PARTNERS))
def test_office_and_software_may_all_and_technicians_some(use_case: str) -> None:
    assert may("office", use_case)
    assert may(None, use_case)
    assert may("technician", use_case) == (use_case not in OFFICE_ONLY)


@pytest.mark.parametrize(
    ("role", "chosen", "gets"),
    [
        ("office", None, ("assigned", "changes")),
        ("technician", None, ("assigned", "changes")),
        ("office", (), ()),
        ("technician", ("digest", "today", "a newer one"), ("today",)),
        ("office", ("digest", "assigned"), ("assigned", "digest")),
        ("office", NOTIFICATIONS, NOTIFICATIONS),
    ],
)
def test_a_person_gets_what_was_chosen_as_far_as_its_role_allows(
    role: PartnerRole, chosen: tuple[str, ...] | None, gets: tuple[Notification, ...]
) -> None:
    assert wanted(role, chosen) == gets
    assert set(gets) <= set(possible(role))


def test_what_is_the_offices_is_for_no_technician() -> None:
    assert {role: set(NOTIFICATIONS) - set(possible(role)) for role in PARTNER_ROLES} == {
        "office": set(),
        "technician": {"new_orders", "digest"},
    }
