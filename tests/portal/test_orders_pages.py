"""The pages of orders over HTTP: what is shown to whom, what a form does, what happens when something is in the way."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
import pytest_asyncio

from tests.portal.kept import kept
from tests.portal.portal import Portal, usual_day
from tests.portal.visitor import Visitor, visitor
from tests.support.builders import (
    ACCEPTED,
    COMPLETED,
    GOODS_THERE,
    MONDAY,
    REQUIREMENTS_MET,
    TRANSMITTED,
)
from tests.web.begun import agreed_steps, begun
from tests.web.firms import firm
from tests.web.site import PATH, agreed
from use_cases.orders import TemporalAway

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER = "luzern-montage"
"""Another partner than the one that most of these tests are about."""
APPOINTMENT = {
    "appointment.day": usual_day().isoformat(),
    "appointment.from": "08:00",
    "appointment.until": "10:00",
}
OUTCOMES = {"contact.outcome": "reached", "contact.note": "kommt gern"}


def zurich(days: int = 0) -> str:
    """A day in Switzerland."""
    return (datetime.now(ZoneInfo("Europe/Zurich")) + timedelta(days=days)).date().isoformat()


@pytest_asyncio.fixture(loop_scope="session")
async def partner(portal: Portal) -> AsyncIterator[Visitor]:
    """Somebody of the partner of the orders."""
    async with visitor(portal, "partner") as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def operations(portal: Portal) -> AsyncIterator[Visitor]:
    """Somebody of operations."""
    async with visitor(portal, "operations") as one:
        yield one


async def events(portal: Portal, sp_id: str) -> list[str]:
    """The types of what has happened to an order."""
    stored = await portal.site.around.orders.get(sp_id)
    assert stored is not None
    return [recorded.event.type for recorded in stored.events]


async def status(portal: Portal, sp_id: str) -> str:
    """The order's state."""
    stored = await portal.site.around.orders.get(sp_id)
    assert stored is not None
    return stored.order.status


async def go_on(portal: Portal, sp_id: str) -> None:
    """From an accepted order to one whose execution is to be confirmed."""
    site = portal.site
    for call, body, reached in PATH[1:5]:
        caller = site.warehouse if call.startswith("goods") else site.partner
        await site.do(caller, sp_id, call, body() if callable(body) else body)
        await site.reaches(sp_id, reached)


# --- overview and lists --------------------------------------------------------------------------------------------


async def test_the_overview_shows_the_sections_and_what_is_in_them(portal: Portal) -> None:
    site = portal.site
    fresh = await firm(site)
    async with visitor(portal, "partner", partner_id=fresh.partner_id) as one:
        await one.get("/")
        assert "Es ist alles erledigt." in one.text
        new, accepted = [
            await kept(site, *steps, partner_id=fresh.partner_id, name=f"Kundin {n}")
            for n, steps in enumerate((TRANSMITTED, ACCEPTED))
        ]
        answer = await one.get("/")
        heads = re.findall(r'<h2 id="head-\w+">([^<]+) <span class="count">(\d+)', answer.text)
        # By the time of day the deadlines are today or later.
        assert [name for name, _ in heads if name != "Heute"] == [
            "Auftrag akzeptieren",
            "Anforderungen prüfen",
            "Kundentermin setzen",
            "Ausführung bestätigen",
        ]
        assert sum(int(number) for _, number in heads) == 2
        assert f'formaction="/orders/{new}/accept"' in answer.text
        assert f'href="/orders/{accepted}#requirements"' in answer.text
        assert "Kundin 0" in one.text
        assert "bis " in one.text
        assert "2 Aufträge warten auf Sie" in one.text


@pytest.mark.parametrize(
    ("role", "where"), [("operations", "/staff"), ("accounting", "/settlements")]
)
async def test_staff_has_first_pages_of_its_own(portal: Portal, role: Any, where: str) -> None:
    async with visitor(portal, role) as one:
        assert (await one.get("/")).headers["Location"] == where


async def test_who_is_not_logged_in_is_led_back_after_the_log_in(portal: Portal) -> None:
    async with visitor(portal, "partner") as one:
        one.http.cookies.clear()
        answer = await one.get("/orders?status=completed")
        assert answer.headers["Location"] == "/login?next=/orders%3Fstatus%3Dcompleted"


