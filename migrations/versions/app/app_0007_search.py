"""Searches asked of servers, and those people keep"""

import sqlalchemy as sa
from alembic import op

revision = "app_0007"
down_revision = "app_0006"
branch_labels = None
depends_on = None

TRIGGER = "mail_account_searches"


def upgrade() -> None:
    op.create_table(
        "server_search",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("scope", sa.String(length=30), nullable=False),
        sa.Column("folder_ids", sa.JSON(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("not_here", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["mail_account.id"],
            name=op.f("fk_server_search_account_id_mail_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_server_search_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_search")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_server_search_user", "server_search", ["user_id", "asked_at"])
    op.create_index("ix_server_search_account", "server_search", ["account_id", "state"])
    op.create_table(
        "saved_search",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_saved_search_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_search_user_id_name")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        gone = "DELETE FROM server_search WHERE account_id = OLD.id"
        op.execute(f"CREATE TRIGGER {TRIGGER} AFTER DELETE ON mail_account BEGIN {gone}; END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {TRIGGER}")
    op.drop_table("saved_search")
    op.drop_table("server_search")
