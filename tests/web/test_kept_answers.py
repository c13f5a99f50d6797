"""A repetition with the same `Idempotency-Key`: the first answer to the letter, access first, nothing readable kept."""

import asyncio
import base64

import httpx
import pytest
from sqlalchemy import text, update

from records.tables import tokens
from tests.web.site import API, NO_AUTHORITIES, Site, order

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAME = "Wilhelmine Unverwechselbar"


def customer(name: str = NAME) -> dict[str, str]:
    """A customer with a name that occurs nowhere else."""
    return {**order()["customer"], "name": name}


async def kept_rows(cmi: Site) -> list[tuple[object, ...]]:
    """All rows of the table of kept answers, as they are stored."""
    async with cmi.around.database.reading() as connection:
        rows = await connection.execute(text("SELECT * FROM idempotency"))
        return [tuple(row) for row in rows]


def holds(rows: list[tuple[object, ...]], text: str) -> bool:
    """Whether a column of a row has the text, plain or in base64 at any offset."""
    raw = text.encode()
    forms = [raw, *(base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3))]
    columns = [
        value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
    ]
    return any(form in column for column in columns for form in forms)


async def caller_of(cmi: Site, partner_id: str) -> tuple[str, httpx.AsyncClient]:
    """A token of a partner that only this test has, and its caller."""
    accounts = cmi.app.state.accounts
    token_id, token = await accounts.tokens.make("partner", "Its software", partner_id)
    headers = {"Authorization": f"Bearer {token}"}
    return token_id, httpx.AsyncClient(
        base_url=cmi.address, headers=headers, timeout=60, verify=NO_AUTHORITIES
    )


async def test_nobody_finds_a_customer_in_the_table(cmi: Site) -> None:
    sp_id = f"SP-{abs(hash(NAME)) % 10**9}"
    body = order(sp_id=sp_id, customer=customer(), note=f"Bei {NAME} läuten")
    key = {"Idempotency-Key": f"{NAME.replace(' ', '-')}-{sp_id}"}
    placed = await cmi.shop.post(f"{API}/orders", json=body, headers=key)
    assert placed.status_code == 201
    await cmi.reaches(sp_id, "new")
    note = {"outcome": "reached", "note": f"Frau {NAME} ist da"}
    await cmi.do(cmi.partner, sp_id, "accept", Idempotency_Key=f"a-{sp_id}")
    await cmi.do(cmi.partner, sp_id, "contacts", note, Idempotency_Key=f"c-{sp_id}")
    refused = await cmi.post(
        cmi.partner, sp_id, "execution", {"executed": True}, Idempotency_Key=f"x-{sp_id}"
    )
    assert refused.status_code == 409
    rows = await kept_rows(cmi)
    assert len([row for row in rows if f"order/{sp_id}" in row]) == 4, "they are kept"
    for word in (NAME, NAME.replace(" ", "-"), "Unverwechselbar", customer()["phone"]):
        assert not holds(rows, word), word


async def test_the_first_answer_comes_again_to_the_letter(cmi: Site) -> None:
    body = order(customer=customer())
    key = {"Idempotency-Key": f"place-{body['sp_id']}", "Accept-Language": "fr"}
    first = await cmi.shop.post(f"{API}/orders", json=body, headers=key)
    await cmi.reaches(body["sp_id"], "new")
    accepted = await cmi.post(
        cmi.partner, body["sp_id"], "accept", Idempotency_Key=f"a-{body['sp_id']}"
    )
    await cmi.do(cmi.partner, body["sp_id"], "contacts", {"outcome": "reached"})

    again = await cmi.shop.post(f"{API}/orders", json=body, headers=key)
    same = ("location", "content-language", "content-type", "vary")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert [again.headers.get(name) for name in same] == [first.headers.get(name) for name in same]
    assert again.headers["location"].endswith(body["sp_id"])
    repeated = await cmi.post(
        cmi.partner, body["sp_id"], "accept", Idempotency_Key=f"a-{body['sp_id']}"
    )
    assert repeated.content == accepted.content
    other = await cmi.shop.post(f"{API}/orders", json={**body, "note": "x"}, headers=key)
    assert other.status_code == 422


