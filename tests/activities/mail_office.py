"""The activity that sends mails about orders, over a real SMTP conversation, and what can go wrong there."""

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.mail import MailActivities
from domain.orders.outgoing import Mail
from mail.outbox import Outbox
from mail.smtp import SmtpSender
from records.mails import MailLog
from records.partners import Partners
from settings import Settings
from tests.activities.mails import all_mails
from tests.activities.servers import MailServer
from tests.support.builders import MONDAY

MAILS = all_mails()
NEW_ORDER = MAILS["new_order"]
LATE = MAILS["escalation_accept_partner_1"]
CANCELLED = MAILS["cancelled"]
PASSWORD = "s3cret-p@ss"


class Office:
    """The activities under test, and how the server runs them."""

    def __init__(self, log: MailLog, partners: Partners, port: int, **settings: Any) -> None:
        self.log = log
        settings.setdefault("smtp_url", f"smtp://127.0.0.1:{port}")
        self.settings = Settings(
            mail_from="CMI «Müller» <cmi@shop.example>",
            mail_operations="Servicepartner <team@shop.example>",
            public_url="https://cmi.example",
            **settings,
        )
        outbox = Outbox(log, SmtpSender(self.settings))
        self.mail = MailActivities(self.settings, outbox, partners)

    async def send(
        self, mail: Mail, *, at: datetime = MONDAY, after: timedelta = timedelta()
    ) -> None:
        """One attempt at `at` of an activity that was scheduled so much earlier."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            started_time=at,
            current_attempt_scheduled_time=at,
            scheduled_time=at - after,
        )
        await environment.run(self.mail.send_mail, mail)

    async def failure(self, mail: Mail, **how: Any) -> ApplicationError:
        """An attempt that must fail; what it raises."""
        with pytest.raises(ApplicationError) as caught:
            await self.send(mail, **how)
        return caught.value


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


def rcpt(answer: str) -> Callable[[MailServer], None]:
    return lambda server: setattr(server, "rcpt", lambda _: answer)


def data(answer: str | None) -> Callable[[MailServer], None]:
    return lambda server: setattr(server, "data", answer)


def mail_from(answer: str) -> Callable[[MailServer], None]:
    return lambda server: setattr(server, "mail", answer)


async def away(*_: object) -> None:
    raise OperationalError(
        "UPDATE mails", {"recipient": "auftraege@elektro-huber.example"}, Exception("away")
    )


def everything_told(error: BaseException) -> str:
    """A failure as Temporal keeps and shows it."""
    failure = Failure()
    converter = DataConverter.default
    converter.failure_converter.to_failure(error, converter.payload_converter, failure)
    return str(failure)
