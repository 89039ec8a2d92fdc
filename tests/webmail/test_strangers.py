"""What is a stranger's stays so by every other way: in queries, among one's own, in lists, signatures and bells."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import select

from app.bus import Bell, Topic
from app.compose.models import Draft, DraftAttachment
from app.messages import signing
from app.mirror import bodies
from app.mirror.models import Message
from app.outbox.models import Outgoing
from app.web.events import Owners, is_for
from tests.webmail.possessions import NOBODYS, SECRET, everything, make_draft, sqlite_only


def test_a_query_with_an_id_no_row_can_have_is_as_good_as_none(alices):
    for number in (2**31, 2**63, 10**40, "٣", "-1", "1e3"):
        assert alices.browser.get(f"/mail/tree?folder={number}").status_code == 200
        assert alices.browser.get(f"/mail/oauth/google/start?account={number}").status_code == 404


@sqlite_only
def test_ones_own_folder_does_not_open_a_strangers_message(alices, mallorys):
    for folder, message in ((mallorys.ids, alices.ids), (alices.ids, mallorys.ids)):
        address = f"/mail/folder/{folder['folder']}/message/{message['message']}"
        for fragment in ("", "?fragment=message"):
            assert mallorys.browser.get(address + fragment).status_code == 404


@sqlite_only
@pytest.mark.parametrize("deed", ["move", "copy"])
def test_nothing_is_put_into_a_strangers_folder(db, alices, mallorys, deed):
    before = everything(db)
    answers = [
        mallorys.browser.post("/mail/actions", data={"do": deed, "message": mallorys.ids["message"], "target": folder})
        for folder in (alices.ids["folder"], NOBODYS["folder"])
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert everything(db) == before


@sqlite_only
@pytest.mark.parametrize("view", ["messages", "conversations"])
def test_a_strangers_message_among_ones_own_is_passed_over(db, alices, mallorys, view):
    chosen = [mallorys.ids["message"], alices.ids["message"]]
    answer = mallorys.browser.post("/mail/actions", data={"do": "delete", "message": chosen, "view": view})
    assert answer.status_code == 303
    db.expire_all()
    assert db.get_one(Message, mallorys.ids["message"]).folder_id == mallorys.ids["trash"]
    assert db.get_one(Message, alices.ids["message"]).folder_id == alices.ids["folder"]


@sqlite_only
def test_a_draft_takes_nothing_of_a_strangers(db, alices, mallorys):
    """Identity, message answered, parts of it, attachment to remove: ids in the composer's form."""
    uuid = str(uuid4())
    form = {"version": "0", "text": "Hello", "to": "bob@example.org", "from": alices.ids["identity"],
            "answers": alices.ids["message"], "original": ["1", ""], "kind": "forward",
            "remove": alices.ids["attachment"], "do": "save"}  # fmt: skip
    answer = mallorys.browser.post(f"/mail/draft/{uuid}", data=form)
    assert answer.status_code == 303
    draft = db.scalars(select(Draft).where(Draft.uuid == uuid)).one()
    assert (draft.identity_id, draft.account_id, draft.answers_message_id) == (None, None, None)
    files = db.scalars(select(DraftAttachment)).all()
    assert [(file.uuid, file.draft_id == draft.id) for file in files] == [(alices.ids["attachment"], False)]
    sent = mallorys.browser.post(f"/mail/draft/{uuid}", data={**form, "version": "1", "do": "send"})
    assert sent.status_code == 422  # there is nobody to write as
    assert len(db.scalars(select(Outgoing)).all()) == 1


@sqlite_only
def test_a_strangers_identity_or_attachment_does_not_go_with_ones_own_account_ormake_draft(db, alices, mallorys):
    own = make_draft(db, mallorys.account, "Mine")
    before = everything(db)
    account, theirs = mallorys.ids["account"], alices.ids
    for address in (
        f"/mail/accounts/{account}/identities/{theirs['identity']}",
        f"/mail/accounts/{account}/identities/{theirs['identity']}/remove",
        f"/mail/draft/{own.uuid}/attachments/{theirs['attachment']}",
    ):
        method = "POST" if "accounts" in address else "GET"
        data = {"name": "M", "address": "m@example.org"} if method == "POST" else None
        assert mallorys.browser.open(address, method=method, data=data).status_code == 404
    assert everything(db) == before
    mallorys.browser.post(f"/mail/draft/{own.uuid}/attachments/{theirs['attachment']}/remove")
    assert db.scalars(select(DraftAttachment.uuid)).all() == [theirs["attachment"]]


@sqlite_only
def test_lists_and_trees_hold_ones_own_alone(db, alices, mallorys):
    folder = alices.ids["folder"]
    for address in ("/mail", "/mail/outbox", "/mail/accounts", f"/mail/tree?folder={folder}", "/mail/compose",
                    "/settings/security", "/settings/import"):  # fmt: skip
        page = mallorys.browser.get(address, follow_redirects=True)
        assert page.status_code == 200
        assert SECRET not in page.text
        assert "alice@example.net" not in page.text
        assert f"/mail/folder/{folder}" not in page.text


@sqlite_only
def test_a_signature_is_for_one_person_and_one_message(db, parts, alice, mallory, mallorys, clock):
    """*Show once* of another person, or of another message, loads no images."""
    octets = b'<p>Hello <img src="http://images.example/a.png"></p>'
    own = mallorys.ids["message"]
    bodies.store_section(db, parts.vault, mallorys.account, own, "1", [octets], clock.now())
    keys = [signing.show_key(parts.private, alice.id, own), signing.show_key(parts.private, mallory.id, own + 1)]
    for key in keys:
        assert "/mail/image?" not in mallorys.browser.get(f"/mail/message/{own}/body?images={key}").text
    key = signing.show_key(parts.private, mallory.id, own)
    assert "/mail/image?" in mallorys.browser.get(f"/mail/message/{own}/body?images={key}").text


NO_SECTIONS = (
    "", "0", "2", "1.1", "1.MIME", "HEADER", "TEXT", "..", "../1", "..%2f1", "%2e%2e", "1%00", "1%0d%0aHEADER", "1 2",
    "1%5d%20(BODY%5b", "%ff", "9" * 300, "1.", ".1", "-1", "１",
)  # fmt: skip


@sqlite_only
def test_a_section_the_message_does_not_have_is_none(db, alices):
    """And none of them reaches the engine as a request."""
    before = everything(db)
    for section in NO_SECTIONS:
        answer = alices.browser.get(f"/mail/message/{alices.ids['message']}/part/{section}")
        assert answer.status_code == 404, section
    assert everything(db) == before


@sqlite_only
def test_bells_of_a_stranger_are_not_heard(parts, alice, mallory, alices):
    owners = Owners(parts.public)
    rung = [Bell(Topic.FOLDER, alices.ids["folder"]), Bell(Topic.TREE, alice.id), Bell(Topic.SENT, alice.id)]
    assert [is_for(bell, mallory.id, owners) for bell in rung] == [False, False, False]
    assert [is_for(bell, alice.id, owners) for bell in rung] == [True, True, True]
