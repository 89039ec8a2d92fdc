"""Relays: servers mail for others is handed to"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0012"
down_revision = "mailsite_0011"
branch_labels = None
depends_on = None

RELAY = "mailsite_relay"


def upgrade() -> None:
    op.create_table(
        RELAY,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("tls", sa.String(length=20), nullable=False),
        sa.Column("username", sa.String(length=254), nullable=False),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{RELAY}")),
        sa.UniqueConstraint("uuid", name=op.f(f"uq_{RELAY}_uuid")),
        sa.UniqueConstraint("domain", name=op.f(f"uq_{RELAY}_domain")),
    )


def downgrade() -> None:
    op.drop_table(RELAY)
