"""Tokens: random, shown once, kept as a hash, and no longer good the moment they are not."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from tests.support.builders import MONDAY
from tests.use_cases.conftest import AccountsEnv
from use_cases.account_errors import Conflict, NotFound, WrongFields
from use_cases.principal import Principal


async def test_a_token_stands_for_its_role_and_partner(env: AccountsEnv) -> None:
    token_id, token = await env.accounts.tokens.make("partner", "Plan", "elektro-huber")
    assert token.startswith("cmi_")
    assert len(token) >= 4 + 43  # 256 bits in base64
    assert await env.accounts.callers.of_token(token) == Principal(
        role="partner", login_id=token_id, name="Plan", partner_id="elektro-huber"
    )
    shop_id, shop = await env.accounts.tokens.make("shop", "shop")
    assert shop != token
    assert await env.accounts.callers.of_token(shop) == Principal(
        role="shop", login_id=shop_id, name="shop"
    )
    assert [each.token_id for each in await env.accounts.tokens.list("elektro-huber")] == [token_id]
    assert [each.token_id for each in await env.accounts.tokens.list(None)] == [shop_id]


async def test_what_is_no_token_stands_for_nobody(env: AccountsEnv) -> None:
    odd = ("x\0y", "cmi_\0", "cmi_\ud800", "cmi_" + "a" * 9999)
    for token in ("", "cmi_", "cmi_unknown", *odd):
        assert await env.accounts.callers.of_token(token) is None, token


async def test_neither_a_tokens_hash_nor_another_case_is_the_token(env: AccountsEnv) -> None:
    _, token = await env.accounts.tokens.make("shop", "shop")
    for other in (token.upper(), token + " ", token[4:], token[:-1]):
        assert await env.accounts.callers.of_token(other) is None


async def test_a_token_expires(env: AccountsEnv) -> None:
    _, token = await env.accounts.tokens.make(
        "shop", "shop", expires=env.clock() + timedelta(days=1)
    )
    env.clock.forward(days=1, microseconds=-1)
    assert await env.accounts.callers.of_token(token) is not None
    env.clock.forward(microseconds=1)
    assert await env.accounts.callers.of_token(token) is None


async def test_a_revoked_token_is_no_more_and_stays_in_the_list(env: AccountsEnv) -> None:
    token_id, token = await env.accounts.tokens.make("partner", "Plan", "elektro-huber")
    with pytest.raises(NotFound):
        await env.accounts.tokens.revoke("sanitaer-rossi", token_id)
    with pytest.raises(NotFound):
        await env.accounts.tokens.revoke(None, token_id)
    assert await env.accounts.callers.of_token(token) is not None
    await env.accounts.tokens.revoke("elektro-huber", token_id)
    assert await env.accounts.callers.of_token(token) is None
    env.clock.forward(hours=1)
    await env.accounts.tokens.revoke("elektro-huber", token_id)
    (listed,) = await env.accounts.tokens.list("elektro-huber")
    assert listed.revoked_at == MONDAY
    with pytest.raises(NotFound):
        await env.accounts.tokens.revoke("elektro-huber", "tok_unknown")


async def test_the_last_use_is_noted_once_a_minute_however_many_call(env: AccountsEnv) -> None:
    _, token = await env.accounts.tokens.make("shop", "shop")
    updates = 0

    def count(_c: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal updates
        updates += statement.startswith("UPDATE tokens")

    event.listen(Engine, "before_cursor_execute", count)
    try:
        for seconds, noted in ((0, 1), (59, 1), (2, 2)):
            env.clock.forward(seconds=seconds)
            await asyncio.gather(*(env.accounts.callers.of_token(token) for _ in range(8)))
            await env.accounts.callers.noted()
            assert updates == noted
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    (listed,) = await env.accounts.tokens.list(None)
    assert listed.last_used_at == MONDAY + timedelta(seconds=61)


async def test_a_use_that_cannot_be_noted_holds_up_nobody(env: AccountsEnv) -> None:
    _, token = await env.accounts.tokens.make("shop", "Shop")
    async with asyncio.timeout(2), env.database.writing():
        assert await env.accounts.callers.of_token(token) is not None
    await env.accounts.callers.noted()
    (listed,) = await env.accounts.tokens.list(None)
    assert listed.last_used_at == MONDAY


async def test_tokens_that_cannot_be(env: AccountsEnv) -> None:
    with pytest.raises(NotFound):
        await env.accounts.tokens.make("partner", "Plan", "nobody")
    for role, partner_id in (("partner", None), ("shop", "elektro-huber")):
        with pytest.raises(WrongFields, match="role"):
            await env.accounts.tokens.make(role, "Plan", partner_id)  # type: ignore[arg-type]
    for name in ("", "  ", "a\nb", "x" * 201):
        with pytest.raises(WrongFields, match="name"):
            await env.accounts.tokens.make("shop", name)
    with pytest.raises(WrongFields, match="expires_at"):
        await env.accounts.tokens.make("shop", "shop", expires=env.clock())
    assert await env.accounts.tokens.list(None) == ()


async def test_a_request_makes_one_token_however_often_it_comes(env: AccountsEnv) -> None:
    first_id, _ = await env.accounts.tokens.make("shop", "shop", request_id="page.1")
    with pytest.raises(Conflict):
        await env.accounts.tokens.make("shop", "shop", request_id="page.1")
    second_id, _ = await env.accounts.tokens.make("shop", "shop", request_id="page.2")
    made = {token.token_id for token in await env.accounts.tokens.list(None)}
    assert made == {first_id, second_id}
