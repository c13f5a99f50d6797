"""The records, a mail server and the activities over them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.values import Language
from records.database import Database
from records.mails import MailLog
from records.partners import Partner, Partners
from tests.activities.mail_office import Office
from tests.activities.servers import MailServer, mail_server
from tests.support.builders import MONDAY
from tests.support.databases import records_of_a_test


def partner(partner_id: str, language: Language = "de", **changes: object) -> Partner:
    """A partner in the records."""
    return Partner.model_validate(
        {
            "partner_id": partner_id,
            "name": f"{partner_id.title()} AG",
            "canton": "ZH",
            "language": language,
            "email": f"auftraege@{partner_id}.example",
            "phone": "+41 44 555 00 00",
            "street": "Hohlstrasse 1",
            "postal_code": "8004",
            "city": "Zürich",
            **changes,
        }
    )


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """The records, without rows."""
    async with records_of_a_test(tmp_path) as made:
        opened = Database(made.url)
        yield opened
        await opened.close()


@pytest.fixture
def log(database: Database) -> MailLog:
    """The mails that were sent."""
    return MailLog(database)


@pytest.fixture
async def partners(database: Database) -> Partners:
    """Two partners."""
    known = Partners(database)
    await known.put(partner("elektro-huber"), MONDAY)
    await known.put(partner("sanitaer-rossi", "it"), MONDAY)
    return known


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    """A mail server that takes everything until it is told otherwise."""
    async with mail_server() as running:
        yield running


@pytest.fixture
def office(log: MailLog, partners: Partners, server: MailServer) -> Office:
    """The activity that sends mails about orders, with these."""
    return Office(log, partners, server.port)
