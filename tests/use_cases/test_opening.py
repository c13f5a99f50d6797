"""A settlement is opened under the policy of its partner."""

import pytest

from domain.months import Month
from domain.policies import Policies, UnknownPolicy
from domain.policy import Policy
from domain.policy_file import load_policy
from tests.activities.conftest import partner
from tests.support.builders import MONDAY
from use_cases.opening import opening_of

OWN = load_policy(
    '[settlement]\nselect_within = "1 working day"\n[calendar]\nsaturday_is_working_day = true'
)
POLICIES = Policies(Policy(), {"own": OWN})


@pytest.mark.parametrize(("name", "expected"), [(None, Policy()), ("own", OWN)])
def test_the_policy_of_the_partner_is_pinned(name: str | None, expected: Policy) -> None:
    opening = opening_of(
        partner("elektro-huber", policy=name),
        Month(2026, 10),
        MONDAY,
        policies=POLICIES,
        vat_rates=(),
        picked=("SP-1",),
        automatic=True,
    )
    assert opening.policy == expected
    assert opening.calendar.saturday_is_working_day is expected.calendar.saturday_is_working_day


def test_without_its_policy_nothing_is_opened() -> None:
    with pytest.raises(UnknownPolicy):
        opening_of(
            partner("elektro-huber", policy="gone"),
            Month(2026, 10),
            MONDAY,
            policies=POLICIES,
            vat_rates=(),
            picked=("SP-1",),
            automatic=True,
        )
