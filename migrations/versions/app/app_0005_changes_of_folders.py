"""Changes of folders, until their server knows"""

import sqlalchemy as sa
from alembic import op

revision = "app_0005"
down_revision = "app_0004"
branch_labels = None
depends_on = None

TRIGGER = "mail_account_folder_changes"


def upgrade() -> None:
    op.create_table(
        "folder_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("deed", sa.String(length=20), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("new_name", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["mail_account.id"],
            name=op.f("fk_folder_change_account_id_mail_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folder_change")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_folder_change_account_id"), "folder_change", ["account_id"])
    if op.get_bind().dialect.name == "sqlite":
        gone = "DELETE FROM folder_change WHERE account_id = OLD.id"
        op.execute(f"CREATE TRIGGER {TRIGGER} AFTER DELETE ON mail_account BEGIN {gone}; END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {TRIGGER}")
    op.drop_table("folder_change")
