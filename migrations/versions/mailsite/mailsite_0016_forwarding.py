"""Forwarding: aliases that lead elsewhere, people's own forwards, and for whom a queued message is forwarded"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0016"
down_revision = "mailsite_0015"
branch_labels = None
depends_on = None

ALIAS, MAILBOX, MESSAGE = "mailsite_outside_alias", "mailsite_hosted_mailbox", "mailsite_queued_message"


def upgrade() -> None:
    op.create_table(
        ALIAS,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("local_part", sa.String(length=64), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("target", sa.String(length=320), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{ALIAS}")),
        sa.UniqueConstraint("local_part", "domain", "target", name=op.f(f"uq_{ALIAS}_local_part_domain_target")),
    )
    op.add_column(MAILBOX, sa.Column("may_forward", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column(MAILBOX, sa.Column("forward_to", sa.String(length=320), nullable=False, server_default=""))
    op.add_column(MAILBOX, sa.Column("keeps_copy", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column(MESSAGE, sa.Column("forwarded_for", sa.String(length=320), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column(MESSAGE, "forwarded_for")
    for name in ("keeps_copy", "forward_to", "may_forward"):
        op.drop_column(MAILBOX, name)
    op.drop_table(ALIAS)
