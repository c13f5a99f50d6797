"""The page behind a customer's link, over the application without Temporal: what it shows, takes, and never tells."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from domain.orders.another_day import wish_of
from domain.orders.commands import Cancel, ConfirmExecution, DecideReview, ReportProblem
from domain.orders.protocol import Checked, Protocol, checklist_of
from domain.orders.standing import standing
from domain.policy_file import load_policy
from records.customer_links import VALID
from records.erasures import Erasures
from records.partners import Partners
from records.tables import customer_links, customer_wishes, order_mails
from tests.activities.conftest import partner
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    GOODS_THERE,
    MONDAY,
    Step,
    appointment,
    intake,
)
from tests.use_cases.conftest import AccountsEnv, text_of
from tests.use_cases.test_order_mails import SP_ID, Desk
from tests.web.test_accounts import app
from use_cases.customer_links import CustomerLinkUseCases
from use_cases.on_site import OnSite
from use_cases.principal import Principal

__all__ = ["app"]

TOLD = intake(
    rules=2,
    policy=load_policy("[customer_mails]\nappointment = true\nmoved = true\nlink = true"),
)
MOVED = appointment(24 * 4, reason="Kundschaft wünscht einen anderen Tag")
SECRETS = ("Regula", "Langstrasse", "regula.mueller", "555 01 02", "129.00", "klingeln")


class Customers:
    """A customer's browser, and the desk behind it."""

    def __init__(self, desk: Desk, browser: httpx.AsyncClient) -> None:
        self.desk, self.browser = desk, browser
        self.links = CustomerLinkUseCases(desk.database, desk.clock)

    async def lives(self, *steps: Step) -> None:
        """Record the order and send the mails that follow."""
        await self.desk.lives(*steps, of=TOLD)
        await self.desk.mails.send_due()

    def path(self) -> str:
        """The path of the link in the customer's last mail."""
        for message, envelope in reversed(
            list(zip(self.desk.server.received, self.desk.server.envelopes, strict=True))
        ):
            if envelope.rcpt_tos == ["regula.mueller@example.ch"]:
                found = re.search(r"https://cmi\.example(/visit/[\w-]{43})\s", text_of(message))
                assert found is not None
                return found[1]
        raise AssertionError("the customer got no mail")

    async def ask(self, path: str, note: str = "") -> httpx.Response:
        token = re.search(r'name="form_token" value="([^"]+)"', (await self.browser.get(path)).text)
        assert token is not None
        return await self.browser.post(path, data={"form_token": token[1], "note": note})

    def to(self, address: str) -> list[str]:
        """The subjects of the mails to somebody."""
        return [
            str(message["Subject"])
            for message, envelope in zip(
                self.desk.server.received, self.desk.server.envelopes, strict=True
            )
            if envelope.rcpt_tos == [address]
        ]


@pytest.fixture
async def customers(app: FastAPI, env: AccountsEnv) -> AsyncIterator[Customers]:
    known = partner("elektro-huber", phone="+41 44 555 09 09")
    await Partners(env.database).put(known, MONDAY)
    app.state.settings, app.state.database = env.settings, env.database
    app.state.accounts = env.accounts
    desk = Desk(env.database, env.settings, env.clock, env.server)
    app.state.customer_links = CustomerLinkUseCases(env.database, env.clock)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://cmi.example", follow_redirects=True
    ) as browser:
        yield Customers(desk, browser)


async def test_the_link_shows_state_window_and_partner_and_no_customer(
    customers: Customers,
) -> None:
    await customers.lives(*AGREED)
    answer = await customers.browser.get(customers.path())
    assert answer.status_code == 200
    for part in (
        "Waschmaschine anschliessen",
        "Mi 7. Okt. 2026 09:00–11:00",
        "Elektro-Huber AG kommt an diesem Termin zu Ihnen.",
        'href="tel:+41445550909"',
        "Muster Handel AG",
    ):
        assert part in answer.text
    for secret in SECRETS:
        assert secret not in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer.headers["Cache-Control"]
    assert 'name="robots" content="noindex"' in answer.text
    assert "<script" not in answer.text
    assert 'href="/orders' not in answer.text


async def test_each_mail_has_a_link_of_its_own_and_only_hashes_are_kept(
    customers: Customers,
) -> None:
    await customers.lives(*AGREED)
    first = customers.path()
    await customers.lives(*AGREED, MOVED)
    second = customers.path()
    assert first != second
    for path in (first, second):
        assert "Fr 9. Okt. 2026 09:00–11:00" in (await customers.browser.get(path)).text
    rows = await customers.desk.database.read(
        lambda connection: connection.execute(select(customer_links.c.hash)).scalars().all()
    )
    assert len(rows) == 2
    assert not {path.rpartition("/")[2] for path in (first, second)} & set(rows)


