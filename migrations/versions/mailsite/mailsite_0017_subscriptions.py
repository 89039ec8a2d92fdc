"""Subscriptions are names, and stay when their folders go"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0017"
down_revision = "mailsite_0016"
branch_labels = None
depends_on = None

TABLE = "mailsite_subscription"
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("mailbox_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"],
            ["mailsite_mailbox.id"],
            name=op.f(f"fk_{TABLE}_mailbox_id_mailsite_mailbox"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("mailbox_id", "name", name=op.f(f"pk_{TABLE}")),
    )
    op.execute(
        "INSERT INTO mailsite_subscription (mailbox_id, name)"
        " SELECT mailbox_id, name FROM mailsite_folder WHERE subscribed"
    )
    op.drop_column("mailsite_folder", "subscribed")


def downgrade() -> None:
    """Names without a folder are lost."""
    op.add_column("mailsite_folder", sa.Column("subscribed", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(
        "UPDATE mailsite_folder SET subscribed = EXISTS (SELECT 1 FROM mailsite_subscription s "
        "WHERE s.mailbox_id = mailsite_folder.mailbox_id AND s.name = mailsite_folder.name)"
    )
    op.drop_table(TABLE)
