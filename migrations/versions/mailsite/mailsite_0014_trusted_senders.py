"""Trusted senders"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0014"
down_revision = "mailsite_0013"
branch_labels = None
depends_on = None

TABLE = "mailsite_trusted_sender"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f(f"fk_{TABLE}_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint("user_id", "sender", name=op.f(f"uq_{TABLE}_user_id_sender")),
    )


def downgrade() -> None:
    op.drop_table(TABLE)
