"""Drops canton and fee from the rows of orders: nothing reads them there, and the order's document has them.

A process of an older release still writes them, so it cannot record orders after this revision; the new workers record
them then. To go back to an older release, downgrade the database to revision 0007 first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# as in records/tables/ before this revision
MONEY = sa.Numeric(12, 2).with_variant(sa.String(13), "sqlite")


def upgrade() -> None:
    """To this revision."""
    op.drop_column("orders", "canton")
    op.drop_column("orders", "fee")


def downgrade() -> None:
    """Back from it. The columns stay empty, because nothing reads them."""
    op.add_column("orders", sa.Column("canton", sa.String(2), nullable=False, server_default=""))
    op.add_column("orders", sa.Column("fee", MONEY, nullable=False, server_default="0"))
