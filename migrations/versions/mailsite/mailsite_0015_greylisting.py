"""Greylisting and block lists"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0015"
down_revision = "mailsite_0014"
branch_labels = None
depends_on = None

TABLE, SETTINGS = "mailsite_greylisted", "mailsite_settings"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f(f"pk_{TABLE}")),
    )
    op.create_index(op.f(f"ix_{TABLE}_seen_at"), TABLE, ["seen_at"])
    op.add_column(SETTINGS, sa.Column("greylisting", sa.Boolean(), server_default="0", nullable=False))
    op.add_column(SETTINGS, sa.Column("blocklists", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column(SETTINGS, "blocklists")
    op.drop_column(SETTINGS, "greylisting")
    op.drop_table(TABLE)
