"""INSERTs of many rows: the same rows as SQLAlchemy would have written, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from app.mirror import many
from app.mirror.counters import padded
from app.mirror.many import insert_many
from app.mirror.models import ConversationLink, Folder, Message
from app.mirror.rows import INSERT
from app.mirror.service import add_messages
from tests.factories import make_account, make_folder, remote_message

AT = datetime(2026, 11, 24, 9, 30, 15, 250_000, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
def inbox(db, alice) -> Folder:
    return make_folder(db, make_account(db, alice))


def row(inbox: Folder, uid: int, **more: object) -> dict[str, object]:
    words = ("labels", "keywords", "from_name", "from_address", "recipients", "message_id")
    return {
        "account_id": inbox.account_id, "folder_id": inbox.id, "uid": uid, "modseq": None, "seen": uid % 2 == 0,
        "flagged": False, "answered": False, "forwarded": False, "draft": False, **dict.fromkeys(words, ""),
        "received_at": AT, "sent_at": None, "size_octets": 5, "subject": "?, (?) \u00fc 100%s %(x)s", "preview": None,
        "has_attachments": False, "message_id_hash": uid, "header": b"\0\xff?", "bodystructure": b"",
        "conversation_id": uid, "gmail_msgid": None, "leads": True, **more,
    }  # fmt: skip


def test_values_come_back_as_they_were(db, inbox):
    insert_many(db, INSERT, [row(inbox, 1), row(inbox, 2, sent_at=AT)])
    db.commit()
    first, second = db.scalars(select(Message).order_by(Message.uid)).all()
    assert (first.subject, first.header, first.seen, second.seen) == (
        "?, (?) \u00fc 100%s %(x)s",
        b"\0\xff?",
        False,
        True,
    )
    assert (first.received_at, first.sent_at, second.sent_at) == (AT, None, AT)
    assert second.sent_at is not None
    assert second.sent_at.tzinfo is UTC


def test_rows_that_fit_no_single_statement_come_in_several(db, inbox, monkeypatch):
    monkeypatch.setattr(many, "MAX_PARAMETERS", 60)
    insert_many(db, INSERT, [row(inbox, uid) for uid in range(1, 8)])
    insert_many(db, INSERT, [])
    db.commit()
    assert db.scalars(select(Message.uid).order_by(Message.uid)).all() == list(range(1, 8))


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 60, 64, 500, 1_000])
def test_any_number_of_rows_makes_few_statements(number):
    pieces = [list(piece) for piece in many._powers_of_two(range(number), 200)]
    assert [row for piece in pieces for row in piece] == list(range(number))
    assert {len(piece) for piece in pieces} <= {1, 2, 4, 8, 16, 32, 64, 128}
    assert len(padded(list(range(number)))) in {0, 1, 2, 4, 8, 64, 512, 1_024}
    assert set(padded(list(range(number)))) == set(range(number))


def test_links_of_conversations_that_meet_are_changed(db, inbox):
    """The third message names both others: what was stored of one conversation is stored anew."""
    for uid, references in ((1, ""), (2, ""), (3, "References: <1@x> <2@x>\r\n")):
        header = f"Message-ID: <{uid}@x>\r\n{references}\r\n".encode()
        add_messages(db, inbox.id, [remote_message(uid, header=header)])
    assert db.scalar(select(sa.func.count(sa.distinct(ConversationLink.conversation_id)))) == 1
    assert db.scalar(select(sa.func.count()).select_from(ConversationLink)) == 3
