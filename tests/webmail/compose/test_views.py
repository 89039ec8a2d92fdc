"""The composer without script: every button, every fault at its field, nothing lost."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.compose import service
from app.compose.models import AttachmentChunk, Draft, DraftAttachment
from app.outbox.models import Outgoing
from app.outbox.states import OutboxState
from tests.factories import make_account
from tests.webmail.compose.forms import file, found, only_draft

pytestmark = pytest.mark.parametrize("config", ["sqlite"], indirect=True)  # test_service.py runs on both databases


def test_a_new_message_offers_every_address_of_ones_own(db, alice, bob, browser, account):
    other = make_account(db, alice, address="work@example.net", label="Work")
    make_account(db, bob, address="bob@example.net")
    page = browser.get("/mail/compose?to=ines@x.example&subject=Hi&body=Dear+Ines").text
    assert re.findall(r'<option value="(\d+)"', page) == [str(account.identities[0].id), str(other.identities[0].id)]
    assert 'value="ines@x.example"' in page
    assert "Dear Ines" in page
    assert "bob@example.net" not in page


def test_looking_at_a_new_message_stores_nothing(db, browser, account):
    browser.get("/mail/compose")
    assert db.scalars(select(Draft)).all() == []


def test_saved_and_opened_again(db, browser, compose_form, url):
    answer = browser.post(url, data=compose_form(bcc="boss@x.example", text="Dear <b>Bob</b>\n\n-- \nAlice"))
    assert (answer.status_code, answer.location) == (303, f"{url}?back=/mail")
    page = browser.get(answer.location).text
    assert "Dear &lt;b&gt;Bob&lt;/b&gt;\n\n-- \nAlice" in page
    assert 'value="boss@x.example"' in page
    assert only_draft(db).version == 1


def test_saving_again_raises_the_version_and_the_same_again_does_not(db, browser, compose_form, url):
    browser.post(url, data=compose_form())
    browser.post(url, data=compose_form(version="1", text="more"))
    browser.post(url, data=compose_form(version="2", text="more"))
    assert (only_draft(db).version, only_draft(db).text) == (2, "more")


def test_a_second_tab_sees_both_versions_and_overwrites_only_knowingly(db, browser, compose_form, url):
    browser.post(url, data=compose_form(text="first tab"))
    browser.post(url, data=compose_form(version="1", text="first tab, later"))
    answer = browser.post(url, data=compose_form(version="1", text="second tab"))
    assert answer.status_code == 409
    assert "first tab, later" in answer.text
    assert "second tab" in answer.text
    assert only_draft(db).text == "first tab, later"
    assert 'name="version" value="2"' in answer.text
    browser.post(url, data=compose_form(version="2", text="second tab"))
    assert only_draft(db).text == "second tab"


def test_autosave_tells_the_version_and_a_conflict(db, browser, compose_form, url):
    first = browser.put(url, data=compose_form())
    assert (first.status_code, first.json["version"], first.json["url"]) == (200, 1, url)
    lost_answer = browser.put(url, data=compose_form())
    assert (lost_answer.status_code, lost_answer.json["version"]) == (200, 1)
    conflict = browser.put(url, data=compose_form(text="other tab"))
    assert (conflict.status_code, conflict.json["version"]) == (409, 1)
    assert only_draft(db).text == "Dear Bob"


def test_close_files_the_draft_now_and_goes_back(db, browser, compose_form, url, clock):
    answer = browser.post(url, data=compose_form(do="close", back="/mail/folder/7"))
    assert answer.location == "/mail/folder/7"
    assert only_draft(db).file_after == clock.now()


def test_discard_forgets_it(db, browser, compose_form, url):
    browser.post(url, data=compose_form())
    browser.post(url, data=compose_form(version="1", do="discard"))
    assert db.scalars(select(Draft)).all() == []
    assert browser.get(url).status_code == 404


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_back_never_leaves_the_site(browser, compose_form, url, back):
    assert browser.post(url, data=compose_form(do="close", back=back)).location in ("/", "/mail")


def test_sending_goes_back_with_an_undo_button_that_opens_the_draft(db, browser, compose_form, url):
    answer = browser.post(url, data=compose_form(do="send", back="/mail/outbox"))
    assert (answer.status_code, answer.location) == (303, "/mail/outbox")
    page = browser.get("/mail/outbox").text
    assert "Sending in 10 seconds" in page
    undo = found(r'action="(/mail/outbox/[0-9a-f-]+/undo)"', page)
    again = browser.post(undo, data={"back": "/mail/outbox"})
    assert again.location == f"{url}?back=/mail/outbox"
    assert "Dear Bob" in browser.get(again.location).text
    assert db.scalars(select(Outgoing.state)).all() == [OutboxState.CANCELLED]


def test_pressing_send_twice_sends_once(db, browser, compose_form, url):
    browser.post(url, data=compose_form(do="send"))
    browser.post(url, data=compose_form(do="send", version="1"))
    assert db.scalars(select(Outgoing.state)).all() == [OutboxState.HELD]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"to": "oskar@brandt"}, "to", "oskar@brandt has no ending such as .com. Correct or remove it to send."),
        ({"to": "a@x.example, Ines"}, "to", "Ines is no address: it has no @."),
        ({"cc": "a..b@x.example"}, "cc", "a..b@x.example is not a mail address."),
        ({"bcc": "x@"}, "bcc", "x@ is not a mail address."),
        ({"to": ""}, "to", "Nobody to send this to. Write at least one address."),
        ({"from": ""}, "from", "Choose the address to write from."),
        ({"from": "999999"}, "from", "Choose the address to write from."),
    ],
)
def test_a_fault_stands_at_its_field_and_the_text_is_kept(db, browser, compose_form, url, changes, field, words):
    answer = browser.post(url, data=compose_form(do="send", **changes))
    assert answer.status_code == 422
    error = found(rf'<p class="error" id="{field}-error">.*?</svg>(.*?)</p>', answer.text)
    assert words in error
    assert f'aria-invalid="true" aria-describedby="{field}-error"' in answer.text
    assert only_draft(db).text == "Dear Bob"
    assert db.scalars(select(Outgoing)).all() == []


def test_only_own_addresses_can_be_written_from(db, bob, browser, compose_form, url):
    theirs = make_account(db, bob).identities[0]
    assert browser.post(url, data=compose_form(do="send", **{"from": str(theirs.id)})).status_code == 422
    assert only_draft(db).identity_id is None


def test_nothing_typed_breaks_out_of_the_message(db, browser, compose_form, url):
    evil = "x\r\nBcc: eve@evil.example\0"
    browser.post(url, data=compose_form(do="send", subject=evil, to='"a\r\nBcc: e@e.example" <bob@example.org>'))
    sent = db.scalars(select(Outgoing)).one()
    assert sent.recipients == ["bob@example.org"]
    assert b"\r\nBcc" not in sent.message


# Attachments


def test_attached_with_the_form_shown_fetched_and_removed(db, browser, compose_form, url):
    octets = bytes(range(256)) * 1_900
    answer = browser.post(url, data=compose_form(files=[file("Übung.bin", octets), file()]))
    page = browser.get(answer.location).text
    assert "Übung.bin" in page
    assert "486 KB" in page
    first = db.scalars(select(DraftAttachment).order_by(DraftAttachment.id)).first()
    sizes = [len(chunk.data) for chunk in db.scalars(select(AttachmentChunk).where(
        AttachmentChunk.attachment_id == first.id).order_by(AttachmentChunk.number))]  # fmt: skip
    assert sizes == [262_144, 224_256]
    fetched = browser.get(f"{url}/attachments/{first.uuid}")
    assert fetched.data == octets
    assert fetched.headers["Content-Disposition"].startswith("attachment")
    browser.post(url, data=compose_form(version="1", remove=first.uuid))
    assert [row.filename for row in db.scalars(select(DraftAttachment))] == ["notes.txt"]


def test_a_page_attached_as_html_is_never_shown_in_place(browser, db, compose_form, url):
    browser.post(url, data=compose_form(files=[file("x.html", b"<script>", "text/html")]))
    row = db.scalars(select(DraftAttachment)).one()
    answer = browser.get(f"{url}/attachments/{row.uuid}")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_too_much_is_refused_by_name_and_what_was_written_is_kept(
    db, app, parts, browser, compose_form, url, monkeypatch
):
    monkeypatch.setattr("app.compose.attachments.room_octets", lambda *_: 300_000)
    answer = browser.post(url, data=compose_form(text="long letter", files=[file("big.bin", b"x" * 300_001), file()]))
    assert answer.status_code == 422
    assert "big.bin is not attached: the message would be larger than 50 MiB." in answer.text
    assert only_draft(db).text == "long letter"
    assert [row.filename for row in db.scalars(select(DraftAttachment))] == ["notes.txt"]


def test_uploads_by_script_tell_what_is_attached(browser, compose_form, url):
    browser.put(url, data=compose_form())
    told = browser.post(f"{url}/attachments", data={"files": [file()]}).json
    assert [(entry["name"], entry["octets"]) for entry in told["files"]] == [("notes.txt", 5)]
    left = browser.post(f"{url}/attachments/{told['files'][0]['uuid']}/remove").json
    assert left["files"] == []


def test_attachments_go_out_with_the_message(db, browser, compose_form, url):
    browser.post(url, data=compose_form(do="send", files=[file("../../Übung.txt", b"hello")]))
    sent = db.scalars(select(Outgoing)).one()
    assert b"aGVsbG8=" in sent.message
    assert b"filename*=utf-8''%C3%9Cbung.txt" in sent.message


# HTML


def test_styled_text_is_cleaned_and_has_a_text_beside_it(db, browser, compose_form, url):
    html = '<p onclick="x()">Dear <b>Bob</b><script>alert(1)</script><img src="https://t.example/p.gif"></p>'
    browser.post(url, data=compose_form(format="html", html=html))
    draft = only_draft(db)
    assert "script" not in draft.html
    assert "onclick" not in draft.html
    assert "<b>Bob</b>" in draft.html
    assert draft.text == "Dear Bob"


# Answering


# The sign-in ended


def test_what_was_posted_after_the_session_ended_is_handed_back(anonymous, compose_form, url, db):
    answer = anonymous.post(url, data=compose_form(text="a long letter", cc="c@x.example"))
    assert answer.status_code == 401
    assert "a long letter" in answer.text
    assert 'name="cc" value="c@x.example"' in answer.text
    assert db.scalars(select(Draft)).all() == []


def test_a_form_older_than_the_session_is_handed_back_too(app, browser, compose_form, url):
    app.config["WTF_CSRF_ENABLED"] = True
    answer = browser.post(url, data=compose_form(text="a long letter"))
    assert answer.status_code == 400
    assert "a long letter" in answer.text
    token = found(r'name="csrf_token" value="([^"]+)"', answer.text)
    assert browser.post(url, data=compose_form(text="a long letter", csrf_token=token)).status_code == 303


def test_autosave_with_a_stale_token_is_told_a_new_one(app, browser, compose_form, url):
    app.config["WTF_CSRF_ENABLED"] = True
    answer = browser.put(url, data=compose_form())
    assert answer.status_code == 400
    again = browser.put(url, data=compose_form(), headers={"X-CSRFToken": answer.json["token"]})
    assert again.status_code == 200


# Everybody's own


def test_names_of_drafts_are_uuids(browser, compose_form):
    for name in ("x", "../../etc", "123", str(uuid4()).upper()):
        assert browser.put(f"/mail/draft/{name}", data=compose_form()).status_code == 404


def test_a_draft_on_its_way_is_shown_in_the_outbox(browser, compose_form, url):
    browser.post(url, data=compose_form(do="send"))
    assert browser.get(url).location == "/mail/outbox"
    late = browser.put(url, data=compose_form(version="1", text="more"))
    assert (late.status_code, late.json["handed_over"]) == (409, True)
    answer = browser.post(url, data=compose_form(version="1", text="more"))
    assert answer.status_code == 409
    assert "already on its way" in answer.text
    assert "more" in answer.text


def test_the_engine_is_rung(parts, browser, compose_form, url, account):
    with parts.bus.subscribe() as ear:
        browser.post(url, data=compose_form(do="send"))
        assert any(bell.subject == account.id for bell in ear.wait(5))


def test_saved_drafts_belong_to_the_identitys_account(db, browser, compose_form, url, account):
    browser.put(url, data=compose_form())
    assert only_draft(db).account_id == account.id
    assert service.values_of(only_draft(db)).to == "bob@example.org"


def test_sent_later_it_waits_in_the_outbox_and_can_be_changed_or_hurried(db, browser, compose_form, url, clock):
    told = browser.post(url, data=compose_form(do="send-later", later=f"{clock.now().year + 1}-01-04T08:30"))
    assert told.status_code == 303
    outgoing = db.scalars(select(Outgoing)).one()
    assert outgoing.not_before == outgoing.scheduled_at > clock.now()
    assert f"Date: Mon, 04 Jan {clock.now().year + 1} 08:30:00".encode() in outgoing.message
    page = browser.get("/mail/outbox").text
    assert "To be sent" in page
    assert "Change or take back" in page
    browser.post(f"/mail/outbox/{outgoing.uuid}/again")
    db.refresh(outgoing)
    assert outgoing.not_before == clock.now()


def test_a_name_of_a_time_is_enough(db, browser, compose_form, url, clock):
    browser.post(url, data=compose_form(do="send-later:tomorrow-morning"))
    assert db.scalars(select(Outgoing)).one().scheduled_at > clock.now()


def test_taken_back_it_is_a_draft_again(db, browser, compose_form, url):
    browser.post(url, data=compose_form(do="send-later:tomorrow-morning"))
    answer = browser.post(f"/mail/outbox/{db.scalars(select(Outgoing.uuid)).one()}/undo")
    assert answer.location.startswith(url)
    assert not only_draft(db).handed_over


def test_a_time_that_has_passed_means_now(db, browser, compose_form, url, clock):
    browser.post(url, data=compose_form(do="send-later", later="2001-01-01T08:00"))
    outgoing = db.scalars(select(Outgoing)).one()
    assert outgoing.scheduled_at is None
    assert (outgoing.not_before - clock.now()).total_seconds() <= 30


@pytest.mark.parametrize("later", ["", "soon", "2999-01-01T00:00"])
def test_no_time_is_said_at_its_field(db, browser, compose_form, url, later):
    told = browser.post(url, data=compose_form(do="send-later", later=later))
    assert told.status_code == 422
    assert "Choose a day and time" in told.text
    assert not db.scalars(select(Outgoing)).all()
    assert only_draft(db).text
