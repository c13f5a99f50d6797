"""UID and IBAN of partners by the API: what is refused, and a changed IBAN that a second person confirms."""

import asyncio
from datetime import datetime
from typing import Any

import httpx
import pytest

from records.iban_changes import COMMAND_LINE
from records.partners import Partner, Partners
from tests.use_cases.conftest import AccountsEnv, Clock
from tests.web.test_accounts import NEW, app, fields, http
from web.request_limits import API

__all__ = ["app", "http"]

FIRST, SECOND, THIRD = "CH9300762011623852957", "CH4431999123000889012", "DE89370400440532013000"
PATH = "/partners/luzern-montage"


@pytest.fixture(autouse=True)
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a moment later, as in life: the history is in the order of the instants."""

    def tick(clock: Clock) -> datetime:
        clock.forward(milliseconds=1)
        return clock.now

    monkeypatch.setattr(Clock, "__call__", tick)


async def caller(
    http: httpx.AsyncClient, name: str, made_by: str | None = None
) -> httpx.AsyncClient:
    """The same application for another token of operations."""
    headers = {"Authorization": f"Bearer {made_by}"} if made_by else {}
    made = await http.post("/tokens", json={"name": name, "role": "operations"}, headers=headers)
    assert made.status_code == 201, made.text
    return httpx.AsyncClient(
        transport=http._transport,
        base_url=f"http://test{API}",
        headers={"Authorization": f"Bearer {made.json()['token']}"},
    )


async def history(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    return (await http.get(f"{PATH}/iban-changes")).json()["items"]


async def mails(env: AccountsEnv) -> list[tuple[str, str]]:
    """Whom the mails about IBANs went to, and their subjects, in the order in which they were sent."""
    while tasks := set(env.accounts._link_mails._tasks):
        await asyncio.wait(tasks)
    await env.accounts.send_due_mails()
    return [
        (mail["To"].addresses[0].addr_spec, mail["Subject"])
        for mail in env.mails()
        if "Konto" in mail["Subject"]
    ]


class TestNumbers:
    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ("CHE-109.322.551 MWST", "CHE-109.322.551 MWST"),
            ("CHE109322551", "CHE-109.322.551"),
            ("che 109 322 551 mwst", "CHE-109.322.551 MWST"),
            ("CHE-107.465.990 IVA", "CHE-107.465.990 IVA"),
            ("CHE-114.871.208TVA", "CHE-114.871.208 TVA"),
            ("CHE-109.322.551 MWST.", "CHE-109.322.551 MWST"),
        ],
    )
    async def test_a_uid_is_stored_in_one_form(
        self, http: httpx.AsyncClient, given: str, stored: str
    ) -> None:
        made = await http.post("/partners", json={**NEW, "vat_number": given})
        assert (made.status_code, made.json()["vat_number"]) == (201, stored)
        changed = await http.patch(PATH, json={"vat_number": given})
        assert changed.json()["vat_number"] == stored

    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ("ch93 0076 2011 6238 5295 7", FIRST),
            ("CH44 3199 9123 0008 8901 2", SECOND),  # a QR-IBAN
            ("LI21 0881 0000 2324 013A A", "LI21088100002324013AA"),
            ("DE89 3704 0044 0532 0130 00", THIRD),
        ],
    )
    async def test_an_iban_is_stored_without_blanks(
        self, http: httpx.AsyncClient, given: str, stored: str
    ) -> None:
        made = await http.post("/partners", json={**NEW, "iban": given})
        assert (made.status_code, made.json()["iban"]) == (201, stored)
        again = await http.post("/partners", json={**NEW, "iban": given})
        assert (again.status_code, again.json()) == (200, made.json())

    @pytest.mark.parametrize(
        ("field", "given"),
        [
            ("vat_number", "CHE-109.322.552 MWST"),
            ("vat_number", "CHE-109.322.55 MWST"),
            ("vat_number", "CHE-1"),
            ("vat_number", "MWST"),
            ("vat_number", "DE136695976"),
            ("vat_number", "CHE-109.322.551 UST"),
            ("iban", "CH93 0076 2011 6238 5295 8"),
            ("iban", "CH93 0076 2011 6238 5295"),
            ("iban", "XX93 0076 2011 6238 5295 7"),
            ("iban", "RF18539007547034"),
            ("iban", "none"),
            ("vat_liable_from", "2026-02-30"),
            ("vat_liable_from", "1.10.2026"),
            ("vat_liable_from", 20261001),
        ],
    )
    async def test_a_wrong_one_is_refused(
        self, http: httpx.AsyncClient, field: str, given: object
    ) -> None:
        assert fields(await http.post("/partners", json={**NEW, field: given})) == [field]
        assert fields(await http.patch("/partners/elektro-huber", json={field: given})) == [field]

    async def test_what_was_stored_before_stays_readable(
        self, http: httpx.AsyncClient, env: AccountsEnv
    ) -> None:
        bad = Partner.model_validate({**NEW, "vat_number": "CHE-1", "iban": "to follow"})
        await Partners(env.database).add(bad, env.clock())
        listed = (await http.get("/partners")).json()["items"]
        assert [each["iban"] for each in listed if each["partner_id"] == "luzern-montage"] == [
            "to follow"
        ]
        changed = await http.patch(PATH, json={"phone": "+41 41 555 11 11"})
        assert (changed.status_code, changed.json()["vat_number"]) == (200, "CHE-1")

    async def test_liable_from_a_day(self, http: httpx.AsyncClient) -> None:
        made = await http.post("/partners", json={**NEW, "vat_liable_from": "2026-10-15"})
        assert made.json()["vat_liable_from"] == "2026-10-15"
        emptied = await http.patch(PATH, json={"vat_liable_from": None})
        assert emptied.json()["vat_liable_from"] is None


class TestChanges:
    async def test_a_second_person_confirms(
        self, http: httpx.AsyncClient, env: AccountsEnv
    ) -> None:
        await http.post("/partners", json={**NEW, "iban": FIRST})
        changed = await http.patch(PATH, json={"iban": "CH44 3199 9123 0008 8901 2"})
        assert (changed.json()["iban"], changed.json()["pending_iban"]) == (FIRST, SECOND)
        change = changed.json()["pending_iban_change"]
        own = await http.post(f"{PATH}/iban-changes/{change}/confirm", json={})
        assert (own.status_code, own.json()["code"]) == (409, "same_person")
        assert (await http.get("/partners")).json()["items"][1]["iban"] == FIRST
        async with await caller(http, "Berta") as berta:
            confirmed = await berta.post(f"{PATH}/iban-changes/{change}/confirm", json={})
            assert confirmed.status_code == 200, confirmed.text
            again = await berta.post(f"{PATH}/iban-changes/{change}/confirm", json={})
            assert again.json() == confirmed.json()
            late = await berta.post(f"{PATH}/iban-changes/{change}/refuse", json={})
            assert (late.status_code, late.json()["code"]) == (409, "not_pending")
        assert (confirmed.json()["iban"], confirmed.json()["pending_iban"]) == (SECOND, None)
        newest, first = await history(http)
        assert (newest["status"], newest["by"], newest["decided_by"]) == (
            "confirmed",
            "Anna",
            "Berta",
        )
        assert (newest["from_iban"], newest["to_iban"]) == (FIRST, SECOND)
        assert (first["status"], first["to_iban"]) == ("first", FIRST)
        assert await mails(env) == [
            (NEW["email"], "Ihr Konto soll geändert werden"),
            (NEW["email"], "Ihr Konto ist geändert"),
        ]

    async def test_the_old_address_is_told_of_a_new_address_and_iban(
        self, http: httpx.AsyncClient, env: AccountsEnv
    ) -> None:
        await http.post("/partners", json={**NEW, "iban": FIRST})
        both = {"iban": SECOND, "email": "neu@luzern.example"}
        changed = await http.patch(PATH, json=both)
        assert (changed.json()["email"], changed.json()["iban"]) == ("neu@luzern.example", FIRST)
        assert await mails(env) == [(NEW["email"], "Ihr Konto soll geändert werden")]
        change = changed.json()["pending_iban_change"]
        assert (await http.post(f"{PATH}/iban-changes/{change}/refuse", json={})).status_code == 200
        assert (await mails(env))[1:] == [
            (NEW["email"], "Ihr Konto bleibt, wie es war"),
            ("neu@luzern.example", "Ihr Konto bleibt, wie es war"),
        ]

    async def test_an_address_that_was_replaced_lately_is_told_too(
        self, http: httpx.AsyncClient, env: AccountsEnv
    ) -> None:
        await http.post("/partners", json={**NEW, "iban": FIRST})
        for address in ("zwei@luzern.example", "drei@luzern.example"):
            await http.patch(PATH, json={"email": address})
        await http.patch(PATH, json={"iban": SECOND})
        assert {to for to, _ in await mails(env)} == {"drei@luzern.example", NEW["email"]}

    async def test_the_first_one_is_in_force_at_once(
        self, http: httpx.AsyncClient, env: AccountsEnv
    ) -> None:
        await http.post("/partners", json=NEW)
        changed = await http.patch(PATH, json={"iban": FIRST})
        assert (changed.json()["iban"], changed.json()["pending_iban"]) == (FIRST, None)
        assert await mails(env) == [(NEW["email"], "Ihr Konto ist hinterlegt")]
        (only,) = await history(http)
        assert (only["status"], only["from_iban"], only["to_iban"]) == ("first", None, FIRST)

    async def test_removing_it_is_no_way_around(self, http: httpx.AsyncClient) -> None:
        await http.post("/partners", json={**NEW, "iban": FIRST})
        removed = (await http.patch(PATH, json={"iban": None})).json()
        assert (removed["iban"], removed["pending_iban"]) == (FIRST, None)
        assert removed["pending_iban_change"] is not None
        async with await caller(http, "Berta") as berta:
            path = f"{PATH}/iban-changes/{removed['pending_iban_change']}/confirm"
            assert (await berta.post(path, json={})).json()["iban"] is None
        another = (await http.patch(PATH, json={"iban": SECOND})).json()
        assert (another["iban"], another["pending_iban"]) == (None, SECOND)

    async def test_a_later_change_replaces_one_that_waits(self, http: httpx.AsyncClient) -> None:
        await http.post("/partners", json={**NEW, "iban": FIRST})
        one = (await http.patch(PATH, json={"iban": SECOND})).json()
        same = (await http.patch(PATH, json={"iban": SECOND})).json()
        assert same["pending_iban_change"] == one["pending_iban_change"]
        other = (await http.patch(PATH, json={"iban": THIRD, "phone": "1"})).json()
        assert other["pending_iban"] == THIRD
        assert (await http.patch(PATH, json={"iban": FIRST})).json()["pending_iban"] == THIRD
        assert [each["status"] for each in await history(http)] == ["pending", "replaced", "first"]
        async with await caller(http, "Berta") as berta:
            path = f"{PATH}/iban-changes/{one['pending_iban_change']}/confirm"
            assert (await berta.post(path, json={})).status_code == 409

    async def test_who_made_a_token_is_the_same_person(
        self, http: httpx.AsyncClient, env: AccountsEnv
    ) -> None:
        """A login that makes a token of another name is still one person, and so is a token that this one makes."""
        tokens = env.accounts.tokens
        anna, berta = [
            await env.add_user(f"{name}@retailer.example", None, "operations")
            for name in ("anna", "berta")
        ]
        _, of_login = await tokens.make("operations", "Excel", made_by=anna)
        _, of_another = await tokens.make("operations", "Berta", made_by=berta)
        await http.post("/partners", json={**NEW, "iban": FIRST})
        headers = {"Authorization": f"Bearer {of_login}"}
        changed = await http.patch(PATH, json={"iban": SECOND}, headers=headers)
        path = f"{PATH}/iban-changes/{changed.json()['pending_iban_change']}/confirm"
        async with await caller(http, "Zweite Person", of_login) as second:
            assert (await second.post(path, json={})).json()["code"] == "same_person"
        confirmed = await http.post(
            path, json={}, headers={"Authorization": f"Bearer {of_another}"}
        )
        assert confirmed.status_code == 200

    async def test_the_same_name_is_the_same_person(self, http: httpx.AsyncClient) -> None:
        await http.post("/partners", json={**NEW, "iban": FIRST})
        changed = await http.patch(PATH, json={"iban": SECOND})
        path = f"{PATH}/iban-changes/{changed.json()['pending_iban_change']}/confirm"
        async with await caller(http, " ANNA ") as anna:
            assert (await anna.post(path, json={})).json()["code"] == "same_person"

    async def test_unknown_ones(self, http: httpx.AsyncClient) -> None:
        for path in ("iban-changes/iban_1/confirm", "iban-changes/iban_1/refuse"):
            assert (await http.post(f"/partners/elektro-huber/{path}", json={})).status_code == 409
            assert (await http.post(f"/partners/nobody/{path}", json={})).status_code == 404
        assert (await http.get("/partners/nobody/iban-changes")).status_code == 404

    async def test_a_mail_that_fails_is_sent_later(
        self, http: httpx.AsyncClient, env: AccountsEnv
    ) -> None:
        await http.post("/partners", json={**NEW, "iban": FIRST})
        env.server.mail = "451 later"
        await http.patch(PATH, json={"iban": SECOND})
        assert await mails(env) == []
        env.server.mail = "250 OK"
        assert await mails(env) == [], "not before its time"
        env.clock.forward(minutes=6)
        assert await mails(env) == [(NEW["email"], "Ihr Konto soll geändert werden")]
        assert await env.accounts.send_due_mails() == 0

    async def test_a_file_of_the_command_changes_it_in_the_same_way(
        self, http: httpx.AsyncClient, env: AccountsEnv
    ) -> None:
        await http.post("/partners", json={**NEW, "iban": FIRST})
        changed = Partner.model_validate({**NEW, "iban": SECOND})
        await Partners(env.database).put(changed, env.clock())
        newest, _ = await history(http)
        assert (newest["status"], newest["by"]) == ("pending", COMMAND_LINE.name)
        without = Partner.model_validate(NEW)
        await Partners(env.database).put(without, env.clock())
        assert [each["status"] for each in await history(http)] == ["pending", "first"]
