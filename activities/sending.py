"""Sends a mail from an activity: an attempt that fails becomes a failure that Temporal retries."""

from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts import activities
from mail.outbox import Busy, Outbox, OutgoingMail
from mail.smtp import NotSent, Refused
from records.mails import MailRow

HOURLY = timedelta(hours=1)


async def send_from_activity(
    outbox: Outbox, mail: OutgoingMail, *, refused_again: timedelta | None = HOURLY
) -> MailRow:
    """Make this attempt of the running activity; the row is `sent` or `given_up`.

    `refused_again` is the pause after a refusal; None: as after any failure. Raises an `ApplicationError` that names
    the mail's key and why the attempt failed.
    """
    info = activity.info()
    try:
        # The server's clock, because tests and demonstrations skip time.
        return await outbox.send(mail, now=info.started_time, since=info.scheduled_time)
    except NotSent as error:
        is_refused = isinstance(error, Refused) and error.lasting
        raise ApplicationError(
            f"mail {mail.key}: {error}",
            type=_failure_type(error),
            next_retry_delay=refused_again if is_refused else None,
            category=ApplicationErrorCategory.BENIGN,
        ) from None


def given_up(row: MailRow) -> ApplicationError:
    """The failure that ends the attempts at a mail."""
    return ApplicationError(
        f"mail {row.key}: given up, {row.last_error or ''}",
        type=activities.MAIL_GIVEN_UP,
        non_retryable=True,
    )


def _failure_type(error: NotSent) -> str:
    if isinstance(error, Busy):
        return "MailsWaiting"
    if isinstance(error, Refused) and error.lasting:
        return "MailRefused"
    return "MailServerUnavailable"
