"""The outbox and the mail server are tested by the activity that sends mails about orders."""

from tests.activities.conftest import database, log, office, partners, server

__all__ = ["database", "log", "office", "partners", "server"]
