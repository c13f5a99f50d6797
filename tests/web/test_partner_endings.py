"""Partners that pause or end: their status in the API, and that nobody of an ended partner gets in."""

import asyncio

import httpx
import pytest

from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv
from tests.web.test_accounts import NEW, USER, app, fields, http
from use_cases.account_errors import BadLogin, LinkUnusable, LoginEnded

__all__ = ["app", "http"]

HUBER = "/partners/elektro-huber"


async def to(http: httpx.AsyncClient, status: str, path: str = HUBER) -> None:
    """Give a partner a status."""
    answer = await http.patch(path, json={"status": status})
    assert (answer.status_code, answer.json()["status"]) == (200, status)


async def made_token(http: httpx.AsyncClient, path: str = HUBER) -> str:
    """A new token of a partner."""
    answer = await http.post(f"{path}/tokens", json={"name": "Plan"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def test_the_status_of_a_partner(http: httpx.AsyncClient) -> None:
    made = await http.post("/partners", json={**NEW, "status": "paused"})
    assert (made.status_code, made.json()["status"]) == (201, "paused")
    without = {name: value for name, value in NEW.items() if name not in ("status", "policy")}
    other = await http.post("/partners", json={**without, "partner_id": "another"})
    assert (other.json()["status"], other.json()["policy"]) == ("active", None)
    for path in ("/partners", "/partners?status=active"):
        listed = (await http.get(path)).json()["items"]
        assert ("luzern-montage" in {each["partner_id"] for each in listed}) == ("?" not in path)
    paused = (await http.get("/partners?status=paused")).json()["items"]
    assert [each["partner_id"] for each in paused] == ["luzern-montage"]
    assert fields(await http.get("/partners?status=gone")) == ["status"]
    assert fields(await http.patch("/partners/another", json={"status": "gone"})) == ["status"]
    assert fields(await http.patch("/partners/another", json={"status": None})) == ["status"]
    wrong = {**NEW, "partner_id": "third", "status": "gone"}
    assert fields(await http.post("/partners", json=wrong)) == ["status"]


async def test_an_unknown_policy_is_refused(http: httpx.AsyncClient) -> None:
    assert fields(await http.post("/partners", json={**NEW, "policy": "none"})) == ["policy"]
    assert fields(await http.patch(HUBER, json={"policy": "none"})) == ["policy"]
    assert fields(await http.patch(HUBER, json={"policy": "../x"})) == ["policy"]
    assert (await http.patch(HUBER, json={"policy": None})).status_code == 200


async def test_the_end_closes_sessions_tokens_and_links_at_once(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    await env.add_user()
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    token = await made_token(http)
    invited = {"email": "second@huber.example", "name": "Second"}
    second = (await http.post(f"{HUBER}/users", json=invited)).json()
    invitation = env.secret()
    await env.accounts.resets.request(EMAIL, ADDRESS)
    while len(env.mails()) < 3:
        await asyncio.sleep(0)
    reset = env.secret()
    other = await made_token(http, "/partners/sanitaer-rossi")

    await to(http, "ended")

    callers = env.accounts.callers
    assert await callers.of_session(session.secret) is None
    assert await callers.of_token(token) is None
    assert await callers.of_token(other) is not None, "another partner's token"
    for secret in (invitation, reset):
        with pytest.raises(LinkUnusable):
            await env.accounts.open_link(secret)
        with pytest.raises(LinkUnusable):
            await env.accounts.accept_invitation(secret, PASSWORD)
    with pytest.raises(LoginEnded):
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    with pytest.raises(BadLogin) as caught:
        await env.accounts.sessions.log_in(EMAIL, "wrong", ADDRESS)
    assert not isinstance(caught.value, LoginEnded), "who does not know the password learns nothing"
    for path, body in (
        (f"{HUBER}/users", {**USER, "email": "third@huber.example"}),
        (f"{HUBER}/users/{second['user_id']}/invitation", {}),
        (f"{HUBER}/tokens", {"name": "New"}),
    ):
        answer = await http.post(path, json=body)
        assert answer.status_code == 409
        assert "has ended" in answer.json()["detail"]
    sent = len(env.mails())
    await env.accounts.resets.request(EMAIL, ADDRESS)
    await env.accounts.close()
    assert len(env.mails()) == sent, "no link is mailed either"
    (kept,) = (await http.get(f"{HUBER}/tokens")).json()["items"]
    assert kept["revoked_at"] is not None


async def test_a_partner_that_comes_back_has_its_logins_but_no_token(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    await env.add_user()
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    token = await made_token(http)
    await to(http, "ended")
    await to(http, "active")
    assert await env.accounts.callers.of_token(token) is None
    assert await env.accounts.callers.of_session(session.secret) is None
    again = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    assert await env.accounts.callers.of_session(again.secret) is not None
    assert await env.accounts.callers.of_token(await made_token(http)) is not None


async def test_a_pause_leaves_logins_and_tokens(http: httpx.AsyncClient, env: AccountsEnv) -> None:
    await env.add_user()
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    token = await made_token(http)
    for status in ("paused", "active"):
        await to(http, status)
        assert await env.accounts.callers.of_token(token) is not None
        assert await env.accounts.callers.of_session(session.secret) is not None


async def test_who_logs_in_while_the_partner_ends_gets_no_session_that_lives(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    await env.add_user()

    async def log_in() -> str | None:
        try:
            return (await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)).secret
        except BadLogin:
            return None

    entered, _, more = await asyncio.gather(log_in(), to(http, "ended"), log_in())
    secrets = [secret for secret in (entered, more) if secret]
    for secret in secrets:
        assert await env.accounts.callers.of_session(secret) is None
    await to(http, "active")
    for secret in secrets:
        assert await env.accounts.callers.of_session(secret) is None, "nor afterwards"


async def test_an_invitation_that_waits_is_not_mailed_after_the_end(
    http: httpx.AsyncClient, env: AccountsEnv
) -> None:
    env.server.mail = "451 not now"
    assert (await http.post(f"{HUBER}/users", json=USER)).json()["invitation"] == "waiting"
    await to(http, "ended")
    env.server.mail = "250 OK"
    env.clock.forward(hours=1)
    assert await env.accounts.send_due_mails() == 0
    assert env.mails() == []
    (user,) = (await http.get(f"{HUBER}/users")).json()["items"]
    assert user["invitation"] == "expired"


async def test_the_orders_of_a_partner_are_released_each_time_its_end_is_sent(
    http: httpx.AsyncClient, env: AccountsEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = []

    async def release(partner_id: str) -> None:
        known = await env.accounts.partners.get(partner_id)
        released.append((partner_id, known.status))

    monkeypatch.setattr(env.accounts.partners, "release_orders", release)
    await to(http, "paused")
    assert released == []
    await to(http, "ended")
    await to(http, "ended")
    assert released == [("elektro-huber", "ended")] * 2, "so that a failure can be repeated"
    assert (await http.patch(HUBER, json={"phone": "+41 44 555 11 11"})).status_code == 200
    assert len(released) == 2
