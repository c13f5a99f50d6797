"""Sends a mail from an activity. A failed attempt raises an error that Temporal retries."""

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
    """Make one attempt to send a mail, in the running activity. The returned row is `sent` or `given_up`.

    `refused_again` is the pause after a refusal; None for the pause of the retry policy. Raises an `ApplicationError`
    with the mail's key and the reason.
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
    """The failure that ends the retries of a mail."""
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
