"""Junk filters: what each has learned, and messages that were put into Junk or taken out of it"""

import sqlalchemy as sa
from alembic import op

revision = "mailsite_0011"
down_revision = "mailsite_0010"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FILTER, WORD, LESSON = "mailsite_junk_filter", "mailsite_junk_word", "mailsite_junk_lesson"
REFILED = "mailsite_refiled"


def upgrade() -> None:
    op.create_table(
        FILTER,
        _of_mailbox(),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("junk", sa.Integer(), nullable=False),
        _belongs(FILTER),
        sa.PrimaryKeyConstraint("mailbox_id", name=op.f(f"pk_{FILTER}")),
    )
    op.create_table(
        WORD,
        _of_mailbox(),
        sa.Column("word", sa.String(length=100), nullable=False),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("junk", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        _belongs(WORD),
        sa.PrimaryKeyConstraint("mailbox_id", "word", name=op.f(f"pk_{WORD}")),
        sqlite_with_rowid=False,
    )
    op.create_index(f"ix_{WORD}_aged", WORD, ["mailbox_id", "day"])
    op.create_table(
        LESSON,
        _of_mailbox(),
        sa.Column("email_id", sa.String(length=64), nullable=False),
        sa.Column("is_junk", sa.Boolean(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        _belongs(LESSON),
        sa.PrimaryKeyConstraint("mailbox_id", "email_id", name=op.f(f"pk_{LESSON}")),
    )
    op.create_index(f"ix_{LESSON}_aged", LESSON, ["mailbox_id", "day"])
    op.create_table(
        REFILED,
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("mailbox_id", ROW_ID, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("is_junk", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"],
            ["mailsite_mailbox.id"],
            name=op.f(f"fk_{REFILED}_mailbox_id_mailsite_mailbox"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{REFILED}")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f(f"ix_{REFILED}_mailbox_id"), REFILED, ["mailbox_id"])


def _of_mailbox() -> sa.Column[int]:
    return sa.Column("mailbox_id", sa.Integer(), nullable=False)


def _belongs(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["mailbox_id"],
        ["mailsite_hosted_mailbox.id"],
        name=op.f(f"fk_{table}_mailbox_id_mailsite_hosted_mailbox"),
        ondelete="CASCADE",
    )


def downgrade() -> None:
    for table in (REFILED, LESSON, WORD, FILTER):
        op.drop_table(table)
