"""Canton and fee leave the rows of orders: nobody reads them there, and the order itself has them.

A process of an older release still writes them: it cannot record orders after this revision, until the new workers do.
Whoever goes back to an older release downgrades the database to revision 0007 first.
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
    """Back from it. What the columns held is not looked up: nobody read it."""
    op.add_column("orders", sa.Column("canton", sa.String(2), nullable=False, server_default=""))
    op.add_column("orders", sa.Column("fee", MONEY, nullable=False, server_default="0"))