async def test_of_many_at_once_all_get_the_same(cmi: Site) -> None:
    body = order(customer=customer())
    key = {"Idempotency-Key": f"many-{body['sp_id']}"}
    answers = await asyncio.gather(
        *(cmi.shop.post(f"{API}/orders", json=body, headers=key) for _ in range(6))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1


async def test_who_has_lost_its_login_gets_401(cmi: Site) -> None:
    sp_id = await cmi.new(customer=customer())
    token_id, mine = await caller_of(cmi, "elektro-huber")
    async with mine:
        assert (await cmi.post(mine, sp_id, "accept", Idempotency_Key="l")).status_code == 200
        revoked = await cmi.operations.delete(f"{API}/partners/elektro-huber/tokens/{token_id}")
        assert revoked.status_code == 204
        again = await cmi.post(mine, sp_id, "accept", Idempotency_Key="l")
    assert again.status_code == 401
    assert NAME not in again.text


async def test_who_has_another_partner_gets_404(cmi: Site) -> None:
    sp_id = await cmi.new(customer=customer())
    token_id, mine = await caller_of(cmi, "elektro-huber")
    async with mine:
        assert (await cmi.post(mine, sp_id, "accept", Idempotency_Key="p")).status_code == 200
        await give(cmi, token_id, partner_id="luzern-montage")
        again = await cmi.post(mine, sp_id, "accept", Idempotency_Key="p")
    assert again.status_code == 404
    assert NAME not in again.text


async def test_who_has_another_role_gets_403(cmi: Site) -> None:
    """Also if the new role may make the call, and sees the order: it would not have got this answer."""
    sp_id = await cmi.new(customer=customer())
    token_id, mine = await caller_of(cmi, "elektro-huber")
    async with mine:
        assert (await cmi.post(mine, sp_id, "accept", Idempotency_Key="r")).status_code == 200
        await give(cmi, token_id, role="warehouse", partner_id=None)
        for_nothing = await cmi.post(mine, sp_id, "accept", Idempotency_Key="r")
        await give(cmi, token_id, role="operations", partner_id=None)
        again = await cmi.post(mine, sp_id, "accept", Idempotency_Key="r")
    assert [for_nothing.status_code, again.status_code] == [403, 403]
    assert NAME not in for_nothing.text + again.text


async def test_access_is_checked_before_the_body(cmi: Site) -> None:
    """The answer says nothing about the key to who may not see the order, not even that its body differs."""
    sp_id = await cmi.new(customer=customer())
    await cmi.do(cmi.partner, sp_id, "accept", Idempotency_Key=f"b-{sp_id}")
    moved = {"partner_id": "luzern-montage", "reason": "Nearer"}
    assert (await cmi.post(cmi.operations, sp_id, "reassign", moved)).is_success
    for body in ({}, {"other": 1}):
        again = await cmi.post(cmi.partner, sp_id, "accept", body, Idempotency_Key=f"b-{sp_id}")
        assert again.status_code == 404


async def test_keys_are_each_logins_own(cmi: Site) -> None:
    """The same key of another login is another key, and opens nothing."""
    sp_id = await cmi.new(customer=customer())
    mine = await cmi.post(cmi.partner, sp_id, "accept", Idempotency_Key="shared")
    assert mine.status_code == 200
    theirs = await cmi.post(cmi.stranger, sp_id, "accept", Idempotency_Key="shared")
    assert theirs.status_code == 404
    assert NAME not in theirs.text


async def test_an_erased_order_takes_its_answers_with_it(cmi: Site) -> None:
    body = order(customer=customer())
    key = {"Idempotency-Key": f"erase-{body['sp_id']}"}
    await cmi.shop.post(f"{API}/orders", json=body, headers=key)
    assert any(f"order/{body['sp_id']}" in row for row in await kept_rows(cmi))
    await cmi.reaches(body["sp_id"], "new")
    await cmi.do(cmi.operations, body["sp_id"], "cancel", {"reason": "Withdrawn"})
    while (await cmi.post(cmi.operations, body["sp_id"], "erase")).status_code != 200:
        await asyncio.sleep(0.1)  # its last mail is not out yet
    assert not any(f"order/{body['sp_id']}" in row for row in await kept_rows(cmi))
    again = await cmi.shop.post(f"{API}/orders", json=body, headers=key)
    assert NAME not in again.text


async def give(cmi: Site, token_id: str, **changes: object) -> None:
    """Change what a token is for, as a migration or a person with the database might."""
    async with cmi.app.state.database.writing() as connection:
        await connection.execute(
            update(tokens).where(tokens.c.token_id == token_id).values(**changes)
        )
