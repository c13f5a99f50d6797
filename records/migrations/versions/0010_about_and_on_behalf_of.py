"""Renames the key of findings to `about`, and adds `on_behalf_of` to timelines, apart from `by`.

Older rows are not changed: their `by` holds both, "operations:Anna for partner:elektro-huber", and is split when it is
read (domain/authors.py). After this revision a process of an older release still records orders, but its reconciler
fails until the new workers run. To go back to an older release, downgrade the database to revision 0009 first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")

RENAMED = ("findings", "comparisons")
TIMELINES = ("timeline", "settlement_timeline")


def upgrade() -> None:
    """To this revision."""
    for table in RENAMED:
        op.alter_column(table, "sp_id", new_column_name="about")
    for table in TIMELINES:
        op.add_column(table, sa.Column("on_behalf_of", KEY))


def downgrade() -> None:
    """Back from it: `by` contains the partner again."""
    for table in TIMELINES:
        op.execute(
            f"UPDATE {table} SET by = by || ' for partner:' || on_behalf_of WHERE on_behalf_of IS NOT NULL"
        )
        op.drop_column(table, "on_behalf_of")
    for table in RENAMED:
        op.alter_column(table, "about", new_column_name="sp_id")
