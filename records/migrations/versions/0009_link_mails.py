"""The mails with links become rows of `mails` like all others; `links` no longer has the state of a mail.

Web processes of the older release cannot look up logins after this revision: stop them first. To go back to an older
release, downgrade the database to revision 0008 first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    """To this revision. Pending mails keep the time of their next attempt."""
    op.add_column("mails", sa.Column("next_attempt_at", INSTANT))
    pending = sa.text("next_attempt_at IS NOT NULL")
    op.create_index(
        "ix_mails_pending",
        "mails",
        ["next_attempt_at"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.add_column("links", sa.Column("mail_key", sa.String()))
    op.execute(
        "UPDATE links SET mail_key = purpose || '/' || user_id || '/' || substr(secret_hash, 1, 32)"
        " WHERE purpose IN ('invitation', 'reset')"
    )
    op.execute(
        "INSERT INTO mails (key, about, kind, audience, recipient, message_id, state, attempts, first_tried_at,"
        " sent_at, next_attempt_at)"
        " SELECT links.mail_key, links.user_id, links.purpose, 'user', users.email,"
        " '<' || substr(links.secret_hash, 1, 32) || '@cmi>',"
        " CASE WHEN links.sent_at IS NOT NULL THEN 'sent' WHEN links.retry_at IS NOT NULL THEN 'sending'"
        " ELSE 'given_up' END, links.attempts, links.asked_at, links.sent_at, links.retry_at"
        " FROM links JOIN users ON users.user_id = links.user_id WHERE links.mail_key IS NOT NULL"
    )
    for column in ("asked_at", "sent_at", "retry_at", "attempts"):
        op.drop_column("links", column)


def downgrade() -> None:
    """Back from it."""
    op.add_column("links", sa.Column("attempts", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("links", sa.Column("retry_at", INSTANT))
    op.add_column("links", sa.Column("sent_at", INSTANT))
    some_day = "1970-01-01T00:00:00.000000Z"
    op.add_column("links", sa.Column("asked_at", INSTANT, nullable=False, server_default=some_day))
    for column, held in (
        ("attempts", "attempts"),
        ("retry_at", "next_attempt_at"),
        ("sent_at", "sent_at"),
        ("asked_at", "first_tried_at"),
    ):
        op.execute(
            f"UPDATE links SET {column} = (SELECT {held} FROM mails WHERE key = links.mail_key)"
            " WHERE EXISTS (SELECT 1 FROM mails WHERE key = links.mail_key)"
        )
    op.drop_column("links", "mail_key")
    op.execute("DELETE FROM mails WHERE audience = 'user'")
    op.drop_index("ix_mails_pending", "mails")
    op.drop_column("mails", "next_attempt_at")
