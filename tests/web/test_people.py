"""A partner's people: what a technician sees and does, whose order is whose, and who manages whom."""

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio

from development.api_client import Api, read_credentials
from development.sample_data import TECHNICIAN, TECHNICIAN_OF, make_technician
from domain.people import PartnerRole
from records.accounts import AccountRecords
from settings import Settings
from tests.support.builders import TRANSMITTED
from tests.support.limits import WAIT_LIMIT
from tests.support.users import add_user
from tests.web.begun import begun
from tests.web.firms import Firm, firm
from tests.web.site import API, MET, Site
from tests.web.test_access import DECIDED, NAMED, PAGES, called, example, operations
from use_cases.link_mails import hash_of
from web.security import session_cookie

pytestmark = pytest.mark.asyncio(loop_scope="session")

_numbers = itertools.count(1)
SAME = {"Sec-Fetch-Site": "same-origin"}


class Worker(NamedTuple):
    """A person of a firm, its software, and its browser."""

    user_id: str
    name: str
    http: httpx.AsyncClient
    browser: httpx.AsyncClient


@asynccontextmanager
async def person(one: Firm, role: PartnerRole, name: str) -> AsyncIterator[Worker]:
    """Somebody of a firm who can log in, with a token of the own and a session."""
    cmi, user_id = one.cmi, f"usr_{one.partner_id}_{next(_numbers)}"
    records = AccountRecords(cmi.around.database)
    now = datetime.now(UTC)
    email = f"{user_id}@firm.example"
    await add_user(records, user_id, "partner", one.partner_id, email, name, "de", now, role)
    await records.passwords.set(user_id, "no hash of a password", now)
    _, cmi.tokens[user_id] = await cmi.app.state.accounts.tokens.make(
        "partner", "app", one.partner_id, made_by=user_id
    )
    later = now + timedelta(days=1)
    await records.begin_session(user_id, hash_of(f"secret-{user_id}"), now, later)
    cookies = {session_cookie(cmi.app.state.settings): f"secret-{user_id}"}
    async with httpx.AsyncClient(
        base_url=cmi.address, cookies=cookies, timeout=WAIT_LIMIT
    ) as browser:
        yield Worker(user_id, name, cmi.caller(user_id), browser)


class Team(NamedTuple):
    """A firm with its office, a technician, an order of that and one of nobody."""

    firm: Firm
    office: Worker
    hans: Worker
    his: str
    nobodys: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def team(cmi: Site) -> AsyncIterator[Team]:
    one = await firm(cmi)
    his, nobodys = [await begun(cmi, *TRANSMITTED, partner_id=one.partner_id) for _ in range(2)]
    async with (
        person(one, "office", "Rita Frei") as office,
        person(one, "technician", "Hans Muster") as hans,
    ):
        assert (await assigned(one.http, his, hans.user_id)).status_code == 200
        for sp_id in (his, nobodys):
            await cmi.do(office.http, sp_id, "accept")
        yield Team(one, office, hans, his, nobodys)


async def assigned(http: httpx.AsyncClient, sp_id: str, user_id: str) -> httpx.Response:
    return await http.put(f"{API}/orders/{sp_id}/assignment", json={"user_id": user_id})


async def test_a_technician_sees_its_orders_in_every_list_and_no_others(team: Team) -> None:
    orders = f"{API}/orders"
    page = (await team.hans.http.get(orders)).json()
    assert [each["sp_id"] for each in page["items"]] == [team.his]
    assert page["items"][0]["assigned_to"] == {"user_id": team.hans.user_id, "name": "Hans Muster"}
    assert sum(page["counts"].values()) == 1
    for query in (
        {"q": team.nobodys},
        {"assigned_to": "nobody"},
        {"assigned_to": team.office.user_id},
    ):
        found = (await team.hans.http.get(orders, params=query)).json()
        assert team.nobodys not in str(found), query
    assert (await team.hans.http.get(f"{orders}/{team.his}")).status_code == 200


OF_ORDERS = [route for route, who in DECIDED.items() if "{sp_id}" in route and "stranger" in who]


@pytest.mark.parametrize("route", OF_ORDERS)
async def test_an_order_of_nobody_is_not_there_for_a_technician(
    cmi: Site, team: Team, route: str
) -> None:
    document = cmi.app.openapi()
    body = example(document, operations(document)[route])
    http = team.hans.http
    foreign = await called(http, route, NAMED | {"sp_id": team.nobodys}, body)
    missing = await called(http, route, NAMED | {"sp_id": "SP-0"}, body)
    assert foreign.status_code in (403, 404, 422), foreign.text  # 422: a photo is read first
    assert foreign.status_code == missing.status_code
    assert foreign.json() == missing.json(), "nobody can tell one from the other"


