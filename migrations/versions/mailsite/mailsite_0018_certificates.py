"""Certificates by ACME: what is wanted and what came of it, and challenges to be answered"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0018"
down_revision = "mailsite_0017"
branch_labels = None
depends_on = None

ORDER, CHALLENGE = "mailsite_certificate_order", "mailsite_certificate_challenge"


def upgrade() -> None:
    op.create_table(
        ORDER,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("directory", sa.String(length=500), nullable=False),
        sa.Column("contact", sa.String(length=254), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("left_out", sa.Text(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("had_from", sa.String(length=500), nullable=False),
        sa.Column("had_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renew_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("turn_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{ORDER}")),
    )
    op.create_table(
        CHALLENGE,
        sa.Column("token", sa.String(length=200), nullable=False),
        sa.Column("answer", sa.String(length=400), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f(f"pk_{CHALLENGE}")),
    )


def downgrade() -> None:
    op.drop_table(CHALLENGE)
    op.drop_table(ORDER)
