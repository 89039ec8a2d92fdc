"""Messages on their way to other servers"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0004"
down_revision = "mailsite_0003"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def of_message(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_message_id_mailsite_queued_message")
    return sa.ForeignKeyConstraint(["message_id"], ["mailsite_queued_message.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "mailsite_queued_message",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("token", sa.String(length=80), nullable=False),
        sa.Column("mailbox", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("is_eight_bit", sa.Boolean(), nullable=False),
        sa.Column("needs_utf8", sa.Boolean(), nullable=False),
        sa.Column("requires_tls", sa.Boolean(), nullable=False),
        sa.Column("ret", sa.String(length=4), nullable=False),
        sa.Column("envid", sa.String(length=120), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("has_octets", sa.Boolean(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_queued_message")),
        sa.UniqueConstraint("token", name=op.f("uq_mailsite_queued_message_token")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mailsite_queued_message_mailbox", "mailsite_queued_message", ["mailbox"])
    op.create_table(
        "mailsite_queued_block",
        sa.Column("message_id", ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        of_message("mailsite_queued_block"),
        sa.PrimaryKeyConstraint("message_id", "number", name=op.f("pk_mailsite_queued_block")),
    )
    op.create_table(
        "mailsite_queued_recipient",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("message_id", ROW_ID, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("notify", sa.String(length=40), nullable=False),
        sa.Column("orcpt", sa.String(length=500), nullable=False),
        sa.Column("fate", sa.String(length=20), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claim", sa.String(length=40), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_of_delay", sa.Boolean(), nullable=False),
        sa.Column("to_tell", sa.String(length=20), nullable=False),
        of_message("mailsite_queued_recipient"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_queued_recipient")),
        sqlite_autoincrement=True,
    )
    for name, columns in INDEXES.items():
        op.create_index(f"ix_mailsite_queued_recipient_{name}", "mailsite_queued_recipient", columns)
    op.create_table(
        "mailsite_delivery_attempt",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("message_id", ROW_ID, nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("port_25_blocked", sa.Boolean(), nullable=False),
        sa.Column("transcript", sa.Text(), nullable=False),
        of_message("mailsite_delivery_attempt"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_delivery_attempt")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mailsite_delivery_attempt_message_id", "mailsite_delivery_attempt", ["message_id"])
    if op.get_bind().dialect.name == "sqlite":  # the sqlite3 shell deletes without cascades (N5)
        op.execute(
            "CREATE TRIGGER mailsite_queued_message_goes AFTER DELETE ON mailsite_queued_message BEGIN "
            "DELETE FROM mailsite_queued_block WHERE message_id = OLD.id; "
            "DELETE FROM mailsite_queued_recipient WHERE message_id = OLD.id; "
            "DELETE FROM mailsite_delivery_attempt WHERE message_id = OLD.id; END"
        )


INDEXES = {
    "due": ["fate", "next_at"],
    "message": ["message_id"],
    "claim": ["claim"],
    "to_tell": ["to_tell"],
}
DEPENDANTS = ("mailsite_queued_block", "mailsite_queued_recipient", "mailsite_delivery_attempt")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER mailsite_queued_message_goes")
    for table in (*reversed(DEPENDANTS), "mailsite_queued_message"):
        op.drop_table(table)
