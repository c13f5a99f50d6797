"""A subscribed calendar: made and ended on its page, read without a login, true to the orders, and nobody else's."""

import logging
import re
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from icalendar import Calendar, Event
from sqlalchemy import select, update

from contracts.activities import Snapshot
from domain.orders.commands import Cancel, Reassign
from records.assignments import Assignment, Assignments
from records.calendar_feeds import UNREAD
from records.orders import Orders
from records.tables import calendar_feeds, users
from tests.support.builders import (
    AGREED,
    COMPLETED,
    MONDAY,
    Step,
    appointment,
    assignee,
    intake,
    lived,
)
from tests.use_cases.conftest import EMAIL, AccountsEnv, text_of
from tests.web.test_asking_again import log_in
from tests.web.test_login import Browser, app, browser, lines
from use_cases.agenda import AgendaUseCases
from use_cases.calendar_feeds import CalendarFeedUseCases
from web.call_limits import Buckets

__all__ = ["app", "browser"]

PAGE = "/agenda/calendar"
OTHER = "sanitaer-rossi"


class Reader:
    """A person of a partner with a browser, and a calendar without one."""

    def __init__(self, env: AccountsEnv, app: FastAPI, browser: Browser) -> None:
        self.env, self.app, self.browser = env, app, browser
        self.user_id = ""

    async def lives(self, sp_id: str, *steps: Step, **changes: Any) -> None:
        """Store an order at each length of its life."""
        of = intake(sp_id=sp_id, **changes).model_copy(update={"rules": 2})
        for number in range(len(steps) + 1):
            order, events = lived(*steps[:number], of=of)
            await Orders(self.env.database).save(Snapshot(order=order, events=events))

    async def logs_in(self) -> None:
        self.user_id = await self.env.add_user()
        await log_in(self.browser, self.env)

    async def subscribes(self, scope: str = "everybody") -> str:
        """The path of the address that the page shows."""
        await self.browser.open(PAGE)
        answer = await self.browser.send(PAGE, scope=scope)
        assert answer.status_code == 200, answer.text
        assert (answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]) == (
            "no-referrer",
            "no-store",
        )
        found = re.search(r">https://cmi\.example(/calendar/[\w-]{43}\.ics)<", answer.text)
        assert found is not None
        return found[1]

    async def reads(self, path: str, **headers: str) -> httpx.Response:
        """The answer to a calendar, which has no cookies."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="https://cmi.example"
        ) as calendar:
            return await calendar.get(path, headers=named)

    async def entries(self, path: str) -> dict[str, Event]:
        """What the calendar has, by SP-ID."""
        answer = await self.reads(path)
        assert answer.status_code == 200, answer.text
        events = Calendar.from_ical(answer.content).walk("VEVENT")
        found = {str(event["uid"]).removesuffix("@cmi.example"): event for event in events}
        assert len(found) == len(events)
        return found


@pytest.fixture
async def reader(env: AccountsEnv, app: FastAPI, browser: Browser) -> Reader:
    app.state.agenda = AgendaUseCases(env.database, timedelta(days=90), env.clock)
    app.state.calendar_feeds = CalendarFeedUseCases(env.database, "https://cmi.example", env.clock)
    app.state.calendar_limits = Buckets()
    made = Reader(env, app, browser)
    await made.logs_in()
    return made


async def test_it_has_the_visits_of_the_firm_and_of_no_other(reader: Reader) -> None:
    await reader.lives("SP-1", *AGREED, note="Code 1234")
    await reader.lives("SP-2", *COMPLETED)
    await reader.lives("SP-3", *AGREED, partner_id=OTHER)
    path = await reader.subscribes()
    answer = await reader.reads(path)
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Set-Cookie" not in answer.headers
    assert all(len(line.encode()) <= 75 for line in answer.text.split("\r\n"))
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H" in answer.text
    found = await reader.entries(path)
    assert found.keys() == {"SP-1", "SP-2"}
    one = found["SP-1"]
    assert (one.start, one.end) == (MONDAY + timedelta(hours=48), MONDAY + timedelta(hours=50))
    assert one["summary"] == "Waschmaschine anschliessen, Regula Müller"
    assert one["location"] == "Langstrasse 12, 8004 Zürich"
    assert "+41 44 555 01 02" in one["description"]
    assert "https://cmi.example/orders/SP-1" in one["description"]
    assert "1234" not in answer.text
    assert one["status"] == "CONFIRMED"
    done = found["SP-2"]
    assert (done["summary"], done["location"]) == (
        "Waschmaschine anschliessen, 8004 Zürich",
        "8004 Zürich",
    )
    assert "555" not in done["description"]


async def test_moved_and_cancelled_visits_follow(reader: Reader) -> None:
    await reader.lives("SP-1", *AGREED)
    path = await reader.subscribes()
    before = (await reader.entries(path))["SP-1"]
    moved = (*AGREED, appointment(72, "krank"))
    await reader.lives("SP-1", *moved)
    after = (await reader.entries(path))["SP-1"]
    assert (before["uid"], after.start) == (after["uid"], MONDAY + timedelta(hours=72))
    assert after["sequence"] > before["sequence"]
    assert after["last-modified"].dt > before["last-modified"].dt
    await reader.lives("SP-1", *moved, Cancel(reason="-"))
    gone = (await reader.entries(path))["SP-1"]
    assert (gone["status"], gone["uid"], gone.start) == ("CANCELLED", after["uid"], after.start)
    assert gone["sequence"] > after["sequence"]
    assert gone["summary"] == "Abgesagt: Waschmaschine anschliessen"
    assert "Müller" not in gone.to_ical().decode()
    reader.env.clock.forward(days=40)
    assert await reader.entries(path) == {}


async def test_a_firm_sees_that_a_visit_fell_that_another_one_has_now(reader: Reader) -> None:
    given = Reassign(partner=assignee(OTHER), calendar=intake().calendar, reason="-")
    await reader.lives("SP-1", *AGREED)
    path = await reader.subscribes()
    await reader.lives("SP-1", *AGREED, given)
    found = await reader.entries(path)
    assert found["SP-1"]["status"] == "CANCELLED"
    assert "8004" not in found["SP-1"].to_ical().decode()


async def test_who_has_it_is_not_answered_again(reader: Reader) -> None:
    await reader.lives("SP-1", *AGREED)
    path = await reader.subscribes()
    assert "Last-Modified" not in (await reader.reads(path)).headers, "it may change in this second"
    reader.env.clock.forward(seconds=1)
    first = await reader.reads(path)
    tag, since = first.headers["ETag"], first.headers["Last-Modified"]
    for headers in (
        {"If_None_Match": tag},
        {"If_None_Match": f"W/{tag}"},
        {"If_Modified_Since": since},
    ):
        again = await reader.reads(path, **headers)
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["ETag"], again.headers["Last-Modified"]) == (tag, since)
    reader.env.clock.forward(minutes=5)
    await reader.lives("SP-1", *AGREED, appointment(72, "krank"))
    for headers in ({"If_None_Match": tag}, {"If_Modified_Since": since}):
        changed = await reader.reads(path, **headers)
        assert changed.status_code == 200
        assert changed.headers["ETag"] != tag
    assert (await reader.reads(path, If_None_Match=tag, If_Modified_Since="x")).status_code == 200
    for wrong in (
        "x",
        f"Thu, 01 Jan 2026 00:00:00 +{9**20}",
        f"Thu, 01 Jan 2026 00:00:{9**20} GMT",
    ):
        assert (await reader.reads(path, If_Modified_Since=wrong)).status_code == 200, wrong


async def test_two_changes_in_one_second_are_told_apart(reader: Reader) -> None:
    path = await reader.subscribes()
    await reader.lives("SP-1", *AGREED)
    first = await reader.reads(path)
    reader.env.clock.forward(milliseconds=400)
    await reader.lives("SP-1", *AGREED, appointment(72, "krank"))
    since = format_datetime(MONDAY, usegmt=True)  # when the first one was read
    again = await reader.reads(path, If_Modified_Since=since)
    assert (again.status_code, again.headers["ETag"] != first.headers["ETag"]) == (200, True)
    reader.env.clock.forward(seconds=1)
    last = (await reader.reads(path)).headers["Last-Modified"]
    assert (await reader.reads(path, If_Modified_Since=last)).status_code == 304


async def test_a_person_can_have_only_its_own(reader: Reader) -> None:
    await reader.lives("SP-1", *AGREED)
    await reader.lives("SP-2", *AGREED)
    mine = Assignment("SP-1", "elektro-huber", reader.user_id, reader.user_id, MONDAY)
    await Assignments(reader.env.database).assign(mine)
    own = await reader.subscribes("own")
    assert (await reader.entries(own)).keys() == {"SP-1"}
    everybody = await reader.subscribes("everybody")
    found = await reader.entries(everybody)
    assert "Zugeteilt: Petra Huber" in found["SP-1"]["description"]
    assert "Zugeteilt" not in found["SP-2"]["description"]
    assert (await reader.reads(own)).status_code == 404, "a new address ends the former one"


async def test_a_technician_has_its_own_only_whatever_it_had_before(reader: Reader) -> None:
    await reader.lives("SP-1", *AGREED)
    await reader.lives("SP-2", *AGREED)
    path = await reader.subscribes("everybody")
    mine = Assignment("SP-1", "elektro-huber", reader.user_id, reader.user_id, MONDAY)
    await Assignments(reader.env.database).assign(mine)
    assert (await reader.entries(path)).keys() == {"SP-1", "SP-2"}
    technician = update(users).values(partner_role="technician")
    await reader.env.database.write(lambda connection: connection.execute(technician))
    assert (await reader.entries(path)).keys() == {"SP-1"}
    assert "everybody" not in (await reader.browser.open(PAGE)).text
    assert (await reader.entries(await reader.subscribes("everybody"))).keys() == {"SP-1"}
    for query in ("", "?week=2026-W41", "?week=2026-W41&person=none", "?day=2026-10-07"):
        shown = (await reader.browser.open(f"/agenda{query}")).text
        assert ("SP-1" in shown, "SP-2" in shown) == (True, False), query


async def test_the_office_sees_everybodys_by_person_and_nobody_elses(reader: Reader) -> None:
    await reader.env.add_user("second@people.example")
    other = await reader.env.add_user("other@people.example", OTHER)
    await reader.lives("SP-1", *AGREED)
    await reader.lives("SP-2", *AGREED)
    await reader.lives("SP-3", *AGREED, partner_id=OTHER)
    mine = Assignment("SP-1", "elektro-huber", reader.user_id, reader.user_id, MONDAY)
    await Assignments(reader.env.database).assign(mine)
    week = "/agenda?week=2026-W41"
    for query, expected in (
        (week, {"SP-1", "SP-2"}),
        (f"{week}&person={reader.user_id}", {"SP-1"}),
        (f"{week}&person=none", {"SP-2"}),
        ("/agenda?day=2026-10-07", {"SP-1", "SP-2"}),
        ("/agenda?week=2026-W42", set()),
    ):
        answer = await reader.browser.open(query)
        assert answer.status_code == 200
        assert set(re.findall(r'class="who"><a href="/orders/(SP-\d)', answer.text)) == expected, (
            query
        )
    for query in (f"{week}&person={other}", f"{week}&person=%00", "/agenda?week=2026-W99"):
        assert (await reader.browser.open(query)).status_code == 303


async def test_what_does_not_work_is_not_told_apart(
    reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = await reader.subscribes()
    assert (await reader.reads(path)).status_code == 200
    assert (await reader.browser.open(PAGE)).text.count(path.split("/")[2]) == 0
    ended = await reader.browser.send(f"{PAGE}/end")
    assert ended.headers["Location"] == f"{PAGE}?said=calendar_ended"
    unknown = f"/calendar/{'x' * 43}.ics"
    answers = [
        await reader.reads(each)
        for each in (
            path,
            unknown,
            "/calendar/a.ics",
            f"/calendar/{'y' * 9000}.ics",
            "/calendar/%00.ics",
        )
    ]
    first = answers[0]
    for answer in answers:
        assert (answer.status_code, answer.content) == (404, first.content)
        assert {**answer.headers} | {"x-request-id": ""} == {**first.headers} | {"x-request-id": ""}
    secret = path.removeprefix("/calendar/").removesuffix(".ics")
    assert "/calendar/{secret}.ics" in lines(caplog)
    assert secret not in lines(caplog)
    rows = await reader.env.database.read(
        lambda connection: connection.execute(select(calendar_feeds)).all()
    )
    assert secret not in str(rows)


async def test_it_ends_with_the_person_the_firm_and_its_use(reader: Reader) -> None:
    path = await reader.subscribes()
    reader.env.clock.forward(days=60)
    assert (await reader.reads(path)).status_code == 200
    reader.env.clock.forward(days=60)
    assert (await reader.reads(path)).status_code == 200
    reader.env.clock.forward(seconds=UNREAD.total_seconds() + 1)
    assert (await reader.reads(path)).status_code == 404
    await log_in(reader.browser, reader.env)
    path = await reader.subscribes()
    await reader.env.accounts.partners.change("elektro-huber", {"status": "ended"})
    assert (await reader.reads(path)).status_code == 404
    await reader.env.accounts.partners.change("elektro-huber", {"status": "active"})
    assert (await reader.reads(path)).status_code == 404, "for good"
    await log_in(reader.browser, reader.env)
    path = await reader.subscribes()
    await reader.env.accounts.remove_user("elektro-huber", reader.user_id)
    assert (await reader.reads(path)).status_code == 404


async def test_it_can_be_read_only_so_often(reader: Reader) -> None:
    path, now = await reader.subscribes(), [0.0]
    reader.app.state.calendar_limits = Buckets(lambda: now[0])
    codes = [(await reader.reads(path)).status_code for _ in range(31)]
    assert codes == [200] * 30 + [429]
    now[0] = 2
    assert (await reader.reads(path)).status_code == 200
    for _ in range(60):
        assert (await reader.reads("/calendar/guess.ics")).status_code == 404
    guess = await reader.reads("/calendar/guess.ics")
    assert (guess.status_code, guess.headers["Retry-After"]) == (429, "1")


async def test_making_an_address_asks_for_the_password_again(reader: Reader) -> None:
    reader.env.clock.forward(minutes=11)
    await reader.browser.open(PAGE)
    asked = await reader.browser.send(PAGE, scope="own")
    assert asked.status_code == 403
    assert 'name="confirm_password"' in asked.text
    assert (
        await reader.app.state.calendar_feeds._feeds.of(reader.user_id, reader.env.clock()) is None
    )


async def test_the_person_is_told_by_mail_that_an_address_was_made(reader: Reader) -> None:
    path = await reader.subscribes()
    await reader.env.accounts.send_due_mails()
    (told,) = [
        m for m in reader.env.mails() if m["Subject"] == "Ihr Kalender beim CMI ist abonniert"
    ]
    assert EMAIL in told["To"]
    assert path.split("/")[2] not in told.as_string()
    assert "beenden Sie das Abo" in text_of(told)


async def test_who_reads_it_has_looked_at_the_orders(reader: Reader) -> None:
    await reader.lives("SP-1", *AGREED)
    await reader.lives("SP-2", *COMPLETED)
    path = await reader.subscribes()
    tag = (await reader.reads(path)).headers["ETag"]
    await reader.reads(path, If_None_Match=tag)
    await reader.env.accounts.recorder.written()
    traces = reader.env.accounts.recorder._lookup_records
    (look,) = await traces.of("SP-1")
    assert (look[0].login_id, look[0].how, look[1].times) == (reader.user_id, "export", 1)
    assert await traces.of("SP-2") == ()
