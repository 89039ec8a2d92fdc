"""Reports about mail: received ones, and what is counted for ours"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0009"
down_revision = "mailsite_0008"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REPORT = "mailsite_received_report"
UNIQUE = f"uq_{REPORT}_kind_domain_author_report_id"


def of_report(table: str) -> list[sa.schema.SchemaItem]:
    name = op.f(f"fk_{table}_report_id_{REPORT}")
    return [
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], [f"{REPORT}.id"], name=name, ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("report_id", "number", name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    op.add_column("mailsite_settings", sa.Column("send_reports", sa.Boolean(), server_default="1", nullable=False))
    op.create_table(
        "mailsite_report_mail",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("peer", sa.String(length=45), nullable=False),
        sa.Column("hello", sa.String(length=255), nullable=False),
        sa.Column("sender", sa.String(length=320), nullable=False),
        sa.Column("size_octets", sa.Integer(), nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fault", sa.String(length=20), nullable=True),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_report_mail")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mailsite_report_mail_waiting", "mailsite_report_mail", ["fault", "next_at"])
    op.create_table(
        REPORT,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("reporter", sa.String(length=255), nullable=False),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("report_id", sa.String(length=255), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("policy", sa.String(length=20), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{REPORT}")),
        sa.UniqueConstraint("kind", "domain", "author", "report_id", name=op.f(UNIQUE)),
    )
    op.create_index("ix_mailsite_received_report_day", REPORT, ["domain", "kind", "day"])
    op.create_table(
        "mailsite_reported_source",
        *of_report("mailsite_reported_source"),
        sa.Column("source_ip", sa.String(length=45), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("disposition", sa.String(length=20), nullable=False),
        sa.Column("dkim", sa.Boolean(), nullable=False),
        sa.Column("spf", sa.Boolean(), nullable=False),
        sa.Column("vouched_by", sa.String(length=255), nullable=False),
    )
    op.create_table(
        "mailsite_reported_sessions",
        *of_report("mailsite_reported_sessions"),
        sa.Column("policy_type", sa.String(length=40), nullable=False),
        sa.Column("failure", sa.String(length=80), nullable=False),
        sa.Column("mx_host", sa.String(length=255), nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "mailsite_report_turn",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailsite_report_turn")),
    )
    op.create_table(
        "mailsite_report_tally",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "day", "domain", "digest", name=op.f("pk_mailsite_report_tally")),
    )


def downgrade() -> None:
    for table in ("report_tally", "report_turn", "reported_sessions", "reported_source", "received_report"):
        op.drop_table(f"mailsite_{table}")
    op.drop_table("mailsite_report_mail")
    op.drop_column("mailsite_settings", "send_reports")
