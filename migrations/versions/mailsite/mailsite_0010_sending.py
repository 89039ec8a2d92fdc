"""Sending to the world: addresses that bounced, how much a mailbox may send, what a message was about"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0010"
down_revision = "mailsite_0009"
branch_labels = None
depends_on = None

BOUNCED, MAILBOX, MESSAGE = "mailsite_bounced_address", "mailsite_hosted_mailbox", "mailsite_queued_message"
LIMITS = ("recipients_per_hour", "recipients_per_day")


def upgrade() -> None:
    op.create_table(
        BOUNCED,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], [f"{MAILBOX}.id"], name=op.f(f"fk_{BOUNCED}_mailbox_id_{MAILBOX}"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{BOUNCED}")),
        sa.UniqueConstraint("mailbox_id", "address", name=op.f(f"uq_{BOUNCED}_mailbox_id_address")),
    )
    op.create_index(op.f(f"ix_{BOUNCED}_bounced_at"), BOUNCED, ["bounced_at"])
    for name in LIMITS:
        op.add_column(MAILBOX, sa.Column(name, sa.Integer(), nullable=True))
    op.add_column(MESSAGE, sa.Column("subject", sa.String(length=200), nullable=False, server_default=""))
    op.drop_index(f"ix_{MESSAGE}_mailbox", MESSAGE)
    op.create_index(f"ix_{MESSAGE}_sent", MESSAGE, ["mailbox", "queued_at"])
    op.create_index(f"ix_{MESSAGE}_queued_at", MESSAGE, ["queued_at"])


def downgrade() -> None:
    op.drop_index(f"ix_{MESSAGE}_queued_at", MESSAGE)
    op.drop_index(f"ix_{MESSAGE}_sent", MESSAGE)
    op.create_index(f"ix_{MESSAGE}_mailbox", MESSAGE, ["mailbox"])
    op.drop_column(MESSAGE, "subject")
    for name in reversed(LIMITS):
        op.drop_column(MAILBOX, name)
    op.drop_table(BOUNCED)
