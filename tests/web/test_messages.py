"""Messages about orders over HTTP: who writes and reads, repetition, two at once, lost orders, limits, mails."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
import pytest_asyncio

from domain.orders.messages import MOST_AN_HOUR
from tests.server.surroundings import eventually
from tests.web.site import API, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "Geheimnotiz"


async def write(
    caller: httpx.AsyncClient, sp_id: str, text: str, key: str | None = None, **more: Any
) -> httpx.Response:
    """A message."""
    headers = {"Idempotency-Key": key} if key else {}
    body = {"text": text, **more}
    return await caller.post(f"{API}/orders/{sp_id}/messages", json=body, headers=headers)


async def written(caller: httpx.AsyncClient, sp_id: str, text: str, **more: Any) -> dict[str, Any]:
    """A message that must be taken."""
    answer = await write(caller, sp_id, text, **more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def read(caller: httpx.AsyncClient, sp_id: str) -> dict[str, Any]:
    """The thread."""
    answer = await caller.get(f"{API}/orders/{sp_id}/messages")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def unread(caller: httpx.AsyncClient, sp_id: str) -> int | None:
    """What the order and the list say of unread messages."""
    order = (await caller.get(f"{API}/orders/{sp_id}")).json()
    listed = (await caller.get(f"{API}/orders", params={"q": sp_id})).json()["items"]
    assert [item["unread_messages"] for item in listed] == [order["unread_messages"]]
    number: int | None = order["unread_messages"]
    return number


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def unwritten(cmi: Site) -> str:
    """The SP-ID of an order without messages."""
    return await cmi.new()


async def test_a_question_and_its_answer(cmi: Site) -> None:
    sp_id = await cmi.new()
    asked = await written(cmi.partner, sp_id, "Ist der Lift breit genug?\nEr misst 60 cm.")
    assert (asked["by"], asked["author"], asked["internal"]) == (
        "partner",
        "partner's software",
        False,
    )
    assert asked["answer_due"] is asked["answered_at"] is None, "that is not the partner's"
    assert (await unread(cmi.operations, sp_id), await unread(cmi.partner, sp_id)) == (1, 0)
    assert await unread(cmi.shop, sp_id) is await unread(cmi.accounting, sp_id) is None
    seen = await read(cmi.operations, sp_id)
    (question,) = seen["items"]
    assert (seen["unread"], question["unread"]) == (1, True)
    assert question["text"] == "Ist der Lift breit genug?\nEr misst 60 cm."
    assert seen["answer_due"] == question["answer_due"]
    assert datetime.fromisoformat(question["answer_due"]) > datetime.now(UTC)
    assert await unread(cmi.operations, sp_id) == 0
    again = await read(cmi.operations, sp_id)
    assert (again["unread"], again["items"][0]["unread"]) == (0, False)
    assert again["answer_due"] is not None, "to read is not to answer"

    await written(cmi.operations, sp_id, "Ja, 65 cm.", partner_id="elektro-huber")
    assert await unread(cmi.partner, sp_id) == 1
    assert [each["by"] for each in (await read(cmi.partner, sp_id))["items"]] == [
        "partner",
        "operations",
    ]
    done = await read(cmi.operations, sp_id)
    assert (done["answer_due"], done["unread"]) == (None, 0)
    assert done["items"][0]["answered_at"] is not None


async def test_notes_are_for_operations_only(cmi: Site) -> None:
    sp_id = await cmi.new()
    note = await written(cmi.operations, sp_id, f"{SECRET}: Kulanz möglich", internal=True)
    assert note["internal"] is True
    await written(cmi.operations, sp_id, "Offen geschrieben")
    refused = await write(cmi.partner, sp_id, "Notiz?", internal=True)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "internal"

    assert await unread(cmi.partner, sp_id) == 1
    seen = await read(cmi.partner, sp_id)
    assert [each["text"] for each in seen["items"]] == ["Offen geschrieben"]
    assert "seq" not in seen["items"][0]
    for path, params in (
        (f"orders/{sp_id}", {}),
        (f"orders/{sp_id}/messages", {}),
        ("orders", {"q": sp_id}),
        ("orders", {"q": SECRET}),
    ):
        answer = await cmi.partner.get(f"{API}/{path}", params=params)
        assert answer.status_code == 200
        assert SECRET not in answer.text
    assert (await cmi.partner.get(f"{API}/orders", params={"q": SECRET})).json()["items"] == []
    for other in (cmi.shop, cmi.accounting):
        assert (await other.get(f"{API}/orders/{sp_id}/messages")).status_code == 403
        assert SECRET not in (await other.get(f"{API}/orders/{sp_id}")).text
    assert len((await read(cmi.operations, sp_id))["items"]) == 2
    exported = await cmi.operations.post(f"{API}/customer-exports", json={"sp_id": sp_id})
    assert SECRET in exported.text


async def test_a_repetition_is_none_more(cmi: Site) -> None:
    sp_id = await cmi.new()
    first = await write(cmi.partner, sp_id, "Einmal", "message-once")
    again = await write(cmi.partner, sp_id, "Einmal", "message-once")
    other = await write(cmi.partner, sp_id, "Zweimal", "message-once")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.json() == again.json()
    assert len((await read(cmi.partner, sp_id))["items"]) == 1


async def test_many_at_once(cmi: Site) -> None:
    sp_id = await cmi.new()
    keys = [f"{sp_id}-{n}" for n in range(4)]
    calls = [
        write(caller, sp_id, key, key)
        for key in keys * 2
        for caller in (cmi.partner, cmi.operations)
    ]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {201}
    seen = (await read(cmi.partner, sp_id))["items"]
    assert sorted(each["text"] for each in seen) == sorted(keys * 2)


async def test_who_lost_the_order_and_who_got_it_see_nothing_of_each_other(cmi: Site) -> None:
    sp_id = await cmi.new()
    await written(cmi.partner, sp_id, "Wir schaffen es nicht.")
    other = {"partner_id": "luzern-montage", "reason": "Näher"}
    await cmi.do(cmi.operations, sp_id, "reassign", other)
    for call in (
        await cmi.partner.get(f"{API}/orders/{sp_id}/messages"),
        await write(cmi.partner, sp_id, "Noch etwas"),
    ):
        assert (call.status_code, call.json()["detail"]) == (404, "There is no such order.")
    assert (await read(cmi.stranger, sp_id))["items"] == []
    late = await write(cmi.operations, sp_id, "Gut, danke.", partner_id="elektro-huber")
    assert (late.status_code, late.json()["code"]) == (409, "other_partner")
    assert (await read(cmi.stranger, sp_id))["items"] == []
    waiting = await cmi.app.state.message_use_cases._messages.waiting(200)
    assert sp_id not in {each.placement.sp_id for each in waiting.items}
    await written(cmi.stranger, sp_id, "Wir kommen morgen.")
    assert [each["partner_id"] for each in (await read(cmi.operations, sp_id))["items"]] == [
        "elektro-huber",
        "luzern-montage",
    ]
    await cmi.do(
        cmi.operations, sp_id, "reassign", {"partner_id": "elektro-huber", "reason": "Doch"}
    )
    seen = await read(cmi.partner, sp_id)
    assert [each["text"] for each in seen["items"]] == ["Wir schaffen es nicht."]


async def test_before_a_partner_knows_of_the_order_there_are_notes_only(cmi: Site) -> None:
    placed = await cmi.place(prepaid=True)
    sp_id = placed["sp_id"]
    refused = await write(cmi.operations, sp_id, "Hallo")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_partner")
    assert (await write(cmi.partner, sp_id, "Hallo")).status_code == 404
    await written(cmi.operations, sp_id, "Zahlung steht aus", internal=True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": " \n "}, "text"),
        ({"text": "x" * 2001}, "text"),
        ({"text": "a\x07b"}, "text"),
        ({"text": 5}, "text"),
        ({"text": "x", "internal": "yes"}, "internal"),
        ({"text": "x", "partner_id": "luzern-montage"}, "partner_id"),
        ({"text": "x", "seq": 1}, "seq"),
    ],
)
async def test_a_wrong_body_names_its_field(
    cmi: Site, unwritten: str, body: dict[str, Any], field: str
) -> None:
    answer = await cmi.partner.post(f"{API}/orders/{unwritten}/messages", json=body)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_too_many_in_an_hour(cmi: Site) -> None:
    sp_id = await cmi.new()
    for n in range(MOST_AN_HOUR):
        await written(cmi.partner, sp_id, f"Frage {n}")
    answer = await write(cmi.partner, sp_id, "Noch eine")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], "30" in error["message"]) == ("text", True)
    await written(cmi.operations, sp_id, "Alles gelesen.")


async def test_what_needs_no_answer(cmi: Site) -> None:
    sp_id = await cmi.new()
    thanks = await written(cmi.partner, sp_id, "Danke!")
    path = f"{API}/orders/{sp_id}/messages/no-answer"
    assert (
        await cmi.partner.post(path, json={"message_id": thanks["message_id"]})
    ).status_code == 403
    unknown = await cmi.operations.post(path, json={"message_id": "msg_0"})
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["field"] == "message_id"
    later = await written(cmi.partner, sp_id, "Doch noch eine Frage")
    done = await cmi.operations.post(path, json={"message_id": thanks["message_id"]})
    assert done.status_code == 200
    assert [each["answered_at"] is None for each in done.json()["items"]] == [False, True]
    assert done.json()["answer_due"] is not None
    done = await cmi.operations.post(path, json={"message_id": later["message_id"]})
    assert done.json()["answer_due"] is None


async def test_each_side_gets_one_mail_for_what_the_other_wrote(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    sp_id = await cmi.new()
    await written(cmi.operations, sp_id, "Die Antwort")
    await written(cmi.partner, sp_id, "Erste Frage <b>")
    await written(cmi.partner, sp_id, "Zweite Frage")
    await written(cmi.operations, sp_id, SECRET, internal=True)
    mails = cmi.app.state.message_mails
    monkeypatch.setattr(mails, "_clock", lambda: datetime.now(UTC) + timedelta(minutes=3))

    async def both() -> list[EmailMessage] | None:
        await mails.send_due()
        found = [m for m in cmi.around.inbox.mails(sp_id) if "Nachricht" in m["Subject"]]
        return found if len(found) == 2 else None

    found = await eventually(both)
    to_team, to_partner = sorted(found, key=lambda each: "Elektro" in str(each["To"]))
    assert to_team["Subject"] == f"{sp_id}: 2 Nachrichten von Elektro Huber AG"
    text = to_team.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    for part in ("Erste Frage <b>", "Zweite Frage", "Antwort bis", f"/orders/{sp_id}#messages"):
        assert part in text
    assert "auf der Seite des Auftrags, nicht mit einer Antwort auf diese E-Mail." in text
    assert to_team["Reply-To"] is None
    assert to_partner["Subject"] == f"{sp_id}: Nachricht des Servicepartner-Teams"
    text = to_partner.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Die Antwort" in text
    assert "Antworten Sie einfach darauf" not in text
    for each in found:
        assert SECRET not in each.as_string()
    html = to_team.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "Erste Frage &lt;b&gt;" in html
    assert await mails.send_due() == 0


async def test_operations_get_no_mail_about_what_they_answered(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    sp_id = await cmi.new()
    await written(cmi.partner, sp_id, "Eine Frage")
    await written(cmi.operations, sp_id, "Gleich die Antwort")
    mails = cmi.app.state.message_mails
    monkeypatch.setattr(mails, "_clock", lambda: datetime.now(UTC) + timedelta(minutes=3))

    async def there() -> list[EmailMessage]:
        await mails.send_due()
        return [each for each in cmi.around.inbox.mails(sp_id) if "Nachricht" in each["Subject"]]

    (only,) = await eventually(there)
    assert "Elektro Huber AG" in only["To"]


async def test_replies_go_to_the_address_of_the_setting(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    sp_id = await cmi.new()
    await written(cmi.operations, sp_id, "Bitte melden")
    mails = cmi.app.state.message_mails
    monkeypatch.setattr(mails, "_reply_to", "Rückfragen <threads@cmi.example>")
    monkeypatch.setattr(mails, "_clock", lambda: datetime.now(UTC) + timedelta(minutes=3))

    async def there() -> EmailMessage | None:
        await mails.send_due()
        found = cmi.around.inbox.mails(sp_id)
        return next((each for each in found if "Nachricht" in each["Subject"]), None)

    mail = await eventually(there)
    assert "threads@cmi.example" in mail["Reply-To"]
    assert "auf der Seite des Auftrags oder mit einer Antwort auf diese E-Mail." in str(
        mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    )


async def test_a_partner_that_lost_the_order_gets_no_mail(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    sp_id = await cmi.new()
    await written(cmi.operations, sp_id, "Nur für Huber")
    await cmi.do(
        cmi.operations, sp_id, "reassign", {"partner_id": "luzern-montage", "reason": "Näher"}
    )
    mails = cmi.app.state.message_mails
    now = datetime.now(UTC) + timedelta(minutes=3)
    monkeypatch.setattr(mails, "_clock", lambda: now)
    await mails.send_due()
    assert not [each for each in cmi.around.inbox.mails(sp_id) if "Nachricht" in each["Subject"]]
    assert sp_id not in {
        each.sp_id for each in await mails._queue.due(now + timedelta(days=1), 500)
    }
