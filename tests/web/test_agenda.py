"""The call for the agenda: a partner's software gets the visits of its firm, and nobody else does."""

from typing import Any

import pytest
from fastapi import FastAPI

from records.assignments import Assignment, Assignments
from tests.support.builders import AGREED, MONDAY, appointment
from tests.use_cases.conftest import AccountsEnv
from tests.web.test_calendar_feed import OTHER, Reader, app, browser, reader
from web.call_limits import CallLimits
from web.request_limits import API

__all__ = ["app", "browser", "reader"]


@pytest.fixture(autouse=True)
def _limits(app: FastAPI, env: AccountsEnv) -> None:
    app.state.call_limits = CallLimits(env.settings)


async def call(reader: Reader, query: str, partner_id: str | None = "elektro-huber") -> Any:
    """The answer to a partner's token, or (None) to one of operations."""
    role = "operations" if partner_id is None else "partner"
    _, token = await reader.env.accounts.tokens.make(role, "software", partner_id)  # type: ignore[arg-type]
    return await reader.browser.http.get(
        f"{API}/agenda{query}", headers={"Authorization": f"Bearer {token}"}
    )


async def test_a_week_has_the_visits_of_the_firm_with_their_clashes(reader: Reader) -> None:
    await reader.lives("SP-1", *AGREED)
    await reader.lives("SP-2", *AGREED, appointment(49, "krank"))
    await reader.lives("SP-3", *AGREED, partner_id=OTHER)
    mine = Assignment("SP-1", "elektro-huber", reader.user_id, reader.user_id, MONDAY)
    await Assignments(reader.env.database).assign(mine)
    answer = await call(reader, "?week=2026-W41")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["first_day"], body["last_day"]) == ("2026-10-05", "2026-10-11")
    assert body["complete"] is True
    one, two = body["items"]
    assert (one["sp_id"], one["start"], one["clashes"]) == (
        "SP-1",
        "2026-10-07T09:00:00+02:00",
        ["SP-2"],
    )
    assert (one["assigned_to"], two["assigned_to"]) == (reader.user_id, None)
    assert (one["customer"]["phone"], one["status"]) == ("+41 44 555 01 02", "confirm_execution")
    nobodys = (await call(reader, "?day=2026-10-07&person=none")).json()
    assert [each["sp_id"] for each in nobodys["items"]] == ["SP-2"]
    theirs = (await call(reader, "?week=2026-W41", OTHER)).json()
    assert [each["sp_id"] for each in theirs["items"]] == ["SP-3"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "week"),
        ("?week=2026-W41&day=2026-10-07", "week"),
        ("?week=2026-W54", "week"),
        ("?day=2026-02-30", "day"),
        ("?day=2026-10-07&person=usr_x", "person"),
        ("?day=2026-10-07&person=%00", "person"),
        ("?day=2026-10-07&month=10", "month"),
    ],
)
async def test_what_is_wrong_is_named(reader: Reader, query: str, field: str) -> None:
    answer = await call(reader, query)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_operations_have_no_agenda(reader: Reader) -> None:
    assert (await call(reader, "?week=2026-W41", None)).status_code == 403
