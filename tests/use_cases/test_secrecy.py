"""Nothing that lets somebody in is readable in the database or in the log."""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import text

from settings import Settings, SettingsError
from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, SECRET_KEY, AccountsEnv
from use_cases.account_errors import SecondFactorNeeded


async def everything_kept(env: AccountsEnv) -> bytes:
    """All bytes of the database: its files, or a dump of its tables."""
    if env.database.is_sqlite:
        file = Path(str(env.database.url.database))
        return b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
    async with env.database.reading() as connection:
        tables = (
            await connection.execute(
                text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            )
        ).scalars()
        rows = [
            row
            for table in tables
            for row in (await connection.execute(text(f"SELECT t::text FROM {table} t"))).scalars()
        ]
    return "\n".join(rows).encode()


def forms(secret: str) -> Iterator[bytes]:
    """A secret as it is, and as one might have written it instead of hashing it."""
    raw = secret.encode()
    yield from (raw, base64.b64encode(raw).rstrip(b"="), raw.hex().encode())


async def test_no_secret_is_kept_or_logged(
    env: AccountsEnv, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    accounts, clock = env.accounts, env.clock
    _, token = await accounts.tokens.make("partner", "Plan", "elektro-huber")
    assert await accounts.callers.of_token(token)
    waiting = await accounts.invite("elektro-huber", "partner", "waiting@x.example", "Waiting")
    invitation = env.secret()
    user_id = await env.add_user()
    first = await accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    enrolment = await accounts.second_factor.enrol(user_id, "session")
    phone = pyotp.TOTP(enrolment.secret)
    codes = await accounts.second_factor.confirm(user_id, phone.at(clock()), "session")
    clock.forward(seconds=30)
    with pytest.raises(SecondFactorNeeded) as needed:
        await accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    second = await accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, phone.at(clock()))
    await accounts.resets.request(EMAIL, ADDRESS)
    await accounts.close()
    reset = env.secret()
    env.server.mail = "451 not now"
    await accounts.invite_again("elektro-huber", waiting.user_id)
    secrets = [
        token, token.removeprefix("cmi_"), invitation, reset, first.secret, second.secret,
        needed.value.ticket, enrolment.secret, PASSWORD, SECRET_KEY, *codes,
        *(code.replace("-", "") for code in codes),
    ]  # fmt: skip
    kept = await everything_kept(env)
    assert EMAIL.encode() in kept  # it is the right place to look
    logged = "\n".join(
        f"{record.getMessage()} {vars(record)}"
        for record in caplog.records
        if record.name != "mail.log"  # the mail server of the tests
    )
    assert "link not mailed yet" in logged
    for secret in secrets:
        for form in forms(secret):
            assert form not in kept, f"kept: {secret}"
            assert form.decode() not in logged, f"logged: {secret}"
    own = "\n".join(
        f"{record.getMessage()} {vars(record)}"
        for record in caplog.records
        if record.name.startswith("cmi")
    )
    for person in (EMAIL, EMAIL.lower(), "Petra", "waiting@x.example", ADDRESS):
        assert person not in own


def test_the_settings_do_not_show_the_key(env: AccountsEnv) -> None:
    assert SECRET_KEY not in repr(env.settings)
    assert SECRET_KEY not in str(env.settings.secret_key)
    with pytest.raises(SettingsError) as short:
        Settings.from_env({"CMI_SECRET_KEY": "too short a key"})
    assert str(short.value) == "CMI_SECRET_KEY: must have at least 32 random characters"
