"""The page of the contract lists what the code has: calls of the API, keys of the policy, commands and options."""

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pydantic import BaseModel

import dev
import starter
import worker
from domain.policy import Policy
from domain.policy_file import load_policy
from settings import Settings
from web.app import create_app
from web.request_limits import API

CONTRACT = (Path(__file__).parents[1] / "docs" / "contract.md").read_text(encoding="utf-8")


def policy_example() -> str:
    """The policy file that the page shows."""
    (found,) = re.findall(r"```toml\n(.*?)```", CONTRACT, re.DOTALL)
    assert isinstance(found, str)
    return found


def offered(main: Callable[[Sequence[str]], int], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says of itself."""
    with pytest.raises(SystemExit):
        main(["--help"])
    return capsys.readouterr().out


def test_each_call_of_the_api_is_listed_and_no_other() -> None:
    listed = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", CONTRACT, re.MULTILINE))
    there = {
        f"{method.upper()} {path.removeprefix(API)}"
        for path, methods in create_app(Settings()).openapi()["paths"].items()
        if path.startswith(API)
        for method in methods
    }
    assert listed == there


def test_the_policy_has_these_keys_with_these_standard_values() -> None:
    text = policy_example()
    assert load_policy(text) == Policy()
    for name, section in tomllib.loads(text).items():
        part = getattr(Policy(), name)
        assert set(section) == (
            set(type(part).model_fields) if isinstance(part, BaseModel) else set()
        )
    assert set(tomllib.loads(text)) == set(Policy.model_fields)


def test_the_example_of_holidays_can_be_used() -> None:
    text = policy_example().replace("# ZH", "ZH")
    assert load_policy(text).holidays == {"ZH": ("01-02", "2027-04-19", "-05-01")}


@pytest.mark.parametrize("main", [dev.main, worker.main])
def test_the_options_of_commands_are_listed(
    main: Callable[[Sequence[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    options = set(re.findall(r"^ +(--[a-z-]+)", offered(main, capsys), re.MULTILINE))
    assert options
    for option in options:
        assert f"{option} " in CONTRACT or f"{option}`" in CONTRACT, option


def test_the_commands_of_operations_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"^    ([a-z-]+)(?:  |$)", offered(starter.main, capsys), re.MULTILINE)
    listed = re.findall(r"`python starter\.py ([a-z-]+)", CONTRACT)
    assert set(commands) == set(listed)