async def test_what_is_no_link_is_not_there(customers: Customers) -> None:
    await customers.lives(*AGREED)
    for secret in ("", "x", "0" * 43, "%00", "a" * 5000):
        answer = await customers.browser.get(f"/visit/{secret}")
        assert answer.status_code in (404, 414), secret
        assert "Waschmaschine" not in answer.text


@pytest.mark.parametrize(
    ("steps", "says", "asks"),
    [
        (ACCEPTED, "ruft Sie an", False),
        (GOODS_THERE, "ruft Sie an", False),
        (AGREED, "kommt an diesem Termin", True),
        (
            (*AGREED, ReportProblem(reason="site_not_ready", note="x")),
            "noch etwas geklärt",
            True,
        ),
        (
            (*AGREED, timedelta(days=2, hours=6), ConfirmExecution(executed_on="2026-10-07")),
            "Erledigt",
            False,
        ),
        ((*AGREED, Cancel(reason="Storno")), "storniert", False),
    ],
)
async def test_what_it_says_in_each_state(
    customers: Customers, steps: tuple[Step, ...], says: str, asks: bool
) -> None:
    await customers.desk.lives(*steps, of=TOLD)
    secret = await customers.links.issue(SP_ID)
    answer = await customers.browser.get(f"/visit/{secret}")
    assert says in answer.text
    assert ("<form" in answer.text) is asks


async def test_another_day_please(customers: Customers) -> None:
    await customers.lives(*AGREED)
    path = customers.path()
    answer = await customers.ask(path, "Lieber am Freitag <b>früh</b>")
    assert answer.status_code == 200
    assert "Sie haben um einen anderen Tag gebeten" in answer.text
    assert "<form" not in answer.text
    await customers.browser.get(path)
    await customers.desk.mails.send_due()
    asked = [s for s in customers.to("auftraege@elektro-huber.example") if "wünscht" in s]
    assert asked == [f"8004 Zürich · Kundschaft wünscht einen anderen Tag · bis Di 18:00 · {SP_ID}"]
    text = text_of(customers.desk.server.received[-1])
    assert "Lieber am Freitag <b>früh</b>" in text
    ((wish, order),) = await customers.links._links.open_of(
        "elektro-huber", customers.desk.clock.now
    )
    assert (wish.note, order.sp_id) == ("Lieber am Freitag <b>früh</b>", SP_ID)
    assert await customers.links._links.open_of("sanitaer-rossi", customers.desk.clock.now) == ()
    # moved: the wish is answered, and nobody is told that it is late
    await customers.lives(*AGREED, MOVED)
    order_now = await customers.links.open(path.rpartition("/")[2])
    assert order_now is not None
    assert await customers.links.open_wish(order_now) is None
    customers.desk.clock.forward(days=1, hours=12)
    await customers.desk.mails.send_due()
    assert customers.to("service-partner@localhost") == []


async def test_asking_twice_is_asking_once(customers: Customers) -> None:
    await customers.lives(*AGREED)
    path = customers.path()
    page = (await customers.browser.get(path)).text
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    for note in ("eins", "zwei"):
        sent = {"form_token": token[1], "note": note}
        assert (await customers.browser.post(path, data=sent)).status_code == 200
    await customers.desk.mails.send_due()
    asked = [s for s in customers.to("auftraege@elektro-huber.example") if "wünscht" in s]
    assert len(asked) == 1
    order = await customers.links.open(path.rpartition("/")[2])
    assert order is not None
    wish = await customers.links.open_wish(order)
    assert wish is not None
    assert wish.note == "eins"


async def test_a_wish_that_nobody_answers_reaches_operations(customers: Customers) -> None:
    await customers.lives(*GOODS_THERE, appointment(24 * 8))
    await customers.ask(customers.path(), "später")
    await customers.desk.mails.send_due()
    customers.desk.clock.forward(days=1, hours=12)
    await customers.desk.mails.send_due()
    (late,) = customers.to("service-partner@localhost")
    assert late == f"{SP_ID}: Anderer Tag gewünscht und noch nicht geklärt"


async def test_a_wish_is_to_be_answered_before_the_appointment(customers: Customers) -> None:
    """On the day before, a whole working day would end after the appointment has begun."""
    await customers.lives(*GOODS_THERE, appointment(24 * 8))
    order = await customers.links.open(customers.path().rpartition("/")[2])
    assert order is not None
    stood = standing(order)
    assert stood is not None
    assert wish_of(order, "", stood.start - timedelta(days=7)).due < stood.start
    assert wish_of(order, "", stood.start - timedelta(hours=5)).due == stood.start


async def test_a_wish_that_is_settled_reaches_nobody_else(customers: Customers) -> None:
    await customers.lives(*GOODS_THERE, appointment(24 * 8))
    path = customers.path()
    await customers.ask(path, "später")
    await customers.desk.mails.send_due()
    order = await customers.links.open(path.rpartition("/")[2])
    assert order is not None
    await customers.links.answered(order)
    assert await customers.links.open_wish(order) is None
    customers.desk.clock.forward(days=1, hours=12)
    await customers.desk.mails.send_due()
    assert customers.to("service-partner@localhost") == []


