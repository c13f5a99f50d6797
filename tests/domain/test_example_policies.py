"""The example policies are valid, and are the processes of the manual that they say they are."""

import tomllib
from pathlib import Path

import pytest

from domain.orders.internal import ConfirmTransmission
from domain.orders.order import Status
from domain.policy import Policy
from domain.policy_file import load_policy
from tests.domain.strategies import Life, at, intake_of

FOLDER = Path("examples/policies")


def example(name: str) -> Policy:
    """The policy of an example file."""
    return load_policy((FOLDER / f"{name}.toml").read_text())


def transmitted(policy: Policy) -> Life:
    """An order that its partner has been sent on Friday 27 November 2026 at 16:12."""
    life = Life(intake_of(policy), at("2026-11-27 15:40"))
    life.let_pass("2026-11-27 16:11")
    life.do(ConfirmTransmission(), "2026-11-27 16:12")
    return life


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_valid_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    load_policy(text)
    assert text.startswith("# ")


def test_the_process_with_acceptance_is_the_standard_and_shows_every_key() -> None:
    assert example("manual-with-accept") == Policy()
    written = tomllib.loads((FOLDER / "manual-with-accept.toml").read_text())
    for section, values in Policy():
        if section != "holidays":
            assert set(written[section]) == set(type(values).model_fields)
    life = transmitted(example("manual-with-accept"))
    assert life.order.status is Status.NEW
    assert life.due("accept") == "2026-11-30 18:00"
    assert life.due("contact_customer") == "2026-12-01 18:00"


def test_the_process_without_acceptance_begins_with_the_requirements() -> None:
    policy = example("manual-without-accept")
    deadlines = policy.deadlines.model_copy(update={"accept": Policy().deadlines.accept})
    assert policy.deadlines.accept is None
    assert policy.model_copy(update={"deadlines": deadlines}) == Policy()
    life = transmitted(policy)
    assert life.order.status is Status.CHECK_REQUIREMENTS
    assert life.due("check_requirements") == "2026-11-30 18:00"
    assert life.due("contact_customer") == "2026-12-01 18:00"
    assert life.outcomes("accept") == []
