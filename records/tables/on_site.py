"""The tables of what a partner records at the customer's place: photos, and the execution protocol."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from records.tables.types import Instant, Key, metadata

# A picture: a JPEG without metadata, made anew from what was sent.
order_photos = Table(
    "order_photos",
    metadata,
    Column("photo_id", Key, primary_key=True),
    Column("sp_id", Key, nullable=False),
    Column("partner_id", Key, nullable=False),  # that had the order then
    Column("kind", String, nullable=False),  # photo, signature
    Column("sha256", String(64), nullable=False),  # of `content`
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("side", String, nullable=False),  # partner, operations
    Column("login_id", Key, nullable=False),
    Column("author", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("small", LargeBinary, nullable=False),
)
# The same picture twice is one.
Index(
    "ix_order_photos_content",
    order_photos.c.sp_id,
    order_photos.c.partner_id,
    order_photos.c.kind,
    order_photos.c.sha256,
    unique=True,
)
Index("ix_order_photos_recent", order_photos.c.partner_id, order_photos.c.at)

# A version of a protocol never changes; only its PDF is added when it is first asked for.
execution_protocols = Table(
    "execution_protocols",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("partner_id", Key, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),  # of this partner
    Column("at", Instant, nullable=False),
    Column("login_id", Key, nullable=False),
    Column("request_id", Key, nullable=False),
    Column("document", Text, nullable=False),  # JSON (`domain.orders.protocol.ProtocolVersion`)
    Column("sha256", String(64), nullable=False),  # of `document`
    Column("pdf", LargeBinary),
)
Index(
    "ix_execution_protocols_request",
    execution_protocols.c.sp_id,
    execution_protocols.c.request_id,
    unique=True,
)