async def test_a_form_from_elsewhere_asks_for_nothing(customers: Customers) -> None:
    await customers.lives(*AGREED)
    path = customers.path()
    assert (await customers.browser.post(path, data={"note": "x"})).status_code == 403
    order = await customers.links.open(path.rpartition("/")[2])
    assert order is not None
    assert await customers.links.open_wish(order) is None


async def test_too_late_to_ask(customers: Customers) -> None:
    await customers.lives(*AGREED)
    path = customers.path()
    page = (await customers.browser.get(path)).text
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    customers.desk.clock.forward(days=3)
    answer = await customers.browser.post(path, data={"form_token": token[1]})
    assert answer.status_code == 409
    assert "können Sie jetzt nicht mehr bitten" in answer.text


async def test_a_link_ends_when_it_is_revoked_when_it_is_old_and_when_the_order_is_erased(
    customers: Customers,
) -> None:
    await customers.lives(*AGREED)
    path, secret = customers.path(), await customers.links.issue(SP_ID)
    order = await customers.links.open(secret)
    assert order is not None
    await customers.links.revoke(order)
    assert not await customers.links.has_links(order)
    assert (await customers.browser.get(path)).status_code == 404

    path = f"/visit/{await customers.links.issue(SP_ID)}"
    assert (await customers.browser.get(path)).status_code == 200
    customers.desk.clock.forward(days=VALID.days, seconds=1)
    assert (await customers.browser.get(path)).status_code == 404


async def test_an_erasure_reaches_links_and_wishes(customers: Customers) -> None:
    tiler = ReportProblem(reason="site_not_ready", note="x")
    await customers.lives(*AGREED)
    path = customers.path()
    seen = await customers.links.open(path.rpartition("/")[2])
    assert seen is not None
    late = wish_of(seen, "Regula kann nur am Freitag", customers.desk.clock.now)
    await customers.ask(path, "Lieber am Freitag")
    await customers.lives(*AGREED, tiler, DecideReview(decision="cancel"))

    async def ended() -> bool:
        return False

    erasures = Erasures(customers.desk.database)
    assert await erasures.erase(SP_ID, "operations", customers.desk.clock.now, ended) is None
    # one who opened the page before and sends the form now
    assert not await customers.links._links.ask(late, seen, customers.desk.clock.now)
    for table in (customer_links, customer_wishes, order_mails):
        rows = await customers.desk.database.read(
            lambda connection, table=table: connection.execute(select(table)).all()  # type: ignore[misc]
        )
        assert rows == []
    assert (await customers.browser.get(path)).status_code == 404


async def test_a_wish_is_a_text_without_control_characters(customers: Customers) -> None:
    await customers.lives(*AGREED)
    path = customers.path()
    await customers.ask(path, " Lieber \x1b[2Jam\x07\r\nFreitag\u2028früh ")
    order = await customers.links.open(path.rpartition("/")[2])
    assert order is not None
    wish = await customers.links.open_wish(order)
    assert wish is not None
    assert wish.note == "Lieber [2Jam\nFreitag\nfrüh"


@pytest.mark.parametrize("for_customer", [True, False])
async def test_the_protocol_is_there_only_if_the_policy_gives_it(
    customers: Customers, app: FastAPI, for_customer: bool
) -> None:
    desk = customers.desk
    app.state.on_site = on_site = OnSite(desk.database, "Muster Handel AG", None, clock=desk.clock)
    policy = load_policy(f"[protocol]\nfor_customer = {str(for_customer).lower()}")
    await desk.lives(*AGREED, timedelta(days=2, hours=6), of=intake(rules=2, policy=policy))
    path = f"/visit/{await customers.links.issue(SP_ID)}"
    assert "protocol.pdf" not in (await customers.browser.get(path)).text
    order = await customers.links.open(path.rpartition("/")[2])
    assert order is not None
    now = desk.clock()
    written = Protocol(
        checklist=tuple(Checked(item=each, result="done") for each in checklist_of(order)),
        begun=now - timedelta(hours=1),
        ended=now,
        ending="absent",
        reason="Schlüssel beim Hauswart",
    )
    operations = Principal(role="operations", login_id="usr_1", name="Anna Meier")
    await on_site.write_protocol(operations, order, written, request_id="1")
    link = f'href="{path}/protocol.pdf"'
    assert (link in (await customers.browser.get(path)).text) is for_customer
    answer = await customers.browser.get(f"{path}/protocol.pdf")
    assert answer.status_code == (200 if for_customer else 404)
    assert (answer.headers["Content-Type"] == "application/pdf") is for_customer
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    await customers.links.revoke(order)
    assert (await customers.browser.get(f"{path}/protocol.pdf")).status_code == 404
