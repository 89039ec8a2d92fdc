"""People met in mail"""

import sqlalchemy as sa
from alembic import op

revision = "app_0009"
down_revision = "app_0008"
branch_labels = None
depends_on = None

BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _owner(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f(f"fk_{table}_user_id_user"), ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        _owner("person"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_person_user_id_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "person_word",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("word", BYTEWISE, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        _owner("person_word"),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
            name=op.f("fk_person_word_person_id_person"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("person_id", "word", name=op.f("pk_person_word")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_person_word_found", "person_word", ["user_id", "word", "weight", "person_id"])
    op.create_table(
        "people_read",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["mail_account.id"],
            name=op.f("fk_people_read_account_id_mail_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_people_read")),
    )
    if op.get_bind().dialect.name == "sqlite":
        _add_triggers()


def _add_triggers() -> None:
    """What the sqlite3 shell deletes takes its dependants along: foreign keys are off there."""
    gone = "DELETE FROM person_word WHERE user_id = OLD.id; DELETE FROM person WHERE user_id = OLD.id;"
    op.execute(f'CREATE TRIGGER user_people AFTER DELETE ON "user" BEGIN {gone} END')
    gone = "DELETE FROM people_read WHERE account_id = OLD.id"
    op.execute(f"CREATE TRIGGER mail_account_people AFTER DELETE ON mail_account BEGIN {gone}; END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER user_people")
        op.execute("DROP TRIGGER mail_account_people")
    for table in ("people_read", "person_word", "person"):
        op.drop_table(table)
