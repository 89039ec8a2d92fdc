"""Deeds on everything in a folder that matches"""

import sqlalchemy as sa
from alembic import op

revision = "app_0006"
down_revision = "app_0005"
branch_labels = None
depends_on = None

TRIGGER = "mail_account_bulk_deeds"


def upgrade() -> None:
    op.create_table(
        "bulk_deed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("deed", sa.String(length=20), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("filter", sa.String(length=20), nullable=False),
        sa.Column("conversations", sa.Boolean(), nullable=False),
        sa.Column("newest_id", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.String(length=100), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_bulk_deed_account_id_mail_account"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["folder.id"], name=op.f("fk_bulk_deed_folder_id_folder"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_bulk_deed_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_deed")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bulk_deed_account", "bulk_deed", ["account_id", "state"])
    op.create_index("ix_bulk_deed_user", "bulk_deed", ["user_id", "state"])
    if op.get_bind().dialect.name == "sqlite":
        gone = "DELETE FROM bulk_deed WHERE account_id = OLD.id"
        op.execute(f"CREATE TRIGGER {TRIGGER} AFTER DELETE ON mail_account BEGIN {gone}; END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {TRIGGER}")
    op.drop_table("bulk_deed")
