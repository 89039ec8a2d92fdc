"""Imports of external accounts into mailboxes, and how far each is"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0003"
down_revision = "mailsite_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mailsite_import",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("is_apart", sa.Boolean(), nullable=False),
        sa.Column("error", sa.String(length=60), nullable=False),
        sa.Column("error_detail", sa.Text(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["mail_account.id"],
            name=op.f("fk_mailsite_import_account_id_mail_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_import")),
        sa.UniqueConstraint("account_id", name=op.f("uq_mailsite_import_account_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailsite_import_folder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_wanted", sa.Boolean(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=True),
        sa.Column("done_uid", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.JSON(), nullable=False),
        sa.Column("pending_uid", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failed_in_row", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["mailsite_import.id"],
            name=op.f("fk_mailsite_import_folder_import_id_mailsite_import"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_import_folder")),
        sa.UniqueConstraint("import_id", "name", name=op.f("uq_mailsite_import_folder_import_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailsite_import_failure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.String(length=60), nullable=False),
        sa.Column("error_detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["folder_id"],
            ["mailsite_import_folder.id"],
            name=op.f("fk_mailsite_import_failure_folder_id_mailsite_import_folder"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_import_failure")),
    )
    op.create_index("ix_mailsite_import_failure_folder_id", "mailsite_import_failure", ["folder_id"])
    if op.get_bind().dialect.name == "sqlite":  # the sqlite3 shell deletes without cascades (N5)
        for table, statement in TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {table}_imports AFTER DELETE ON {table} BEGIN {statement}; END")


TRIGGERS = {
    "mail_account": "DELETE FROM mailsite_import WHERE account_id = OLD.id",
    "mailsite_import": "DELETE FROM mailsite_import_folder WHERE import_id = OLD.id",
    "mailsite_import_folder": "DELETE FROM mailsite_import_failure WHERE folder_id = OLD.id",
}


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in TRIGGERS:
            op.execute(f"DROP TRIGGER {table}_imports")
    op.drop_table("mailsite_import_failure")
    op.drop_table("mailsite_import_folder")
    op.drop_table("mailsite_import")