async def test_lists_are_searched_filtered_and_paged(
    portal: Portal, partner: Visitor, operations: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.portal.orders.listing.PER_PAGE", 2)
    sp_ids = [await kept(portal.site, *TRANSMITTED, name=f"Gerold Findmich {n}") for n in range(3)]
    for one in (partner, operations):
        answer = await one.get("/orders?q=FINDMICH&status=new")
        assert "3 Aufträge" in one.text
        first = re.findall(r'href="/orders/(SP-\d+)"', answer.text)
        following = re.search(r'rel="next" href="([^"]+)"', answer.text)
        assert following is not None
        answer = await one.get(following[1].replace("&amp;", "&"))
        second = re.findall(r'href="/orders/(SP-\d+)"', answer.text)
        assert sorted([*first, *second]) == sorted(sp_ids)
    await operations.get(f"/orders?q=findmich&partner_id={OTHER}")
    assert "Zu «findmich» wurde nichts gefunden" in operations.text
    await partner.get("/orders?q=findmich&overdue=true")
    assert "wurde nichts gefunden" in partner.text


async def test_who_searches_an_sp_id_is_led_to_the_order(portal: Portal, partner: Visitor) -> None:
    sp_id = await kept(portal.site, *TRANSMITTED)
    answer = await partner.get(f"/orders?q={sp_id.lower()}")
    assert answer.headers["Location"] == f"/orders/{sp_id}"


async def test_an_address_that_cannot_be_is_the_list_all_the_same(partner: Visitor) -> None:
    assert (await partner.get("/orders?status=made-up&overdue=x&q=%00")).status_code == 200
    answer = await partner.get("/orders?status=new&cursor=made-up")
    assert answer.headers["Location"] == "/orders?status=new"
    await partner.get("/orders?status=in_transmission")
    assert "0 Aufträge" in partner.text


async def test_the_menus_lists_have_their_names(portal: Portal, partner: Visitor) -> None:
    waiting = await kept(portal.site, *REQUIREMENTS_MET)
    done = await kept(portal.site, *COMPLETED, at=MONDAY)
    answer = await partner.get("/orders?status=requirements_met")
    assert "<h1>Aufträge mit erfüllten Anforderungen</h1>" in answer.text
    assert waiting in partner.text
    assert done not in partner.text
    answer = await partner.get("/orders?status=completed")
    assert "<h1>Abgeschlossene und nicht in Rechnung gestellte Aufträge</h1>" in answer.text
    assert done in partner.text
    assert waiting not in partner.text
    assert '<a href="/settlements">Abgeschlossene Aufträge verrechnen</a>' in answer.text


# --- several at once -----------------------------------------------------------------------------------------------


async def test_several_orders_are_accepted_and_who_was_refused_is_named(
    portal: Portal, partner: Visitor
) -> None:
    site = portal.site
    sp_ids = [await begun(site, *TRANSMITTED) for _ in range(3)]
    foreign = await kept(site, *TRANSMITTED, partner_id=OTHER)
    await site.do(site.operations, sp_ids[2], "cancel", {"reason": "verzichtet"})
    sent = {"which": "ticked", "sp_id": [*sp_ids, foreign, "<i>x"]}
    answer = await partner.post("/several/accept", sent)
    assert answer.status_code == 200
    assert f"2 Aufträge sind akzeptiert: {sp_ids[0]} , {sp_ids[1]}" in partner.text
    assert "3 Aufträge wurden nicht geändert" in partner.text
    assert f"{sp_ids[2]} : Der Auftrag hat den Status «Storniert»" in partner.text
    assert f"{foreign} : Diesen Auftrag gibt es nicht" in partner.text
    assert "<i>x" not in answer.text
    assert await status(portal, foreign) == "new"
    await partner.post("/several/accept", sent)  # the answer is loaded anew
    assert "2 Aufträge sind akzeptiert" in partner.text
    assert (await events(portal, sp_ids[0])).count("accepted") == 1


async def test_all_that_were_shown_are_accepted(portal: Portal, partner: Visitor) -> None:
    sp_ids = [await begun(portal.site, *TRANSMITTED) for _ in range(2)]
    later = await begun(portal.site, *TRANSMITTED)
    await partner.post("/several/accept", {"which": "all", "shown": sp_ids, "sp_id": later})
    assert [await status(portal, sp_id) for sp_id in (*sp_ids, later)] == [
        "check_requirements",
        "check_requirements",
        "new",
    ]
    await partner.post("/several/accept", {"which": "ticked"})
    assert "Sie haben keinen Auftrag ausgewählt." in partner.text


async def test_several_executions_are_confirmed_on_one_day(
    portal: Portal, partner: Visitor
) -> None:
    sp_ids = [await begun(portal.site, *GOODS_THERE) for _ in range(3)]
    today = datetime.now(ZoneInfo("Europe/Zurich")) + timedelta(seconds=5)
    for sp_id, begin in zip(sp_ids, (today, today, today + timedelta(days=2)), strict=True):
        when = {"start": begin.isoformat(), "end": (begin + timedelta(hours=1)).isoformat()}
        await portal.site.do(portal.site.partner, sp_id, "appointment", {**when, "unusual": True})
    answer = await partner.post("/several/execution", {"executed_on": "gestern", "sp_id": sp_ids})
    assert answer.status_code == 422
    assert "Dieses Datum gibt es nicht" in partner.text
    assert partner.value("executed_on") == "gestern"
    await partner.post("/several/execution", {"executed_on": zurich(1), "sp_id": sp_ids})
    assert "3 Aufträge wurden nicht geändert" in partner.text
    assert "darf nicht in der Zukunft liegen" in partner.text
    await partner.post("/several/execution", {"executed_on": zurich(), "sp_id": sp_ids})
    assert "2 Aufträge sind als ausgeführt bestätigt" in partner.text
    assert "liegt vor dem Termin" in partner.text  # the third one's
    assert [await status(portal, sp_id) for sp_id in sp_ids] == [
        "completed",
        "completed",
        "confirm_execution",
    ]


# --- the page of an order ------------------------------------------------------------------------------------------


async def test_the_page_says_why_something_is_not_possible_now(
    portal: Portal, partner: Visitor
) -> None:
    sp_id = await kept(portal.site, *TRANSMITTED)
    await partner.get(f"/orders/{sp_id}")
    assert "Kundentermin setzen Ein Termin darf erst vereinbart werden, wenn" in partner.text
    assert "Arbeitstag" in partner.text
    assert "Zuständig: Servicepartner" in partner.text


async def test_an_order_of_another_partner_is_none(portal: Portal, partner: Visitor) -> None:
    foreign = await kept(portal.site, *TRANSMITTED, partner_id=OTHER)
    for sp_id in (foreign, "SP-none", "SP%20%3Ci%3E", "%00"):
        answer = await partner.get(f"/orders/{sp_id}")
        assert answer.status_code == 404, sp_id
        assert "Diese Seite gibt es nicht" in partner.text
        for form in ("accept", "contact", "requirements", "cancel", "reassign"):
            answer = await partner.post(f"/orders/{sp_id}/{form}", OUTCOMES)
            assert answer.status_code in (403, 404), (sp_id, form)
        assert (await partner.get(f"/orders/{sp_id}/appointment.ics")).status_code == 404
    happened = set(await events(portal, foreign))
    assert happened == {"placed", "transmission_started", "transmitted", "partner_notified"}


async def test_a_form_does_once_what_it_says(portal: Portal, partner: Visitor) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    for _ in range(2):  # a double click
        answer = await partner.post(f"/orders/{sp_id}/accept", {})
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"/orders/{sp_id}?said=order-accept#main"
    for _ in range(2):
        await partner.post(f"/orders/{sp_id}/contact", OUTCOMES)
    # back to the form, and something else in it
    await partner.post(f"/orders/{sp_id}/contact", {**OUTCOMES, "contact.note": "doch nicht"})
    happened = await events(portal, sp_id)
    assert (happened.count("accepted"), happened.count("contact_logged")) == (1, 2)
    await partner.get(f"/orders/{sp_id}?said=order-contact")
    assert "Der Kontaktversuch ist festgehalten." in partner.text
    assert "Kundschaft erreicht. «kommt gern»" in partner.text


async def test_a_form_that_none_of_our_pages_sent_does_nothing(
    portal: Portal, partner: Visitor
) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    partner.http.cookies.delete("cmi_form")
    for path in (f"/orders/{sp_id}/accept", "/several/accept"):
        answer = await partner.http.post(
            path, data={"sp_id": sp_id}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403
    assert (await partner.get(f"/orders/{sp_id}/accept")).status_code == 303  # opening is not doing
    assert await status(portal, sp_id) == "new"


async def test_what_was_typed_stays_where_something_is_wrong(
    portal: Portal, partner: Visitor
) -> None:
    sp_id = await begun(portal.site, *GOODS_THERE)
    path = f"/orders/{sp_id}/appointment"
    answer = await partner.post(path, {**APPOINTMENT, "appointment.until": "07:00"})
    assert answer.status_code == 422
    assert "Das Ende des Termins muss nach dem Beginn liegen." in partner.text
    assert partner.value("appointment.until") == "07:00"
    assert partner.value("appointment.day") == APPOINTMENT["appointment.day"]
    assert 'aria-describedby="appointment.until-error"' in answer.text
    assert (await partner.post(path, APPOINTMENT)).status_code == 303
    moved = {**APPOINTMENT, "appointment.from": "08:30"}  # back, changed, sent again
    answer = await partner.post(path, {**moved, "appointment.moved": "yes"})
    assert 'aria-describedby="appointment.moved_by-error"' in answer.text
    answer = await partner.post(path, {**moved, "appointment.reason": ""})
    assert answer.status_code == 422
    assert "weshalb der Termin verschoben wird" in partner.text
    assert partner.value("appointment.from") == "08:30"


async def test_what_is_wrong_is_said_when_the_form_has_gone_from_the_page(
    portal: Portal, partner: Visitor
) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    answer = await partner.post(f"/orders/{sp_id}/execution", {"execution.executed_on": "x"})
    assert answer.status_code == 422
    assert re.search(r'<p class="error" role="alert">[^<]+</p>', answer.text)


async def test_a_no_in_the_checklist_asks_for_a_rejection(portal: Portal, partner: Visitor) -> None:
    sp_id = await begun(portal.site, *ACCEPTED)
    answers = {
        "requirements.checklist.connections": "yes",
        "requirements.checklist.space": "no",
        "requirements.checklist.passages": "yes",
        "requirements.note": "4 cm fehlen",
    }
    answer = await partner.post(f"/orders/{sp_id}/requirements", answers)
    assert answer.status_code == 422
    assert "Sie haben eine Frage mit «Nein» beantwortet." in partner.text
    assert '<option value="no_space" selected>' in answer.text
    assert partner.value("rejection.note") == "4 cm fehlen"
    assert await status(portal, sp_id) == "check_requirements"
    sent = {"rejection.reason": "no_space", "rejection.note": "4 cm fehlen"}
    assert (await partner.post(f"/orders/{sp_id}/rejection", sent)).status_code == 303
    await partner.get(f"/orders/{sp_id}?said=order-rejection")
    assert "Zu wenig Platz. «4 cm fehlen»" in partner.text
    assert await status(portal, sp_id) == "under_review"


async def test_other_reasons_need_a_text(portal: Portal, partner: Visitor) -> None:
    sp_id = await begun(portal.site, *agreed_steps())
    older = await partner.post(f"/orders/{sp_id}/not-executed", {"not-executed.reason": "other"})
    assert older.status_code == 404  # a form of the first rules
    path = f"/orders/{sp_id}/problem"
    answer = await partner.post(path, {"problem.reason": "other"})
    assert answer.status_code == 422
    assert 'aria-describedby="problem.note-hint problem.note-error"' in answer.text
    assert "Beschreiben Sie den anderen Grund" in partner.text
    sent = {"problem.reason": "other", "problem.note": "Strom weg"}
    assert (await partner.post(path, sent)).status_code == 303
    assert await status(portal, sp_id) == "under_review"


async def test_two_people_on_one_order(
    portal: Portal, partner: Visitor, operations: Visitor
) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    await operations.post(f"/orders/{sp_id}/accept", {})
    answer = await partner.post(f"/orders/{sp_id}/accept", {}, request_id="B" * 22)
    assert answer.status_code == 409
    assert (
        "«Auftrag akzeptieren» ist im Status «Anforderungen prüfen» nicht möglich" in partner.text
    )
    assert "Zuletzt: Auftrag akzeptiert (Petra Operations (Servicepartner-Team) für" in partner.text
    assert f'action="/orders/{sp_id}/requirements#requirements"' in answer.text


async def test_the_calendar_file_is_there_while_an_appointment_stands(
    portal: Portal, partner: Visitor
) -> None:
    site, sp_id = portal.site, await begun(portal.site, *GOODS_THERE)
    path = f"/orders/{sp_id}/appointment.ics"
    assert (await partner.get(path)).status_code == 404
    await site.do(site.partner, sp_id, "appointment", agreed())
    await site.reaches(sp_id, "confirm_execution")
    assert path in (await partner.get(f"/orders/{sp_id}")).text
    answer = await partner.get(path)
    assert answer.headers["Content-Type"].startswith("text/calendar; charset=utf-8")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{sp_id}.ics"'
    before = icalendar.Calendar.from_ical(answer.content).events[0]
    await site.do(site.partner, sp_id, "appointment", agreed(5, reason="Kundschaft krank"))
    after = icalendar.Calendar.from_ical((await partner.get(path)).content).events[0]
    assert before["UID"] == after["UID"]
    assert before["SEQUENCE"] < after["SEQUENCE"]
    await site.do(site.partner, sp_id, "execution", {"executed": True, "early": True})
    assert (await partner.get(path)).status_code == 404


async def test_while_temporal_is_away_nothing_that_was_typed_is_lost(
    portal: Portal, partner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sp_ids = [await begun(portal.site, *steps) for steps in (ACCEPTED, TRANSMITTED)]

    async def away(*_: object) -> None:
        raise TemporalAway("no answer")

    monkeypatch.setattr(portal.site.app.state.order_use_cases._gateway, "ask", away)
    answer = await partner.post(f"/orders/{sp_ids[0]}/contact", OUTCOMES)
    assert answer.status_code == 503
    assert "im Moment nicht erreichbar" in partner.text
    assert partner.value("contact.note") == "kommt gern"
    await partner.post("/several/accept", {"which": "all", "shown": sp_ids})
    assert "2 Aufträge wurden nicht geändert" in partner.text


async def test_what_no_worker_answers_is_stored_and_the_page_says_so(
    portal: Portal, partner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sp_ids = [await begun(portal.site, *TRANSMITTED) for _ in range(3)]
    desk = portal.site.app.state.order_use_cases

    async def nobody(*_: object) -> None:
        return None

    with monkeypatch.context() as patched:
        patched.setattr(desk._gateway, "ask", nobody)
        answer = await partner.post(f"/orders/{sp_ids[0]}/accept", {})
        assert answer.headers["Location"].endswith("?said=order-stored#main")
        await partner.post("/several/accept", {"which": "all", "shown": sp_ids[1:]})
        assert "2 Aufträge sind sicher gespeichert" in partner.text
    for sp_id in sp_ids:
        await portal.site.reaches(sp_id, "check_requirements")
    await partner.get(f"/orders/{sp_ids[0]}?said=order-stored")
    assert "Das ist sicher gespeichert" in partner.text


# --- staff ---------------------------------------------------------------------------------------------------------


async def test_operations_act_in_the_partners_place_and_decide(
    portal: Portal, operations: Visitor, partner: Visitor
) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    answer = await operations.get(f"/orders/{sp_id}")
    assert f"/orders/{sp_id}/temporal" in answer.text
    await operations.post(f"/orders/{sp_id}/accept", {})
    answer = await operations.post(f"/orders/{sp_id}/reassign", {})
    assert answer.status_code == 422
    sent = {"reassign.partner_id": "made-up", "reassign.reason": "Ferien"}
    assert (await operations.post(f"/orders/{sp_id}/reassign", sent)).status_code == 422
    assert operations.value("reassign.reason") == "Ferien"
    await go_on(portal, sp_id)
    sent = {"problem.reason": "wrong_goods"}
    await partner.post(f"/orders/{sp_id}/problem", sent)
    sent = {"review.decision": "new_appointment", "review.note": "Ersatz ist da"}
    assert (await partner.post(f"/orders/{sp_id}/review", sent)).status_code == 403
    assert (await operations.post(f"/orders/{sp_id}/review", sent)).status_code == 303
    assert await status(portal, sp_id) == "set_appointment"
    await operations.get(f"/orders/{sp_id}")
    assert "Petra Operations (Servicepartner-Team) für Elektro" in operations.text
    sent = {"cancel.reason": "Kundschaft verzichtet"}
    assert (await partner.post(f"/orders/{sp_id}/cancel", sent)).status_code == 403
    assert (await operations.post(f"/orders/{sp_id}/cancel", sent)).status_code == 303
    assert await status(portal, sp_id) == "cancelled"


async def test_an_order_is_handed_to_another_partner(
    portal: Portal, operations: Visitor, partner: Visitor
) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    sent = {"reassign.partner_id": OTHER, "reassign.reason": "Ferien"}
    assert (await partner.post(f"/orders/{sp_id}/reassign", sent)).status_code == 403
    assert (await operations.post(f"/orders/{sp_id}/reassign", sent)).status_code == 303
    assert (await partner.get(f"/orders/{sp_id}")).status_code == 404
    async with visitor(portal, "partner", partner_id=OTHER) as new:
        await new.get(f"/orders/{sp_id}")
        assert "Ferien" not in new.text


async def test_accounting_looks_and_does_nothing(portal: Portal) -> None:
    sp_id = await begun(portal.site, *TRANSMITTED)
    async with visitor(portal, "accounting") as one:
        answer = await one.get(f"/orders/{sp_id}")
        assert answer.status_code == 200
        assert 'method="post"' not in answer.text.partition("<main")[2]
        assert (await one.post(f"/orders/{sp_id}/accept", {})).status_code == 403
        assert (await one.post("/several/accept", {"sp_id": sp_id})).status_code == 403
