"""A Gmail account's first sync and an archived message, as the server hears it (X-GM-EXT-1)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy.orm import Session

from app.actions import service as actions
from app.engine import deeds, leases, sync
from app.engine.desk import Desk
from app.mirror import queries
from app.runtime import Runtime
from app.sources import Role
from app.users.models import User
from tests.factories import make_account
from tests.webmail.imap.conftest import play
from tests.webmail.imap.plays import HEADER, Play
from tests.webmail.imap.test_source import GMAIL, GMAIL_ITEMS, GMAIL_LIST
from tests.webmail.mirror.test_labels import assert_views_are_right

__all__ = ["play"]


def fetched(uid: int, labels: str, subject: str) -> str:
    header = f"Subject: {subject}"
    return f"""
        S: * {uid} FETCH (X-GM-THRID 12 X-GM-MSGID 3{uid} X-GM-LABELS ({labels}) UID {uid} RFC822.SIZE 90 MODSEQ (80) FLAGS () INTERNALDATE "{uid:02}-Nov-2026 08:00:00 +0000" BODY[{HEADER}] {{{len(header) + 4}}}
        S: {header}
        S:
        S: BODYSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 2 1 NIL NIL NIL))
    """  # noqa: E501


INBOX = r'"\\Inbox"'  # a quoted string, as Gmail sends it
SELECTED = """
    S: * 4 EXISTS
    S: * OK [UIDVALIDITY 7] ok
    S: * OK [UIDNEXT 11] ok
    S: * OK [HIGHESTMODSEQ 90] ok
"""
DIALOG = f"""
    {GMAIL_LIST}
    C: SELECT "[Gmail]/All Mail" (CONDSTORE)
    C: UID SEARCH RETURN (ALL) ALL
    C: UID SEARCH RETURN (COUNT) UNSEEN
    {SELECTED}
    S: {{tag-2}} OK [READ-WRITE] selected
    S: * ESEARCH (TAG "{{tag-1}}") UID ALL 3:4,8:9
    S: {{tag-1}} OK Success
    S: * ESEARCH (TAG "{{tag}}") UID COUNT 4
    S: {{tag}} OK Success
    C: UID FETCH 8:9 {GMAIL_ITEMS}
    {fetched(8, "Reisen/&ANY-sterreich", "Eight")}
    {fetched(9, "", "Nine")}
    S: {{tag}} OK Success
    C: UID SEARCH X-GM-LABELS \\Inbox
    S: * SEARCH 3 4
    S: {{tag}} OK Success
    C: UID FETCH 3:4 {GMAIL_ITEMS}
    {fetched(3, INBOX, "Three")}
    {fetched(4, INBOX + " Reisen/&ANY-sterreich", "Four")}
    S: {{tag}} OK Success
    C: UID STORE 4 -X-GM-LABELS.SILENT (\\Inbox)
    S: {{tag}} OK Success
"""


def test_first_sync_and_archiving(
    parts: Runtime, db: Session, alice: User, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.imap.changes.NEW_AT_ONCE", 2)
    desk = _desk(parts, db, alice)
    source, server = play(GMAIL, DIALOG.replace("\n    ", "\n"))

    all_mail = sync.get_watched(desk, source)
    assert (all_mail.name, all_mail.role) == ("[Gmail]/All Mail", Role.ALL)
    delta = sync.sync_folder(desk, source, all_mail, None)
    assert list(delta.unfetched) == [4, 3]
    sync.fetch_inbox(desk, source, all_mail, delta.state.uidvalidity)

    assert _subjects(db, desk, "INBOX") == ["Four", "Three"]
    assert _subjects(db, desk, "Reisen/Österreich") == ["Eight", "Four"]
    assert _subjects(db, desk, "[Gmail]/All Mail") == ["Nine", "Eight", "Four", "Three"]
    assert_views_are_right(db)

    (four,) = [row for row in queries.list_messages(db, _folder_id(db, desk, "INBOX")) if row.subject == "Four"]
    actions.archive(db, alice.id, [four.id], parts.clock, parts.bus)
    assert _subjects(db, desk, "INBOX") == ["Three"]
    touched, _next_at = deeds.do_actions(desk, source)
    assert [folder.name for folder in touched] == ["[Gmail]/All Mail"]
    assert server.heard[-1] == "UID STORE 4 -X-GM-LABELS.SILENT (\\Inbox)"
    assert_views_are_right(db)


def _desk(parts: Runtime, db: Session, owner: User) -> Desk:
    account = make_account(db, owner, is_gmail=True)
    engine_id = leases.register(db, parts.clock.now())
    leases.claim(db, engine_id, ["imap"], 1)
    return Desk(parts, leases.held(db, engine_id, ["imap"])[account.id])


def _folder_id(db: Session, desk: Desk, name: str) -> int:
    (found,) = [folder.id for folder in sync.known_folders(db, desk.account_id) if folder.name == name]
    return found


def _subjects(db: Session, desk: Desk, folder: str) -> Sequence[str]:
    db.expire_all()
    return [row.subject for row in queries.list_messages(db, _folder_id(db, desk, folder))]
