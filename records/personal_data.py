"""Which columns and files hold data of persons: of whom, how long, and how they are erased (docs/data-protection.md).

`tests/records/test_personal_data.py` fails if a column or a kind of file is not declared here, and searches everything
that is not declared as a customer's for a customer's data.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from domain.retention import Kind

Whose = Literal["customer", "partner", "login"]
"""`partner`: a firm and its contact. `login`: somebody who logs in, of a partner or of the retailer."""

Ending = Literal["expiry", "login", "partner", "operator", "none"]
"""What ends data that no retention rule ends: their own expiry, the removal of their login, the end of the contract
with the partner, the operator of the instance; `none`: nothing about persons is in it."""

Erasure = Literal["emptied", "deleted", "kept"]
"""What the erasure of an order does with a customer's data: the column is made empty or gets a version without them,
the row or file is deleted, or it stays because the law says so (the place on a settlement)."""


class Stored(NamedTuple):
    """The columns of a table. Each is in `personal`, by whose data they are, or in `other`; separated by blanks.

    `until`: the retention rule that ends them, or another ending. `erased`: what an erasure does with a customer's
    data. What is left of an order after its erasure ends by the rule `settlements`.
    """

    until: Kind | Ending
    other: str
    personal: Mapping[Whose, str] = {}
    erased: Erasure | None = None

    @property
    def columns(self) -> frozenset[str]:
        """All declared columns."""
        return frozenset(" ".join((self.other, *self.personal.values())).split())


def _stored(
    until: Kind | Ending,
    other: str,
    *,
    customer: str = "",
    partner: str = "",
    login: str = "",
    erased: Erasure | None = None,
) -> Stored:
    whose: dict[Whose, str] = {"customer": customer, "partner": partner, "login": login}
    return Stored(until, other, {who: names for who, names in whose.items() if names}, erased)


TABLES: Mapping[str, Stored] = {
    # --- orders ---
    "orders": _stored(
        "orders",
        "sp_id version status partner_id visible placed_at changed_at ended_at next_due partner_due sales_order_id"
        " sales_order_line executed_on settlement_id digest appointment_start appointment_end"
        " service",
        customer="search search_contact",
        erased="emptied",
    ),
    "documents": _stored("orders", "sp_id pinned", customer="document", erased="emptied"),
    "timeline": _stored(
        "orders",
        "sp_id seq at type on_behalf_of",
        customer="data",
        login="by person",
        erased="emptied",
    ),
    "deadlines": _stored(
        "none", "sp_id seq kind partner_id started due missed ended outcome excused_until"
    ),
    "reminders": _stored("expiry", "sp_id due", login="login_id"),
    "order_messages": _stored(
        "orders",
        "sp_id seq message_id partner_id side internal at due answered_at mail_key",
        customer="text",
        login="login_id author",
        erased="deleted",
    ),
    "order_photos": _stored(
        "orders",
        "photo_id sp_id partner_id kind sha256 width height size at side",
        customer="content small",
        login="login_id author",
        erased="deleted",
    ),
    "execution_protocols": _stored(
        "orders",
        "sp_id partner_id version at request_id sha256",
        customer="document pdf",
        login="login_id",
        erased="deleted",
    ),
    "customer_links": _stored("orders", "sp_id made_at hash"),
    "customer_wishes": _stored(
        "orders", "sp_id asked_at due start done_at", customer="note", erased="deleted"
    ),
    "calendar_entries": _stored(
        "orders", "sp_id partner_id start end whole_day fallen_at sequence"
    ),
    "message_reads": _stored("orders", "sp_id seq", login="login_id"),
    "message_mails": _stored(
        "none", "key sp_id partner_id audience asked_at next_attempt_at begun"
    ),
    "order_mails": _stored("none", "sp_id seq occasion asked_at next_attempt_at"),
    "asked_reminders": _stored(
        "mails", "key partner_id asked_at next_attempt_at", login="asked_by"
    ),
    "asked_reminder_orders": _stored("mails", "key sp_id asked_at"),
    "order_assignments": _stored(
        "orders", "sp_id partner_id assigned_at", login="user_id assigned_by"
    ),
    "person_mails": _stored(
        "expiry",  # deleted once the mail is sent or given up
        "key kind sp_id seq day asked_at next_attempt_at",
        login="user_id",
    ),
    "list_views": _stored("login", "view_id name query", login="login_id"),
    "line_requests": _stored(
        "none", "sales_order_id line attempt round sp_id claimed_at sent_at stop_key"
    ),
    "line_withdrawals": _stored("none", "sales_order_id line sp_id"),
    # --- data protection itself ---
    "data_keys": _stored("orders", "workflow_id key_id wrapped created_at erased_at"),
    "erasures": _stored("settlements", "sp_id at done_at", login="by"),
    "exports": _stored("traces", "export_id at sp_ids", login="by"),
    # --- what was answered, sent and found ---
    "idempotency": _stored(
        "answers",
        "key body_hash status created_at about",
        customer="response answer",
        login="login_id",
        erased="deleted",
    ),
    "mails": _stored(
        "mails",
        "key about kind audience message_id state attempts first_tried_at sent_at next_attempt_at",
        customer="last_error recipient",  # a recipient may be a customer, a partner or somebody who logs in
        erased="emptied",
    ),
    "findings": _stored(
        "findings", "about kind run_id found_at seen_at reported_at ended_at repaired"
    ),
    "comparisons": _stored("none", "about run_id history_length version digest"),
    "security_events": _stored(
        "traces", "event_id at kind outcome about request_id", login="account address network"
    ),
    "lookups": _stored("traces", "sp_id day how first_at last_at times", login="login_id"),
    "order_count_changes": _stored("none", "change_id partner_id visible status change"),
    # --- accounts ---
    "token_calls": _stored("login", "token_id calls at"),
    "users": _stored(
        "login",
        "user_id role partner_id partner_role created_at notifications",
        login="email email_key name language password_hash totp_secret totp_confirmed totp_last_step"
        " first_login_at last_login_at factor_reset_at",
    ),
    "sessions": _stored(
        "expiry",
        "secret_hash created_at expires_at",
        login="user_id last_used_at confirmed_at network browser",
    ),
    "links": _stored("expiry", "purpose secret_hash expires_at mail_key", login="user_id"),
    "recovery_codes": _stored("login", "code_hash", login="user_id"),
    "devices": _stored("expiry", "secret_hash", login="user_id last_used_at"),
    "guesses": _stored("expiry", "failures last_at blocked_until", login="key"),
    "account_notices": _stored(
        "expiry",  # deleted once the mail is sent or given up
        "key kind about audience language staff asked_at next_attempt_at",
        login="recipient name facts",
    ),
    "calendar_feeds": _stored(
        "login",
        "secret_hash everybody made_at content changed_at",
        login="user_id last_read_at",
    ),
    "tokens": _stored(
        "partner",
        "token_id token_hash role partner_id created_at last_used_at expires_at revoked_at"
        " ended_because end_told_at",
        login="name made_by",
    ),
    # --- partners and money ---
    "partners": _stored(
        "partner",
        "partner_id canton language created_at changed_at vat_liable_from email_changed_at status policy",
        partner="name email phone street postal_code city vat_number iban escalation_email former_email",
    ),
    "iban_changes": _stored(
        "settlements",
        "change_id partner_id status at decided_at",
        partner="from_iban to_iban",
        login="person by decided_person decided_by",
    ),
    "iban_mails": _stored(
        "settlements", "key change_id kind asked_at next_attempt_at", partner="recipient"
    ),
    "settlements": _stored(
        "settlements",
        "settlement_id version partner_id month status orders net vat total opened_at selectable_until issued_at"
        " invoice_due digest number rules",
        partner="partner_name search",
    ),
    "settlement_documents": _stored(
        "settlements", "settlement_id", customer="document", erased="emptied"
    ),
    "settlement_timeline": _stored(
        "settlements",
        "settlement_id seq at type on_behalf_of",
        customer="data",
        login="by",
        erased="emptied",
    ),
    "settlement_lines": _stored(
        "settlements",
        "settlement_id sp_id sales_order_id executed_on service fee billed told",
        customer="customer_place",
        erased="kept",
    ),
    "corrections": _stored(
        "settlements",
        "correction_id partner_id sp_id amount executed_on at settlement_id",
        customer="reason",
        login="by",
        erased="emptied",
    ),
    "invoice_numbers": _stored("settlements", "number_key settlement_id at", partner="partner_id"),
    "papers": _stored(
        "settlements",
        "paper_id settlement_id kind sha256 pages template_version input_checksum created_at verdict deleted_at",
        customer="content inputs",
        partner="name",
        erased="kept",
    ),
    # --- our own outages ---
    "heartbeats": _stored("none", "kind process seen_at"),
    "outages": _stored("none", "begin end kind found_at done_until done_at"),
}
"""All tables, by name."""


class Files(NamedTuple):
    """A kind of file of an instance, by the pattern of its path in the instance's folder."""

    pattern: str
    holds: str
    until: Kind | Ending
    whose: tuple[Whose, ...] = ()
    erased: Erasure | None = None


