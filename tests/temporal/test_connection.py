"""Temporal is away, or the mistake is ours: the two are told apart, on a client that really cannot connect."""

from datetime import timedelta

import pytest
from temporalio.client import Client

import starter
from development.embedded import free_port
from domain.policy import OfficePolicy
from temporal.calls import TemporalAway, temporal_call
from temporal.connection import NoConnection, connect

PATIENCE = timedelta(seconds=10)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of Temporal is a port at which nobody listens."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")


@pytest.mark.usefixtures("nowhere")
async def test_a_client_that_cannot_connect() -> None:
    with pytest.raises(NoConnection, match="connect"):
        await connect()
    lazy = await connect(lazy=True)
    with pytest.raises(TemporalAway):
        async with temporal_call(PATIENCE):
            await lazy.get_workflow_handle("SP-1").describe()


async def test_a_mistake_of_ours_surfaces() -> None:
    with pytest.raises(RuntimeError, match="dictionary changed size"):
        async with temporal_call(PATIENCE):
            raise RuntimeError("dictionary changed size during iteration")
    with pytest.raises(NotImplementedError):  # a kind of RuntimeError, too
        async with temporal_call(PATIENCE):
            raise NotImplementedError


@pytest.mark.usefixtures("nowhere")
def test_a_command_without_temporal(capsys: pytest.CaptureFixture[str]) -> None:
    assert starter.main(["schedules"]) == 1
    assert capsys.readouterr().err.startswith("Temporal is away: ")


def test_a_command_with_a_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connected(*_: object) -> None:
        return None

    async def wrong(_client: Client, _office: OfficePolicy) -> dict[str, bool]:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(starter, "connect", connected)
    monkeypatch.setattr(starter, "put_schedules", wrong)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        starter.main(["schedules"])
