"""INTERNALDATE keeps the zone it was given in"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0005"
down_revision = "mailsite_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mailsite_message", sa.Column("internal_zone", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("mailsite_message", "internal_zone")
