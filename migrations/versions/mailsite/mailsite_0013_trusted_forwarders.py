"""Forwarders whose ARC seals are trusted"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0013"
down_revision = "mailsite_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mailsite_settings", sa.Column("trusted_forwarders", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("mailsite_settings", "trusted_forwarders")
