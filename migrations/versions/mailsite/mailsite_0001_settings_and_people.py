"""Settings of hosting, mailboxes of people, their addresses and app passwords"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "mailsite_0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "mailsite_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("storage_engine", sa.String(length=20), nullable=False),
        sa.Column("domains", sa.Text(), nullable=False),
        sa.Column("smtp_port", sa.Integer(), nullable=False),
        sa.Column("smtps_port", sa.Integer(), nullable=False),
        sa.Column("imap_port", sa.Integer(), nullable=False),
        sa.Column("imaps_port", sa.Integer(), nullable=False),
        sa.Column("starttls", sa.Boolean(), nullable=False),
        sa.Column("expose", sa.Boolean(), nullable=False),
        sa.Column("enforce_dmarc", sa.Boolean(), nullable=False),
        sa.Column("posture", sa.String(length=20), nullable=False),
        sa.Column("log_mail", sa.Boolean(), nullable=False),
        sa.Column("test_mode", sa.Boolean(), nullable=False),
        sa.Column("fallback_port", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_settings")),
    )
    op.create_table(
        "mailsite_hosted_mailbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("quota_octets", sa.BigInteger(), nullable=True),
        sa.Column("hidden_capabilities", sa.String(length=500), nullable=False),
        sa.Column("scram_salt", sa.LargeBinary(), nullable=False),
        sa.Column("scram_iterations", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_mailsite_hosted_mailbox_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_hosted_mailbox")),
        sa.UniqueConstraint("name", name=op.f("uq_mailsite_hosted_mailbox_name")),
        sa.UniqueConstraint("user_id", name=op.f("uq_mailsite_hosted_mailbox_user_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailsite_address",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("local_part", sa.String(length=64), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"],
            ["mailsite_hosted_mailbox.id"],
            name=op.f("fk_mailsite_address_mailbox_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_address")),
        sa.UniqueConstraint(
            "local_part", "domain", "mailbox_id", name=op.f("uq_mailsite_address_local_part_domain_mailbox_id")
        ),
    )
    with op.batch_alter_table("mailsite_address", schema=None) as batch_op:
        batch_op.create_index("ix_mailsite_address_mailbox", ["mailbox_id"], unique=False)

    op.create_table(
        "mailsite_app_password",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("stored_key", sa.LargeBinary(), nullable=False),
        sa.Column("server_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_address", sa.String(length=45), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"],
            ["mailsite_hosted_mailbox.id"],
            name=op.f("fk_mailsite_app_password_mailbox_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_app_password")),
    )
    with op.batch_alter_table("mailsite_app_password", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mailsite_app_password_mailbox_id"), ["mailbox_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("mailsite_app_password", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mailsite_app_password_mailbox_id"))

    op.drop_table("mailsite_app_password")
    with op.batch_alter_table("mailsite_address", schema=None) as batch_op:
        batch_op.drop_index("ix_mailsite_address_mailbox")

    op.drop_table("mailsite_address")
    op.drop_table("mailsite_hosted_mailbox")
    op.drop_table("mailsite_settings")