async def test_no_page_shows_a_technician_an_order_of_nobody(team: Team) -> None:
    await team.hans.browser.get("/account")
    fields = {"form_token": team.hans.browser.cookies["cmi_form"], "request_id": "A" * 22}
    names = NAMED | {"sp_id": team.nobodys, "form_name": "contact", "photo_id": "0"}
    for route in sorted(each for each in PAGES if "{sp_id}" in each):
        method, path = route.split()
        path = re.sub(r"\{(\w+)\}", lambda match: names[match[1]], path)
        form = fields if method == "POST" else None
        answer = await team.hans.browser.request(method, path, data=form, headers=SAME)
        if route == "GET /orders/{sp_id}/{form_name}":  # leads to the order's page
            assert answer.status_code == 303
        else:
            assert answer.status_code in (403, 404), (route, answer.status_code)


async def test_the_office_filters_by_person(team: Team) -> None:
    async def listed(**query: str) -> list[str]:
        page = (await team.firm.http.get(f"{API}/orders", params=query)).json()
        return [each["sp_id"] for each in page["items"]]

    assert await listed(assigned_to=team.hans.user_id) == [team.his]
    assert await listed(assigned_to="nobody") == [team.nobodys]
    assert await listed() == [team.nobodys, team.his]


async def test_a_technician_does_what_is_done_on_site_and_is_named(cmi: Site, team: Team) -> None:
    seen = (await team.hans.http.get(f"{API}/orders/{team.his}")).json()
    assert set(seen["allowed"]) == {
        "log_contact",
        "confirm_requirements",
        "reject_requirements",
        "report_problem",
    }
    await cmi.do(team.hans.http, team.his, "contacts", {"outcome": "reached"})
    met = await cmi.do(team.hans.http, team.his, "requirements", MET)
    entries = {each["type"]: each for each in met["timeline"]}
    for event, name in (("accepted", "Rita Frei"), ("contact_logged", "Hans Muster")):
        assert entries[event]["by"] == f"partner:{team.firm.partner_id}"
        assert entries[event]["person"] == name
    assert "person" not in entries["transmitted"]
    page = await team.office.browser.get(f"/orders/{team.his}")
    assert f"{team.firm.partner_id} (Hans Muster)" in page.text
    # A repair from the workflow brings nothing else.
    stored = await cmi.app.state.order_use_cases._orders.get(team.his)
    snapshot = await cmi.app.state.order_use_cases._gateway.fetch(team.his)
    assert stored.events == snapshot.events


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/orders/{his}/accept"),
        ("POST", "/orders/{his}/decline"),
        ("PUT", "/orders/{his}/assignment"),
        ("DELETE", "/orders/{his}/assignment"),
        ("GET", "/settlements"),
        ("POST", "/settlements"),
        ("GET", "/settlements/V202610-22222222/statement.pdf"),
        ("GET", "/people"),
        ("POST", "/people"),
        ("PATCH", "/people/{hans}"),
        ("DELETE", "/people/{hans}"),
        ("POST", "/people/{hans}/invitation"),
    ],
)
async def test_what_is_the_offices_is_refused_at_the_door(
    team: Team, method: str, path: str
) -> None:
    path = path.format(his=team.his, hans=team.hans.user_id)
    answer = await team.hans.http.request(method, API + path, json={"nonsense": 1})
    assert answer.status_code == 403, answer.text
    assert answer.json()["detail"] == "This is not for the role technician."


async def test_the_pages_of_a_technician(team: Team) -> None:
    for path in (
        "/",
        "/orders",
        f"/orders?q={team.his[3:]}",
        "/orders?person=nobody",
        "/orders.csv",
    ):
        page = await team.hans.browser.get(path, follow_redirects=True)
        assert page.status_code == 200, path
        assert path == "/" or team.his in page.text, path
        assert team.nobodys not in page.text, path
        assert "/settlements" not in page.text, path
    order = await team.hans.browser.get(f"/orders/{team.his}")
    assert order.status_code == 200
    assert "Vergütung" not in order.text
    assert "129" not in (await team.hans.browser.get("/orders.csv")).text
    for path in ("/people", "/settlements", "/settlements/V202610-22222222", "/figures", "/staff"):
        assert (await team.hans.browser.get(path)).status_code == 403, path
    token = {"form_token": team.hans.browser.cookies["cmi_form"], "request_id": "A" * 22}
    for path, fields, status in (
        (f"/orders/{team.his}/assignment", {"assignment.user_id": ""}, 403),
        ("/several/assign", {"sp_id": team.nobodys, "user_id": team.hans.user_id}, 403),
        ("/several/accept", {"sp_id": team.nobodys}, 403),
        ("/people", {"name": "X", "email": "x@firm.example", "role": "office"}, 403),
        (f"/people/{team.hans.user_id}/change", {"role": "office"}, 403),
        (f"/people/{team.office.user_id}/removal", {}, 403),
    ):
        answer = await team.hans.browser.post(path, data=token | fields, headers=SAME)
        assert answer.status_code == status, path


