"""The tables of settlements: what lists read, the settlement itself, its timeline, lines, corrections and papers."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
)

from records.tables.types import Instant, Key, Money, metadata

# What lists and searches read; the settlement itself is in `settlement_documents`.
settlements = Table(
    "settlements",
    metadata,
    Column("settlement_id", Key, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("partner_id", Key, nullable=False),
    Column("partner_name", String, nullable=False),
    Column("month", String(7), nullable=False),
    Column("status", String, nullable=False),
    Column("orders", Integer, nullable=False),
    Column("net", Money, nullable=False),
    Column("vat", Money, nullable=False),
    Column("total", Money, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("selectable_until", Instant),
    Column("issued_at", Instant),
    Column("invoice_due", Instant),
    Column("search", Text, nullable=False),  # settlement id, partner's id and name, folded
    Column("digest", String),  # as in `orders`
    Column("number", Integer, nullable=False, server_default="1"),  # in the month
    Column(
        "rules", Integer
    ),  # the version of its rules; null: written before this column, version 1
)
# A settlement of a month only follows a voided one, with the next number (docs/rules.md, "Settlement").
Index(
    "ix_settlements_month_of_partner",
    settlements.c.partner_id,
    settlements.c.month,
    settlements.c.number,
    unique=True,
)
Index("ix_settlements_newest", settlements.c.opened_at, settlements.c.settlement_id)
Index(
    "ix_settlements_partner_newest",
    settlements.c.partner_id,
    settlements.c.opened_at,
    settlements.c.settlement_id,
)

settlement_documents = Table(
    "settlement_documents",
    metadata,
    Column("settlement_id", Key, ForeignKey(settlements.c.settlement_id), primary_key=True),
    Column("document", Text, nullable=False),  # domain.settlements.settlement.Settlement as JSON
)

settlement_timeline = Table(
    "settlement_timeline",
    metadata,
    Column("settlement_id", Key, ForeignKey(settlements.c.settlement_id), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("type", String, nullable=False),
    Column("by", String, nullable=False),
    Column("data", Text, nullable=False),  # domain.settlements.events.SettlementEvent as JSON
    Column("on_behalf_of", Key),  # as in `timeline`
    sqlite_with_rowid=False,
)

# The orders of a settlement: the picked ones until they are claimed, then the billed ones.
settlement_lines = Table(
    "settlement_lines",
    metadata,
    Column("settlement_id", Key, ForeignKey(settlements.c.settlement_id), primary_key=True),
    Column("sp_id", Key, primary_key=True),
    Column("sales_order_id", String, nullable=False),
    Column("executed_on", Date, nullable=False),
    Column("service", String, nullable=False),
    Column("customer_place", String, nullable=False),
    Column("fee", Money, nullable=False),
    Column("billed", Boolean, nullable=False),  # claimed by a settlement that is not voided
    # Whether the order itself gave the line when it was claimed. Otherwise the line is made from the records.
    Column("told", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)
_is_billed = settlement_lines.c.billed
# No order is billed twice: its workflow ensures that, and this index guards against a bug there.
Index(
    "ix_settlement_lines_billed_once",
    settlement_lines.c.sp_id,
    unique=True,
    sqlite_where=_is_billed,
    postgresql_where=_is_billed,
)

# Amounts that operations add to a partner's next settlement. Only `settlement_id` ever changes.
corrections = Table(
    "corrections",
    metadata,
    Column("correction_id", Key, primary_key=True),
    Column("partner_id", Key, nullable=False),
    Column("sp_id", Key, nullable=False),
    Column("reason", Text, nullable=False),
    Column("amount", Money, nullable=False),
    Column("executed_on", Date),
    Column("by", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column(
        "settlement_id", Key, index=True
    ),  # the one that bills it; null: the partner's next one will
)
Index(
    "ix_corrections_partner_newest",
    corrections.c.partner_id,
    corrections.c.at,
    corrections.c.correction_id,
)

# The numbers of invoices that CMI made for partners: a partner uses each for one settlement only.
invoice_numbers = Table(
    "invoice_numbers",
    metadata,
    Column("partner_id", Key, primary_key=True),
    Column("number_key", Key, primary_key=True),  # domain.settlements.invoicing.number_key
    Column("settlement_id", Key, nullable=False),
    Column("at", Instant, nullable=False),  # when it was first used
)

# The bytes of statements, drafts and invoices. Those of an invoice that nobody accepted are deleted after a time.
# Without a foreign key, like `mails`.
papers = Table(
    "papers",
    metadata,
    Column("paper_id", Key, primary_key=True),
    Column("settlement_id", Key, nullable=False),
    Column("kind", String, nullable=False),  # records.papers.PaperKind
    Column("name", String, nullable=False),  # of the file
    Column("content", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("pages", Integer),
    Column("template_version", String, nullable=False),  # template and inputs, if we made it
    Column("input_checksum", String, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("created_at", Instant, nullable=False),  # of an upload: when the file came last
    Column(
        "verdict", Text
    ),  # domain.settlements.invoicing.Verdict as JSON; null: not checked (yet)
    Column("deleted_at", Instant),  # since then the content is empty
)
Index("ix_papers_settlement", papers.c.settlement_id, papers.c.kind, papers.c.created_at)
