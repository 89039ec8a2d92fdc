"""The catalogue of hosted mail: mailboxes, folders, messages, flags, steps"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0002"
down_revision = "mailsite_0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mailsite_flag",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("is_seen", sa.Boolean(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_flag")),
    )
    with op.batch_alter_table("mailsite_flag", schema=None) as batch_op:
        batch_op.create_index(
            "ix_mailsite_flag_deleted",
            ["id"],
            unique=False,
            sqlite_where=sa.text("is_deleted"),
            postgresql_where=sa.text("is_deleted"),
        )
        batch_op.create_index(
            "ix_mailsite_flag_unseen",
            ["id"],
            unique=False,
            sqlite_where=sa.text("NOT is_seen"),
            postgresql_where=sa.text("NOT is_seen"),
        )

    op.create_table(
        "mailsite_mailbox",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("last_uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("limit_octets", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_mailbox")),
        sa.UniqueConstraint("name", name=op.f("uq_mailsite_mailbox_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailsite_message",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("internal_date", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("size_octets", sa.BigInteger(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("email_id", sa.String(length=64), nullable=False),
        sa.Column("thread_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("message_key", sa.BigInteger(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("bodystructure", sa.LargeBinary(), nullable=False),
        sa.Column("parts", sa.LargeBinary(), nullable=False),
        sa.Column("preview", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_message")),
    )
    with op.batch_alter_table("mailsite_message", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mailsite_message_location"), ["location"], unique=False)
        batch_op.create_index(batch_op.f("ix_mailsite_message_message_key"), ["message_key"], unique=False)

    op.create_table(
        "mailsite_removed_mailbox",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("last_uidvalidity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_mailsite_removed_mailbox")),
    )
    op.create_table(
        "mailsite_segment",
        sa.Column("location", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("blob", sa.String(length=80), nullable=False),
        sa.Column("blob_offset", sa.BigInteger(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("location", "position", name=op.f("pk_mailsite_segment")),
    )
    with op.batch_alter_table("mailsite_segment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mailsite_segment_blob"), ["blob"], unique=False)

    op.create_table(
        "mailsite_unused",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("unused_since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_unused")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailsite_folder",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("mailbox_id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=1000), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=True),
        sa.Column("subscribed", sa.Boolean(), nullable=False),
        sa.Column("selectable", sa.Boolean(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uidnext", sa.BigInteger(), nullable=False),
        sa.Column("highestmodseq", sa.BigInteger(), nullable=False),
        sa.Column("known_since", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("unseen", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("keywords", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["mailsite_mailbox.id"], name=op.f("fk_mailsite_folder_mailbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_folder")),
        sa.UniqueConstraint("mailbox_id", "name", name=op.f("uq_mailsite_folder_mailbox_id_name")),
        sa.UniqueConstraint("object_id", name=op.f("uq_mailsite_folder_object_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailsite_change",
        sa.Column("folder_id", ROW_ID, nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=False),
        sa.Column("is_expunge", sa.Boolean(), nullable=False),
        sa.Column("uids", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["mailsite_folder.id"], name=op.f("fk_mailsite_change_folder_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("folder_id", "modseq", "is_expunge", name=op.f("pk_mailsite_change")),
    )


def downgrade() -> None:
    for name in ("change", "folder", "unused", "segment", "removed_mailbox", "message", "mailbox", "flag"):
        op.drop_table(f"mailsite_{name}")
