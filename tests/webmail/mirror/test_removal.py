"""N5: a mail_account row deleted by hand, in the shells people use, leaves nothing behind; the sweep takes the rest."""

import os
import shutil
import sqlite3
import subprocess
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import inspect, select, text

from app import tables
from app.accounts.models import Identity, MailAccount
from app.actions import service as actions
from app.compose.models import Draft, DraftKind
from app.db import Base
from app.mirror import bodies
from app.mirror.models import BodyRequest, CachedSection, Folder, LabelEntry, Message
from app.mirror.sweep import sweep
from app.outbox.models import Outgoing
from app.sources import Role
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message

assert tables


def furnish(db, parts, clock, owner):
    """An account with a row in every table that hangs on it."""
    account = make_account(db, owner, vault=parts.vault)
    inbox = make_folder(db, account)
    make_folder(db, account, "Archive", Role.ARCHIVE)
    message = make_message(db, inbox)
    bodies.store_section(db, parts.vault, account, message.id, "1", [b"x" * 900_000], START)
    db.add(BodyRequest(account_id=account.id, message_id=message.id, sections="1", requested_at=START))
    identity = db.scalar(select(Identity).where(Identity.account_id == account.id))
    moments = {"created_at": START, "updated_at": START}
    db.add(
        Draft(
            user_id=owner.id,
            account_id=account.id,
            identity_id=identity.id,
            kind=DraftKind.REPLY,
            answers_message_id=message.id,
            **moments,
        )
    )
    db.add(
        Outgoing(
            user_id=owner.id, account_id=account.id, answers_message_id=message.id, mail_from="a@x.example",
            recipients=[], message_id="1@x", message=b"", created_at=START, not_before=START,
        )
    )  # fmt: skip
    db.commit()
    actions.archive(db, owner.id, [message.id], clock, parts.bus)
    view = make_folder(db, account, "Travel", label="Travel")
    listed = {name: getattr(message, name) for name in ("uid", "received_at", "seen", "flagged", "has_attachments")}
    db.add(LabelEntry(message_id=message.id, folder_id=view.id, conversation_id=message.conversation_id, **listed))
    db.commit()
    return account


def in_a_shell(parts, statement):
    """Run `statement` as an admin would: in the sqlite3 shell or psql."""
    url = parts.public.url
    if not parts.public.is_sqlite:
        psql = shutil.which("psql")
        if psql is None:
            pytest.skip("psql is not installed: deletion by hand on PostgreSQL was not tested")
        environment = {**os.environ, "PGPASSWORD": url.password or ""}
        host = url.query.get("host") or url.host or ""
        command = [psql, "-qX", "-v", "ON_ERROR_STOP=1", "-h", str(host), "-U", url.username or "postgres"]
        port = ["-p", str(url.port or url.query.get("port"))] if url.port or url.query.get("port") else []
        subprocess.run([*command, *port, "-d", url.database, "-c", statement], check=True, env=environment)
    elif shell := shutil.which("sqlite3"):
        subprocess.run([shell, url.database, statement], check=True)
    else:
        with sqlite3.connect(url.database) as connection:  # foreign keys are off, as in the shell
            connection.execute(statement)
        connection.close()


def counts(db):
    """Rows of each table that names an account, directly or through what hangs on one."""
    names = [table.name for table in Base.metadata.sorted_tables]
    return {name: db.scalar(text(f"SELECT count(*) FROM {name}")) for name in names if name != "user"}


def test_deleting_the_account_row_by_hand_leaves_nothing(parts, db, clock, alice, bob):
    account = furnish(db, parts, clock, alice)
    before_bob = counts(db)
    assert {name for name, count in before_bob.items() if count} >= {
        "mail_account", "identity", "folder", "message", "conversation_link", "cached_section", "body_chunk",
        "body_request", "action", "draft", "outbox", "label_entry",
    }  # fmt: skip
    bobs = furnish(db, parts, clock, bob)
    in_a_shell(parts, f"DELETE FROM mail_account WHERE id = {account.id}")
    db.expire_all()
    after = counts(db)
    assert after == {**before_bob, "draft": 2, "outbox": 2}
    assert db.scalars(select(MailAccount.id)).all() == [bobs.id]
    mine = db.scalars(select(Draft).where(Draft.user_id == alice.id)).one()
    assert (mine.account_id, mine.identity_id, mine.answers_message_id) == (None, None, None)
    sending = db.scalars(select(Outgoing).where(Outgoing.user_id == alice.id)).one()
    assert (sending.account_id, sending.answers_message_id) == (None, None)
    assert make_account(db, alice).id > bobs.id  # an id is never given twice


def test_every_table_of_an_account_has_its_trigger(parts, db, sqlite_config):
    """A table added later must be remembered: it names mail_account, so its rows must go with it."""
    dependants = {
        table.name
        for table in Base.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table.name == "mail_account"
    }
    if not parts.public.is_sqlite:
        return
    triggers = db.scalars(text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'mail_account'"))
    removed = " ".join(triggers)  # an extension has its own
    assert {name for name in dependants if f" {name} " not in removed} == set()


@pytest.mark.parametrize(
    ("statement", "kept"),
    [("DELETE FROM folder WHERE name = 'INBOX'", {"folder": 2}), ("DELETE FROM message", {"folder": 3})],
)
def test_the_sweep_removes_what_a_deleted_folder_or_message_leaves(parts, db, clock, alice, statement, kept):
    account = furnish(db, parts, clock, alice)
    inbox = db.scalar(select(Folder).where(Folder.name == "INBOX"))
    message = make_message(db, inbox)
    bodies.store_section(db, parts.vault, account, message.id, "1", [b"x"], START)
    in_a_shell(parts, statement)
    sweep(db, START, body_cache_mib=1)
    db.expire_all()
    after = counts(db)
    assert after["folder"] == kept["folder"]
    here = select(Message.id)
    assert db.scalars(select(CachedSection.id).where(CachedSection.message_id.not_in(here))).all() == []
    orphans = "SELECT count(*) FROM body_chunk WHERE section_id NOT IN (SELECT id FROM cached_section)"
    assert db.scalar(text(orphans)) == 0
    assert db.scalar(text("SELECT count(*) FROM message WHERE folder_id NOT IN (SELECT id FROM folder)")) == 0
    assert db.scalar(text("SELECT count(*) FROM label_entry WHERE message_id NOT IN (SELECT id FROM message)")) == 0
    assert (after["mail_account"], after["draft"], after["outbox"]) == (1, 1, 1)


def test_a_sweep_with_nothing_to_do_writes_nothing(parts, db, clock, alice):
    furnish(db, parts, clock, alice)
    with parts.public.session() as other:
        other.execute(text("UPDATE folder SET total = total"))  # holds the write lock
        sweep(db, START, body_cache_mib=512)
        other.rollback()


def test_old_actions_are_forgotten_but_waiting_ones_never(parts, db, clock, alice):
    furnish(db, parts, clock, alice)
    sweep(db, START + timedelta(days=30), body_cache_mib=512)
    assert counts(db)["action"] == 1
    db.execute(text("UPDATE action SET state = 'done'"))
    db.commit()
    sweep(db, START + timedelta(days=30), body_cache_mib=512)
    assert counts(db)["action"] == 0


def test_deleting_in_the_application_is_as_thorough(parts, db, clock, alice):
    account = furnish(db, parts, clock, alice)
    db.execute(sa.delete(MailAccount).where(MailAccount.id == account.id))
    db.commit()
    left = {name for name, count in counts(db).items() if count}
    assert left <= {"draft", "outbox", "mail_services"}
    assert inspect(parts.public.engine).has_table("message")
