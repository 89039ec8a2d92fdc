"""The first tables of the public database"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "app_0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "account_registration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("policy", sa.String(length=20), nullable=False),
        sa.Column("transport", sa.String(length=20), nullable=False),
        sa.Column("from_address", sa.String(length=254), nullable=False),
        sa.Column("smtp_host", sa.String(length=253), nullable=False),
        sa.Column("smtp_port", sa.Integer(), nullable=False),
        sa.Column("smtp_tls", sa.String(length=20), nullable=False),
        sa.Column("smtp_username", sa.String(length=254), nullable=False),
        sa.Column("sealed_smtp_password", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_registration")),
    )
    op.create_table(
        "engine",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("machine", sa.String(length=253), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "login_failure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failure")),
    )
    with op.batch_alter_table("login_failure", schema=None) as batch_op:
        batch_op.create_index("ix_login_failure_failed_at", ["failed_at"], unique=False)
        batch_op.create_index("ix_login_failure_key_failed_at", ["key", "failed_at"], unique=False)

    op.create_table(
        "mail_services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("private_hosts", sa.Text(), nullable=False),
        sa.Column("cleartext_hosts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_services")),
    )
    op.create_table(
        "oauth_client",
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("client_id", sa.String(length=300), nullable=False),
        sa.Column("sealed_client_secret", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_oauth_client")),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("sealed_totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_last_step", sa.Integer(), nullable=False),
        sa.Column("theme", sa.String(length=10), nullable=False),
        sa.Column("density", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("layout", sa.String(length=10), nullable=False),
        sa.Column("conversations", sa.Boolean(), nullable=False),
        sa.Column("single_keys", sa.Boolean(), nullable=False),
        sa.Column("undo_s", sa.Integer(), nullable=False),
        sa.Column("mark_read_after_s", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("email", name=op.f("uq_user_email")),
        sa.UniqueConstraint("uuid", name=op.f("uq_user_uuid")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mail_account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("color", sa.String(length=10), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("imap_host", sa.String(length=253), nullable=False),
        sa.Column("imap_port", sa.Integer(), nullable=False),
        sa.Column("imap_tls", sa.String(length=20), nullable=False),
        sa.Column("imap_username", sa.String(length=254), nullable=False),
        sa.Column("smtp_host", sa.String(length=253), nullable=False),
        sa.Column("smtp_port", sa.Integer(), nullable=False),
        sa.Column("smtp_tls", sa.String(length=20), nullable=False),
        sa.Column("smtp_username", sa.String(length=254), nullable=False),
        sa.Column("auth", sa.String(length=20), nullable=False),
        sa.Column("sealed_imap_password", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_smtp_password", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_oauth_tokens", sa.LargeBinary(), nullable=True),
        sa.Column("oauth_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("oauth_refreshing_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed_data_key", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("error", sa.String(length=60), nullable=False),
        sa.Column("error_detail", sa.Text(), nullable=False),
        sa.Column("error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sync_total", sa.Integer(), nullable=False),
        sa.Column("sync_done", sa.Integer(), nullable=False),
        sa.Column("files_sent_itself", sa.Boolean(), nullable=False),
        sa.Column("is_gmail", sa.Boolean(), nullable=False),
        sa.Column("engine_id", sa.Integer(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["engine_id"], ["engine.id"], name=op.f("fk_mail_account_engine_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name=op.f("fk_mail_account_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_account")),
        sa.UniqueConstraint("uuid", name=op.f("uq_mail_account_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("mail_account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mail_account_engine_id"), ["engine_id"], unique=False)
        batch_op.create_index("ix_mail_account_owner", ["owner_id", "position"], unique=False)

    op.create_table(
        "one_time_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_one_time_link_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_one_time_link_token_hash")),
    )
    with op.batch_alter_table("one_time_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_one_time_link_user_id"), ["user_id"], unique=False)

    op.create_table(
        "trusted_image_sender",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("sender", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_trusted_image_sender_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "sender", name=op.f("pk_trusted_image_sender")),
    )
    op.create_table(
        "user_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("stay", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_session_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_user_session_token_hash")),
    )
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_session_user_id"), ["user_id"], unique=False)

    op.create_table(
        "conversation_link",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("id_hash", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_conversation_link_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "id_hash", name=op.f("pk_conversation_link")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("conversation_link", schema=None) as batch_op:
        batch_op.create_index("ix_conversation_link_conversation", ["account_id", "conversation_id"], unique=False)

    op.create_table(
        "folder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("delimiter", sa.String(length=1), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=True),
        sa.Column("selectable", sa.Boolean(), nullable=False),
        sa.Column("subscribed", sa.Boolean(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=True),
        sa.Column("uidnext", sa.BigInteger(), nullable=False),
        sa.Column("highestmodseq", sa.BigInteger(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_folder_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folder")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_folder_account_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("reply_to", sa.String(length=254), nullable=False),
        sa.Column("signature_html", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_identity_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
    )
    with op.batch_alter_table("identity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identity_account_id"), ["account_id"], unique=False)

    op.create_table(
        "action",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("deed", sa.String(length=20), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=True),
        sa.Column("uids", sa.JSON(), nullable=False),
        sa.Column("message_ids", sa.JSON(), nullable=False),
        sa.Column("add", sa.JSON(), nullable=False),
        sa.Column("remove", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("noticed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_action_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_action_folder_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["target_id"], ["folder.id"], name=op.f("fk_action_target_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_action_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.create_index("ix_action_pending", ["account_id", "state", "not_before"], unique=False)
        batch_op.create_index("ix_action_user", ["user_id", "state"], unique=False)

    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("modseq", sa.BigInteger(), nullable=True),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("forwarded", sa.Boolean(), nullable=False),
        sa.Column("draft", sa.Boolean(), nullable=False),
        sa.Column("keywords", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size_octets", sa.BigInteger(), nullable=False),
        sa.Column("from_name", sa.Text(), nullable=False),
        sa.Column("from_address", sa.Text(), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.Column("has_attachments", sa.Boolean(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("message_id_hash", sa.BigInteger(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("bodystructure", sa.LargeBinary(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.Column("gmail_msgid", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_message_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"], name=op.f("fk_message_folder_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("folder_id", "uid", name=op.f("uq_message_folder_id_uid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index("ix_message_conversation", ["account_id", "conversation_id"], unique=False)
        batch_op.create_index("ix_message_list", ["folder_id", "received_at", "uid"], unique=False)
        batch_op.create_index(
            "ix_message_list_attachments",
            ["folder_id", "received_at", "uid"],
            unique=False,
            sqlite_where=sa.text("has_attachments"),
            postgresql_where=sa.text("has_attachments"),
        )
        batch_op.create_index(
            "ix_message_list_conversations",
            ["folder_id", "received_at", "uid"],
            unique=False,
            sqlite_where=sa.text("leads"),
            postgresql_where=sa.text("leads"),
        )
        batch_op.create_index(
            "ix_message_list_flagged",
            ["folder_id", "received_at", "uid"],
            unique=False,
            sqlite_where=sa.text("flagged"),
            postgresql_where=sa.text("flagged"),
        )
        batch_op.create_index(
            "ix_message_list_unread",
            ["folder_id", "received_at", "uid"],
            unique=False,
            sqlite_where=sa.text("NOT seen"),
            postgresql_where=sa.text("NOT seen"),
        )
        batch_op.create_index("ix_message_message_id", ["account_id", "message_id_hash"], unique=False)

    op.create_table(
        "body_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("sections", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("error", sa.String(length=60), nullable=False),
        sa.Column("error_detail", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_body_request_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_body_request_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_body_request")),
    )
    with op.batch_alter_table("body_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_body_request_message_id"), ["message_id"], unique=False)
        batch_op.create_index("ix_body_request_wanted", ["account_id", "state"], unique=False)

    op.create_table(
        "cached_section",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("section", sa.String(length=80), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_cached_section_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_cached_section_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cached_section")),
        sa.UniqueConstraint("message_id", "section", name=op.f("uq_cached_section_message_id_section")),
    )
    with op.batch_alter_table("cached_section", schema=None) as batch_op:
        batch_op.create_index("ix_cached_section_lru", ["account_id", "used_at", "octets"], unique=False)

    op.create_table(
        "draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("identity_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("answers_message_id", sa.Integer(), nullable=True),
        sa.Column("in_reply_to", sa.Text(), nullable=False),
        sa.Column("references", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("cc", sa.Text(), nullable=False),
        sa.Column("bcc", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handed_over", sa.Boolean(), nullable=False),
        sa.Column("file_after", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_draft_account_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["answers_message_id"], ["message.id"], name=op.f("fk_draft_answers_message_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identity.id"], name=op.f("fk_draft_identity_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_draft_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
        sa.UniqueConstraint("uuid", name=op.f("uq_draft_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("draft", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_draft_answers_message_id"), ["answers_message_id"], unique=False)
        batch_op.create_index("ix_draft_file_after", ["account_id", "file_after"], unique=False)
        batch_op.create_index("ix_draft_user", ["user_id", "updated_at"], unique=False)

    op.create_table(
        "label_entry",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("flagged", sa.Boolean(), nullable=False),
        sa.Column("has_attachments", sa.Boolean(), nullable=False),
        sa.Column("leads", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["folder.id"], name=op.f("fk_label_entry_folder_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_label_entry_message_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_id", "folder_id", name=op.f("pk_label_entry")),
    )
    with op.batch_alter_table("label_entry", schema=None) as batch_op:
        batch_op.create_index("ix_label_entry_conversation", ["conversation_id", "folder_id"], unique=False)
        batch_op.create_index("ix_label_entry_list", ["folder_id", "received_at", "uid"], unique=False)
        batch_op.create_index(
            "ix_label_entry_list_attachments",
            ["folder_id", "received_at", "uid"],
            unique=False,
            sqlite_where=sa.text("has_attachments"),
            postgresql_where=sa.text("has_attachments"),
        )
        batch_op.create_index(
            "ix_label_entry_list_conversations",
            ["folder_id", "received_at", "uid"],
            unique=False,
            sqlite_where=sa.text("leads"),
            postgresql_where=sa.text("leads"),
        )
        batch_op.create_index(
            "ix_label_entry_list_flagged",
            ["folder_id", "received_at", "uid"],
            unique=False,
            sqlite_where=sa.text("flagged"),
            postgresql_where=sa.text("flagged"),
        )
        batch_op.create_index(
            "ix_label_entry_list_unread",
            ["folder_id", "received_at", "uid"],
            unique=False,
            sqlite_where=sa.text("NOT seen"),
            postgresql_where=sa.text("NOT seen"),
        )

    op.create_table(
        "body_chunk",
        sa.Column("section_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["section_id"], ["cached_section.id"], name=op.f("fk_body_chunk_section_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("section_id", "number", name=op.f("pk_body_chunk")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "draft_attachment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("draft_id", sa.Integer(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=255), nullable=False),
        sa.Column("octets", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.String(length=200), nullable=False),
        sa.Column("origin", sa.String(length=120), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["draft.id"], name=op.f("fk_draft_attachment_draft_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_attachment")),
        sa.UniqueConstraint("uuid", name=op.f("uq_draft_attachment_uuid")),
    )
    with op.batch_alter_table("draft_attachment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_draft_attachment_draft_id"), ["draft_id"], unique=False)

    op.create_table(
        "filed_draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("draft_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=True),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_filed_draft_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_filed_draft_draft_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["folder_id"], ["folder.id"], name=op.f("fk_filed_draft_folder_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_filed_draft")),
    )
    with op.batch_alter_table("filed_draft", schema=None) as batch_op:
        batch_op.create_index("ix_filed_draft_account", ["account_id", "message_id"], unique=False)
        batch_op.create_index("ix_filed_draft_draft", ["draft_id"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("draft_id", sa.Integer(), nullable=True),
        sa.Column("answers_message_id", sa.Integer(), nullable=True),
        sa.Column("answer_flag", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("mail_from", sa.String(length=254), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("bcc", sa.Text(), nullable=False),
        sa.Column("needs_smtputf8", sa.Boolean(), nullable=False),
        sa.Column("is_remainder", sa.Boolean(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["mail_account.id"], name=op.f("fk_outbox_account_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["answers_message_id"], ["message.id"], name=op.f("fk_outbox_answers_message_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_outbox_draft_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_outbox_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("uuid", name=op.f("uq_outbox_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_answers_message_id"), ["answers_message_id"], unique=False)
        batch_op.create_index("ix_outbox_due", ["state", "not_before"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_user_id"), ["user_id"], unique=False)

    op.create_table(
        "attachment_chunk",
        sa.Column("attachment_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["draft_attachment.id"],
            name=op.f("fk_attachment_chunk_attachment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attachment_id", "number", name=op.f("pk_attachment_chunk")),
    )


def downgrade() -> None:
    op.drop_table("attachment_chunk")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_user_id"))
        batch_op.drop_index("ix_outbox_due")
        batch_op.drop_index(batch_op.f("ix_outbox_answers_message_id"))
        batch_op.drop_index(batch_op.f("ix_outbox_account_id"))

    op.drop_table("outbox")
    with op.batch_alter_table("filed_draft", schema=None) as batch_op:
        batch_op.drop_index("ix_filed_draft_draft")
        batch_op.drop_index("ix_filed_draft_account")

    op.drop_table("filed_draft")
    with op.batch_alter_table("draft_attachment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_draft_attachment_draft_id"))

    op.drop_table("draft_attachment")
    op.drop_table("body_chunk")
    with op.batch_alter_table("label_entry", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_label_entry_list_unread", sqlite_where=sa.text("NOT seen"), postgresql_where=sa.text("NOT seen")
        )
        batch_op.drop_index(
            "ix_label_entry_list_flagged", sqlite_where=sa.text("flagged"), postgresql_where=sa.text("flagged")
        )
        batch_op.drop_index(
            "ix_label_entry_list_conversations", sqlite_where=sa.text("leads"), postgresql_where=sa.text("leads")
        )
        batch_op.drop_index(
            "ix_label_entry_list_attachments",
            sqlite_where=sa.text("has_attachments"),
            postgresql_where=sa.text("has_attachments"),
        )
        batch_op.drop_index("ix_label_entry_list")
        batch_op.drop_index("ix_label_entry_conversation")

    op.drop_table("label_entry")
    with op.batch_alter_table("draft", schema=None) as batch_op:
        batch_op.drop_index("ix_draft_user")
        batch_op.drop_index("ix_draft_file_after")
        batch_op.drop_index(batch_op.f("ix_draft_answers_message_id"))

    op.drop_table("draft")
    with op.batch_alter_table("cached_section", schema=None) as batch_op:
        batch_op.drop_index("ix_cached_section_lru")

    op.drop_table("cached_section")
    with op.batch_alter_table("body_request", schema=None) as batch_op:
        batch_op.drop_index("ix_body_request_wanted")
        batch_op.drop_index(batch_op.f("ix_body_request_message_id"))

    op.drop_table("body_request")
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index("ix_message_message_id")
        batch_op.drop_index(
            "ix_message_list_unread", sqlite_where=sa.text("NOT seen"), postgresql_where=sa.text("NOT seen")
        )
        batch_op.drop_index(
            "ix_message_list_flagged", sqlite_where=sa.text("flagged"), postgresql_where=sa.text("flagged")
        )
        batch_op.drop_index(
            "ix_message_list_conversations", sqlite_where=sa.text("leads"), postgresql_where=sa.text("leads")
        )
        batch_op.drop_index(
            "ix_message_list_attachments",
            sqlite_where=sa.text("has_attachments"),
            postgresql_where=sa.text("has_attachments"),
        )
        batch_op.drop_index("ix_message_list")
        batch_op.drop_index("ix_message_conversation")

    op.drop_table("message")
    with op.batch_alter_table("action", schema=None) as batch_op:
        batch_op.drop_index("ix_action_user")
        batch_op.drop_index("ix_action_pending")

    op.drop_table("action")
    with op.batch_alter_table("identity", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_identity_account_id"))

    op.drop_table("identity")
    op.drop_table("folder")
    with op.batch_alter_table("conversation_link", schema=None) as batch_op:
        batch_op.drop_index("ix_conversation_link_conversation")

    op.drop_table("conversation_link")
    with op.batch_alter_table("user_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_session_user_id"))

    op.drop_table("user_session")
    op.drop_table("trusted_image_sender")
    with op.batch_alter_table("one_time_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_one_time_link_user_id"))

    op.drop_table("one_time_link")
    with op.batch_alter_table("mail_account", schema=None) as batch_op:
        batch_op.drop_index("ix_mail_account_owner")
        batch_op.drop_index(batch_op.f("ix_mail_account_engine_id"))

    op.drop_table("mail_account")
    op.drop_table("user")
    op.drop_table("oauth_client")
    op.drop_table("mail_services")
    with op.batch_alter_table("login_failure", schema=None) as batch_op:
        batch_op.drop_index("ix_login_failure_key_failed_at")
        batch_op.drop_index("ix_login_failure_failed_at")

    op.drop_table("login_failure")
    op.drop_table("engine")
    op.drop_table("account_registration")