async def test_only_people_of_the_firm_get_its_orders(cmi: Site, team: Team) -> None:
    other = await firm(cmi)
    async with person(other, "technician", "Else Fremd") as else_:
        answer = await assigned(team.firm.http, team.nobodys, else_.user_id)
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == ["user_id"]
        assert (await assigned(other.http, team.nobodys, else_.user_id)).status_code == 404
        for path in (f"/people/{else_.user_id}", f"/people/{else_.user_id}/invitation"):
            method = "POST" if path.endswith("invitation") else "DELETE"
            assert (await team.firm.http.request(method, API + path)).status_code == 404
        changed = await team.firm.http.patch(f"{API}/people/{else_.user_id}", json={})
        assert changed.status_code == 404
        people = (await other.http.get(f"{API}/people")).json()["items"]
        assert [each["user_id"] for each in people] == [else_.user_id]
    for body, field in (
        ({"email": "a@firm.example", "name": "A", "role": "boss"}, "role"),
        ({"email": "no address", "name": "A", "role": "office"}, "email"),
        ({"email": "a@firm.example", "name": "", "role": "office"}, "name"),
    ):
        answer = await team.firm.http.post(f"{API}/people", json=body)
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_the_office_manages_its_people(cmi: Site) -> None:
    one = await firm(cmi)
    sp_id = await begun(cmi, *TRANSMITTED, partner_id=one.partner_id)
    body = {"email": f"neu@{one.partner_id}.example", "name": "Neu Nina", "role": "technician"}
    made = (await one.http.post(f"{API}/people", json=body)).json()
    assert (made["role"], made["notifications"]) == ("technician", ["assigned", "changes"])
    assert (await one.http.post(f"{API}/people", json=body)).status_code == 409
    async with person(one, "office", "Rita Frei") as rita, person(one, "office", "Max") as max_:
        at = f"{API}/people/{max_.user_id}"
        assert (await assigned(one.http, sp_id, max_.user_id)).status_code == 200
        people = {e["user_id"]: e for e in (await rita.http.get(f"{API}/people")).json()["items"]}
        assert people[max_.user_id]["open_orders"] == 1
        wrong = await rita.http.patch(at, json={"role": "technician", "notifications": ["digest"]})
        assert wrong.status_code == 422
        assert [each["field"] for each in wrong.json()["errors"]] == ["notifications"]
        done = await rita.http.patch(at, json={"role": "technician", "notifications": ["today"]})
        assert (done.json()["role"], done.json()["notifications"]) == ("technician", ["today"])
        assert (await max_.http.get(f"{API}/settlements")).status_code == 403, "at once"
        # Neither the own login nor the last one of the office; the invited one cannot log in yet.
        own = f"{API}/people/{rita.user_id}"
        assert (await rita.http.delete(own)).status_code == 409
        assert (await one.http.delete(own)).status_code == 409
        assert (await one.http.patch(own, json={"role": "technician"})).status_code == 409
        assert (await rita.http.delete(at)).status_code == 204
        assert (await rita.http.delete(at)).status_code == 404
        assert (await max_.http.get(f"{API}/orders")).status_code == 401
        seen: dict[str, Any] = (await one.http.get(f"{API}/orders/{sp_id}")).json()
        assert seen["assigned_to"] is None


async def test_a_reassigned_order_is_nobodys_at_its_new_partner(cmi: Site, team: Team) -> None:
    other = await firm(cmi)
    sp_id = await begun(cmi, *TRANSMITTED, partner_id=team.firm.partner_id)
    await assigned(team.firm.http, sp_id, team.hans.user_id)
    assert (await team.hans.http.get(f"{API}/orders/{sp_id}")).status_code == 200
    body = {"partner_id": other.partner_id, "reason": "Ferien"}
    await cmi.do(cmi.operations, sp_id, "reassign", body)
    await cmi.reaches(sp_id, "new")
    assert (await team.hans.http.get(f"{API}/orders/{sp_id}")).status_code == 404
    seen = (await other.http.get(f"{API}/orders/{sp_id}")).json()
    assert seen["assigned_to"] is None
    assert "Hans Muster" not in str(seen)


