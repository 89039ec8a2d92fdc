"""Dependants go with their account in any SQLite client

The sqlite3 shell runs with PRAGMA foreign_keys off, so ON DELETE CASCADE does nothing there; triggers always fire (N5).
PostgreSQL needs none of this: its cascades hold for every client.
"""

from alembic import op

revision = "app_0002"
down_revision = "app_0001"
branch_labels = None
depends_on = None

TRIGGERS = {
    "mail_account": (
        "UPDATE outbox SET account_id = NULL, answers_message_id = NULL WHERE account_id = OLD.id",
        "UPDATE draft SET account_id = NULL, identity_id = NULL, answers_message_id = NULL WHERE account_id = OLD.id",
        "DELETE FROM filed_draft WHERE account_id = OLD.id",
        "DELETE FROM identity WHERE account_id = OLD.id",
        "DELETE FROM action WHERE account_id = OLD.id",
        "DELETE FROM body_request WHERE account_id = OLD.id",
        "DELETE FROM cached_section WHERE account_id = OLD.id",
        "DELETE FROM conversation_link WHERE account_id = OLD.id",
        "DELETE FROM message WHERE account_id = OLD.id",
        "DELETE FROM folder WHERE account_id = OLD.id",
    ),
    "message": ("DELETE FROM label_entry WHERE message_id = OLD.id",),
    "cached_section": ("DELETE FROM body_chunk WHERE section_id = OLD.id",),
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, statements in TRIGGERS.items():
        body = "; ".join(statements)
        op.execute(f"CREATE TRIGGER {table}_dependants AFTER DELETE ON {table} BEGIN {body}; END")


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in TRIGGERS:
        op.execute(f"DROP TRIGGER {table}_dependants")
