"""Indexes for the page of the delivery queue"""

from alembic import op

revision = "mailsite_0008"
down_revision = "mailsite_0007"
branch_labels = None
depends_on = None

TABLE = "mailsite_queued_recipient"
INDEXES = {"shown": ["fate", "id"], "destination": ["fate", "domain", "id"]}


def upgrade() -> None:
    for name, columns in INDEXES.items():
        op.create_index(f"ix_{TABLE}_{name}", TABLE, columns)


def downgrade() -> None:
    for name in reversed(INDEXES):
        op.drop_index(f"ix_{TABLE}_{name}", TABLE)
