"""MTA-STS: policies of others, and what was published here last"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0006"
down_revision = "mailsite_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mailsite_kept_policy",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_mailsite_kept_policy")),
    )
    op.create_index(op.f("ix_mailsite_kept_policy_used_at"), "mailsite_kept_policy", ["used_at"])
    op.create_table(
        "mailsite_published_policy",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_mailsite_published_policy")),
    )


def downgrade() -> None:
    op.drop_table("mailsite_published_policy")
    op.drop_table("mailsite_kept_policy")
