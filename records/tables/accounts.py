"""The tables of accounts: users with sessions and links, tokens, login attempts, idempotency keys.

Secrets are stored as SHA-256 in hexadecimal, passwords as argon2 hashes.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from records.tables.partners import partners
from records.tables.types import Instant, Key, metadata

users = Table(
    "users",
    metadata,
    Column("user_id", Key, primary_key=True),
    Column("role", String, nullable=False),
    Column("partner_id", Key, ForeignKey(partners.c.partner_id), index=True),
    Column("email", String, nullable=False),
    Column("email_key", String, nullable=False),  # records.accounts.email_key
    Column("name", String, nullable=False),
    Column("language", String(2), nullable=False),
    Column("password_hash", String),  # none until the invitation is accepted
    Column("totp_secret", String),  # encrypted: use_cases.second_factor
    Column("totp_confirmed", Boolean, nullable=False),
    Column("totp_last_step", Integer),  # of the newest accepted code, so that no code works twice
    Column("created_at", Instant, nullable=False),
    Column("last_login_at", Instant),
    Column("first_login_at", Instant),
    Column("factor_reset_at", Instant),  # when operations removed a lost second factor
    Column("partner_role", String),  # domain.people.PartnerRole; null: the office, or staff
    Column("notifications", String),  # domain.people.Notification, by blanks; null: the default
)
Index("ix_users_email_key", users.c.email_key, unique=True)

sessions = Table(
    "sessions",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    Column("user_id", Key, ForeignKey(users.c.user_id, ondelete="CASCADE"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("browser", String),  # "Firefox, Android": use_cases.browsers
    Column("network", String),  # the network of the address at the log-in
    Column("confirmed_at", Instant),  # when password and code were last right in this session
    Index("ix_sessions_user_id", "user_id"),
)

# Secrets that work once: in a mailed link, or the ticket between password and second factor. A user has one of each
# purpose: a new one replaces the former, and a used one is deleted.
links = Table(
    "links",
    metadata,
    Column("user_id", Key, ForeignKey(users.c.user_id, ondelete="CASCADE"), primary_key=True),
    Column("purpose", String, primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("mail_key", String),  # of the mail that contains it, in `mails`; a ticket has none
)
Index("ix_links_secret_hash", links.c.secret_hash, unique=True)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", Key, ForeignKey(users.c.user_id, ondelete="CASCADE"), primary_key=True),
    Column("code_hash", String(64), primary_key=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_id", Key, primary_key=True),
    Column("token_hash", String(64), nullable=False),
    Column("role", String, nullable=False),
    Column("partner_id", Key, ForeignKey(partners.c.partner_id), index=True),
    Column("name", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("made_by", Key),  # the person who made it (use_cases.principal), if a login did
    Column("ended_because", Key),  # records.tokens.EndedBecause, if nobody revoked it
    Column("end_told_at", Instant),  # when operations were told that its end is near
    Index("ix_tokens_made_by", "made_by"),
)
Index("ix_tokens_token_hash", tokens.c.token_hash, unique=True)

# How many calls each token has made (records/token_calls.py).
token_calls = Table(
    "token_calls",
    metadata,
    Column("token_id", Key, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
)

# Browsers that have logged in before, by the hash of a secret in a cookie.
devices = Table(
    "devices",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    Column("user_id", Key, ForeignKey(users.c.user_id, ondelete="CASCADE"), primary_key=True),
    Column("last_used_at", Instant, nullable=False),
    Index("ix_devices_user_id", "user_id"),
)

# Counts of attempts to guess passwords and codes, by account and by address; the keys are hashes of these.
login_attempts = Table(
    "guesses",
    metadata,
    Column("key", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("blocked_until", Instant, nullable=False),
)

# Answers kept for repetitions of a call. Nothing in them can be read without the caller's token (web/kept_answers.py).
idempotency = Table(
    "idempotency",
    metadata,
    Column("login_id", Key, primary_key=True),
    Column("key", String, primary_key=True),  # SHA-256 of the caller's key
    Column("body_hash", String(64), nullable=False),  # keyed
    Column("status", Integer, nullable=False),
    Column(
        "response", Text, nullable=False
    ),  # the answer as an earlier release kept it; now "null"
    Column("created_at", Instant, nullable=False, index=True),
    Column(
        "about", Key, index=True
    ),  # what was made or changed: order/<sp_id>, settlement/<settlement_id>
    Column("answer", LargeBinary),  # encrypted; null: an earlier release kept it
)
