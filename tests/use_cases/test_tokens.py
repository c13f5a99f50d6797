"""Tokens: random, shown once, kept as a hash, and no longer good the moment they are not."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from tests.support.builders import MONDAY
from tests.use_cases.conftest import Office
from use_cases.account_errors import Conflict, NotFound, WrongFields
from use_cases.principal import Principal


async def test_a_token_stands_for_its_role_and_partner(office: Office) -> None:
    token_id, token = await office.accounts.make_token("partner", "Plan", "elektro-huber")
    assert token.startswith("cmi_")
    assert len(token) >= 4 + 43  # 256 bits in base64
    assert await office.accounts.principal_of_token(token) == Principal(
        role="partner", login_id=token_id, name="Plan", partner_id="elektro-huber"
    )
    shop_id, shop = await office.accounts.make_token("shop", "shop")
    assert shop != token
    assert await office.accounts.principal_of_token(shop) == Principal(
        role="shop", login_id=shop_id, name="shop"
    )
    assert [each.token_id for each in await office.accounts.tokens("elektro-huber")] == [token_id]
    assert [each.token_id for each in await office.accounts.tokens(None)] == [shop_id]


@pytest.mark.parametrize(
    "token", ["", "cmi_", "cmi_unknown", "x\0y", "cmi_\0", "cmi_\ud800", "cmi_" + "a" * 9999]
)
async def test_what_is_no_token_stands_for_nobody(office: Office, token: str) -> None:
    assert await office.accounts.principal_of_token(token) is None


async def test_neither_a_tokens_hash_nor_another_case_is_the_token(office: Office) -> None:
    _, token = await office.accounts.make_token("shop", "shop")
    for other in (token.upper(), token + " ", token[4:], token[:-1]):
        assert await office.accounts.principal_of_token(other) is None


async def test_a_token_expires(office: Office) -> None:
    _, token = await office.accounts.make_token(
        "shop", "shop", expires=office.clock() + timedelta(days=1)
    )
    office.clock.forward(days=1, microseconds=-1)
    assert await office.accounts.principal_of_token(token) is not None
    office.clock.forward(microseconds=1)
    assert await office.accounts.principal_of_token(token) is None


async def test_a_revoked_token_is_no_more_and_stays_in_the_list(office: Office) -> None:
    token_id, token = await office.accounts.make_token("partner", "Plan", "elektro-huber")
    with pytest.raises(NotFound):
        await office.accounts.revoke_token("sanitaer-rossi", token_id)
    with pytest.raises(NotFound):
        await office.accounts.revoke_token(None, token_id)
    assert await office.accounts.principal_of_token(token) is not None
    await office.accounts.revoke_token("elektro-huber", token_id)
    assert await office.accounts.principal_of_token(token) is None
    office.clock.forward(hours=1)
    await office.accounts.revoke_token("elektro-huber", token_id)
    (listed,) = await office.accounts.tokens("elektro-huber")
    assert listed.revoked_at == MONDAY
    with pytest.raises(NotFound):
        await office.accounts.revoke_token("elektro-huber", "tok_unknown")


async def test_the_last_use_is_noted_once_a_minute_however_many_call(office: Office) -> None:
    _, token = await office.accounts.make_token("shop", "shop")
    updates = 0

    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal updates
        updates += statement.startswith("UPDATE tokens")

    event.listen(Engine, "before_cursor_execute", count)
    try:
        for seconds, noted in ((0, 1), (59, 1), (2, 2)):
            office.clock.forward(seconds=seconds)
            await asyncio.gather(*(office.accounts.principal_of_token(token) for _ in range(8)))
            await office.accounts.noted()
            assert updates == noted
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    (listed,) = await office.accounts.tokens(None)
    assert listed.last_used_at == MONDAY + timedelta(seconds=61)


async def test_a_use_that_cannot_be_noted_holds_up_nobody(office: Office) -> None:
    _, token = await office.accounts.make_token("shop", "Shop")
    async with asyncio.timeout(2), office.database.writing():
        assert await office.accounts.principal_of_token(token) is not None
    await office.accounts.noted()
    (listed,) = await office.accounts.tokens(None)
    assert listed.last_used_at == MONDAY


async def test_tokens_that_cannot_be(office: Office) -> None:
    with pytest.raises(NotFound):
        await office.accounts.make_token("partner", "Plan", "nobody")
    for role, partner_id in (("partner", None), ("shop", "elektro-huber")):
        with pytest.raises(WrongFields, match="role"):
            await office.accounts.make_token(role, "Plan", partner_id)  # type: ignore[arg-type]
    for name in ("", "  ", "a\nb", "x" * 201):
        with pytest.raises(WrongFields, match="name"):
            await office.accounts.make_token("shop", name)
    with pytest.raises(WrongFields, match="expires_at"):
        await office.accounts.make_token("shop", "shop", expires=office.clock())
    assert await office.accounts.tokens(None) == ()


async def test_a_request_makes_one_token_however_often_it_comes(office: Office) -> None:
    first_id, _ = await office.accounts.make_token("shop", "shop", request_id="page.1")
    with pytest.raises(Conflict):
        await office.accounts.make_token("shop", "shop", request_id="page.1")
    second_id, _ = await office.accounts.make_token("shop", "shop", request_id="page.2")
    made = {token.token_id for token in await office.accounts.tokens(None)}
    assert made == {first_id, second_id}
