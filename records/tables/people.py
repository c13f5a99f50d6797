"""The tables of a partner's people: assigned orders, and pending mails to single people."""

from sqlalchemy import Column, Date, ForeignKey, Index, Integer, String, Table

from records.tables.accounts import users
from records.tables.types import Instant, Key, metadata

# The person of a partner that has an order. It holds only while this partner has the order (records.assignments).
order_assignments = Table(
    "order_assignments",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("partner_id", Key, nullable=False),
    Column("user_id", Key, ForeignKey(users.c.user_id, ondelete="CASCADE"), nullable=False),
    Column("assigned_by", Key, nullable=False),  # the login that assigned it
    Column("assigned_at", Instant, nullable=False),
)
Index("ix_order_assignments_user_id", order_assignments.c.user_id, order_assignments.c.sp_id)

# Mails to single people of partners, until they are sent. Their contents are read when they are sent.
person_mails = Table(
    "person_mails",
    metadata,
    Column("key", String, primary_key=True),  # that of the mail
    Column("kind", String, nullable=False),  # domain.people.Notification
    Column("user_id", Key, ForeignKey(users.c.user_id, ondelete="CASCADE"), nullable=False),
    Column("sp_id", Key),  # null: the mail is about several orders
    Column("seq", Integer),  # of the event that the mail is about; null: it is about none
    Column("day", Date),  # null: the mail is about no day
    Column("asked_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
)
Index("ix_person_mails_due", person_mails.c.next_attempt_at)
Index("ix_person_mails_user_id", person_mails.c.user_id)