async def test_an_address_gets_few_invitations_by_offices(cmi: Site) -> None:
    one, other = await firm(cmi), await firm(cmi)
    body = {"email": f"viel@{one.partner_id}.example", "name": "Viel Post", "role": "office"}
    for _ in range(4):  # what is invalid is not counted
        wrong = await one.http.post(f"{API}/people", json=body | {"email": "no address"})
        assert wrong.status_code == 422
    at = f"{API}/people/{(await one.http.post(f'{API}/people', json=body)).json()['user_id']}"
    for _ in range(2):
        assert (await one.http.post(f"{at}/invitation")).status_code == 200
    refused = await one.http.post(f"{at}/invitation")
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
    assert (await one.http.delete(at)).status_code == 204
    for each in (one, other):
        assert (await each.http.post(f"{API}/people", json=body)).status_code == 429
    async with person(other, "office", "Rita Frei") as rita:
        assert (await rita.browser.get("/people")).status_code == 200
        fields = body | {"form_token": rita.browser.cookies["cmi_form"], "language": "de"}
        page = await rita.browser.post("/people", data=fields, headers=SAME)
        assert (page.status_code, "So viele Einladungen" in page.text) == (422, True)


async def test_the_sample_technician_logs_in_and_has_its_orders(cmi: Site, tmp_path: Path) -> None:
    sp_ids = [await begun(cmi, *TRANSMITTED, partner_id=TECHNICIAN_OF) for _ in range(2)]
    known = {"partners": {TECHNICIAN_OF: {"token": cmi.tokens["stranger"]}}}
    file, mails = tmp_path / "credentials.json", cmi.around.inbox.directory
    settings: Settings = cmi.app.state.settings
    async with Api(cmi.address, known) as api:
        person = {"email": TECHNICIAN, "name": "Urs Bachmann", "role": "technician"}
        await api.post(TECHNICIAN_OF, "/people", person)  # a start that was stopped then
        for _ in range(
            2
        ):  # the next starts go on with it; the firm no longer has one of the orders
            await make_technician(settings, api, file, mails, ["SP-LOST", sp_ids[0]])
    login = read_credentials(file)["partners"][TECHNICIAN_OF]["technician"]
    sessions = cmi.app.state.accounts.sessions
    session = await sessions.log_in(login["email"], login["password"], "2001:db8::78")
    cookies = {session_cookie(settings): session.secret}
    async with httpx.AsyncClient(
        base_url=cmi.address, cookies=cookies, timeout=WAIT_LIMIT
    ) as browser:
        shown = (await browser.get("/orders")).text
    assert [sp_id in shown for sp_id in sp_ids] == [True, False]


async def test_the_office_assigns_several_on_the_page(cmi: Site, team: Team) -> None:
    sp_ids = [await begun(cmi, *TRANSMITTED, partner_id=team.firm.partner_id) for _ in range(2)]
    browser = team.office.browser
    assert (await browser.get("/people")).status_code == 200
    page = await browser.get("/orders")
    assert "Zuteilen an" in page.text
    fields = {
        "form_token": browser.cookies["cmi_form"],
        "request_id": "A" * 22,
        "back": "/orders?status=new",
        "sp_id": sp_ids,
        "user_id": team.hans.user_id,
    }
    answer = await browser.post("/several/assign", data=fields, headers=SAME)
    assert answer.headers["Location"] == "/orders?status=new&said=orders-assigned"
    one = fields | {"user_id": "", "sp_id": sp_ids[:1]}
    nothing = await browser.post("/several/assign", data=one, headers=SAME)
    assert nothing.headers["Location"].endswith("said=person-missing")
    shown = await team.office.browser.get(nothing.headers["Location"])
    assert '<p class="notice" role="status">Bitte wählen Sie' in shown.text  # it is no success
    ticks = [f'name="sp_id" value="{sp_id}" checked' in shown.text for sp_id in sp_ids]
    assert ticks == [True, False], "what was ticked still is"
    mine = await browser.get(f"/orders?person={team.hans.user_id}")
    assert all(sp_id in mine.text for sp_id in sp_ids)
    form = fields | {"assignment.user_id": "usr_nobody"}
    wrong = await browser.post(f"/orders/{sp_ids[0]}/assignment", data=form, headers=SAME)
    assert wrong.status_code == 422
    assert "Diese Person gibt es" in wrong.text
    gone = fields | {"sp_id": sp_ids[1:], "user_id": "nobody"}
    await browser.post("/several/assign", data=gone, headers=SAME)
    mine = await browser.get(f"/orders?person={team.hans.user_id}")
    assert (sp_ids[0] in mine.text, sp_ids[1] in mine.text) == (True, False)
    form = fields | {"assignment.user_id": ""}
    await browser.post(f"/orders/{sp_ids[0]}/assignment", data=form, headers=SAME)
    seen = (await team.firm.http.get(f"{API}/orders/{sp_ids[0]}")).json()
    assert seen["assigned_to"] is None
