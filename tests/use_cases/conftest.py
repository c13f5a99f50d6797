"""The accounts, with a clock that tests set and a mail server whose mails they read."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from records.database import Database
from records.partners import Partners
from settings import Settings
from tests.activities.conftest import partner, server
from tests.activities.servers import MailServer
from tests.support.builders import MONDAY
from tests.support.databases import records_of_a_test
from use_cases.accounts import Accounts

__all__ = ["server"]

SECRET_KEY = "a secret key for tests, long enough"
PASSWORD = "correct horse battery"
EMAIL = "Petra.Huber@elektro-huber.example"
ADDRESS = "192.0.2.7"
_LINK = re.compile(r"https://cmi\.example/(?:invitation|reset)/([A-Za-z0-9_-]{43})\s")
QUICK = Argon2Hasher(time_cost=1, memory_cost=256, parallelism=1)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


class AccountsEnv(NamedTuple):
    """The use cases of accounts with their database, clock, settings and mail server."""

    accounts: Accounts
    clock: Clock
    server: MailServer
    database: Database
    settings: Settings

    def mails(self) -> list[EmailMessage]:
        return self.server.received

    def secret(self, number: int = -1) -> str:
        """The secret of a link, of the last mail that has one. Notices go out meanwhile and have none."""
        return [found[1] for mail in self.mails() if (found := _LINK.search(text_of(mail)))][number]

    async def add_user(
        self, email: str = EMAIL, partner_id: str | None = "elektro-huber", role: str = "partner"
    ) -> str:
        """A user with `PASSWORD`; returns its id."""
        user = await self.accounts.invite(partner_id, role, email, "Petra Huber")  # type: ignore[arg-type]
        await self.accounts.accept_invitation(self.secret(), PASSWORD)
        return user.user_id


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def secret_of(mail: EmailMessage) -> str:
    found = _LINK.search(text_of(mail))
    assert found is not None
    return found[1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of the records, which have no rows."""
    async with records_of_a_test(tmp_path) as made:
        yield made.url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """The records, open."""
    opened = Database(url)
    yield opened
    await opened.close()


@pytest.fixture
def settings(server: MailServer, url: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": url,
            "smtp_url": f"smtp://127.0.0.1:{server.port}",
            "public_url": "https://cmi.example",
            "secret_key": SECRET_KEY,
        }
    )


@pytest.fixture
async def env(
    database: Database,
    settings: Settings,
    clock: Clock,
    server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[AccountsEnv]:
    """The accounts with two partners and no users. Password hashing is set to be fast."""
    monkeypatch.setattr(PasswordHash, "recommended", lambda: PasswordHash((QUICK,)))
    partners = Partners(database)
    await partners.put(partner("elektro-huber"), MONDAY)
    await partners.put(partner("sanitaer-rossi", "it"), MONDAY)
    accounts = Accounts(database, settings, clock)
    yield AccountsEnv(accounts, clock, server, database, settings)
    await accounts.close()
