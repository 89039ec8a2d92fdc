"""Machines, and what runs on them"""

import sqlalchemy as sa
from alembic import op

revision = "app_0003"
down_revision = "app_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "machine",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("work_uuid", sa.String(length=36), nullable=False),
        sa.Column("work_directory", sa.String(length=4096), nullable=False),
        sa.Column("agent", sa.String(length=36), nullable=False),
        sa.Column("boot", sa.String(length=36), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("addresses", sa.String(length=500), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine")),
        sa.UniqueConstraint("uuid", name=op.f("uq_machine_uuid")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mail_home",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("work_uuid", sa.String(length=36), nullable=False),
        sa.Column("machine_name", sa.String(length=253), nullable=False),
        sa.Column("work_directory", sa.String(length=4096), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_home")),
    )
    op.create_table(
        "machine_service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("desired", sa.String(length=20), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pids", sa.String(length=200), nullable=False),
        sa.Column("addresses", sa.String(length=2000), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=True),
        sa.Column("error", sa.String(length=1000), nullable=False),
        sa.Column("exit_status", sa.Integer(), nullable=True),
        sa.Column("error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_machine_service_machine_id_machine"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine_service")),
        sa.UniqueConstraint("machine_id", "kind", name=op.f("uq_machine_service_machine_id_kind")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("machine_service")
    op.drop_table("mail_home")
    op.drop_table("machine")
