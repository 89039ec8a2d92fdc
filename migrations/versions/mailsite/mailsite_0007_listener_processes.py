"""How many processes a listener has"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0007"
down_revision = "mailsite_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "mailsite_settings", sa.Column("listener_processes", sa.Integer(), server_default="1", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("mailsite_settings", "listener_processes")
