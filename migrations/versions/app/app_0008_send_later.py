"""Messages that are sent later"""

import sqlalchemy as sa
from alembic import op

revision = "app_0008"
down_revision = "app_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("outbox") as batch:
        batch.drop_column("scheduled_at")