FILES: tuple[Files, ...] = (
    Files(
        "cmi.db*",
        "the records on SQLite, with its log of changes; on PostgreSQL its own folder",
        "orders",
        ("customer", "partner", "login"),
        "emptied",
    ),
    Files(
        "temporal.db*",
        "Temporal's histories; with keys they are ciphertext under a data key for each order",
        "orders",
        ("customer", "partner", "login"),
        "deleted",
    ),
    Files(
        "warehouse/*.json",
        "requests to a warehouse without an address",
        "orders",
        ("customer",),
        "deleted",
    ),
    Files(
        "mail/*.eml",
        "mails, where a mail server of the same machine keeps them (`dev.py`)",
        "orders",
        ("customer", "partner", "login"),
        "deleted",
    ),
    Files("*.log", "logs: ids only, no names", "operator"),
    Files("logs/*.log", "logs: ids only, no names", "operator"),
    Files("*.toml", "policies", "none"),
    Files("policies/*.toml", "policies of partners, by name", "none"),
    Files("worker.alive", "when the worker was last alive; it has no content", "none"),
    Files("alive", "the same, in tests", "none"),
    Files("lock", "keeps a second `dev.py` out; it has no content", "none"),
    Files(
        "credentials.json",
        "passwords and tokens of sample logins (`dev.py`)",
        "operator",
        ("login",),
    ),
)
"""Files that CMI or its embedded servers write. Downloads (CSV, ZIP, PDF, calendar, customer export) are made for the
answer and are not stored; papers are in the table `papers`; the confined process deletes its temporary folder."""
