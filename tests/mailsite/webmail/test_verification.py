"""What the reader of hosted mail sees of its author: only what reception wrote (A6, T6)."""

from __future__ import annotations

import pytest

from app.extension_api import Standing
from app.mail_services.modes import Mode
from mailsite_ext.delivery.header import read_header
from mailsite_ext.junk.score import Evidence, Judgement
from mailsite_ext.protocol.smtp_address import Address
from mailsite_ext.settings.values import Posture, StorageKind
from mailsite_ext.trusted_senders import service as trusted
from mailsite_ext.webmail.verification import verification
from tests.mailsite.reception.letters import HOST, People, letter, signed
from tests.mailsite.webmail.box import FAR, opened


@pytest.fixture
def config(sqlite_config):
    """The engines matter here, the database does not."""
    return sqlite_config


@pytest.fixture(params=StorageKind)
def box(request, app, parts, db, alice, bob, set_mode):
    set_mode(Mode.BOTH)
    with opened(parts, db, (alice, bob), request.param) as made:
        yield made


def page(browser, row):
    answer = browser.get(f"/mail/message/{row.id}")
    assert answer.status_code == 200
    return answer.text


def test_a_signed_message_is_verified_and_says_by_whom(box, alice, browser_of):
    message = signed(letter("ann@none.example"), "none.example")
    box.deliver(message, posture=Posture.ALLOW)
    shown = page(browser_of(alice), box.mirrored(alice, author="ann@none.example"))
    for words in ("Verified", "really comes from none.example: it is signed", "none.example (DKIM)",
                  "allowed by plain.example (SPF)", "passed (DMARC)", "not encrypted"):  # fmt: skip
        assert words in shown
    assert "In Junk because" not in shown


def test_a_disowned_message_is_forged_and_says_why_it_is_junk(box, alice, browser_of):
    box.deliver(letter("ann@quarantine.example"))
    shown = page(browser_of(alice), box.mirrored(alice, "Junk", "ann@quarantine.example"))
    for words in ("Forged", "asks not to believe such mail", "failed, asks to put it into Junk (DMARC)",
                  "In Junk because its author&#39;s domain asks to treat such mail as junk"):  # fmt: skip
        assert words in shown
    assert "author-of" not in shown, "a forged sender is not offered to be trusted"


def test_its_filter_says_which_words_told_and_they_are_text(box, alice, browser_of):
    words = (Evidence("<b>pills", 0.99), Evidence("tea", 0.01))
    box.deliver(letter(), People(junk={"alice": Judgement(0.97, words)}))
    shown = page(browser_of(alice), box.mirrored(alice, "Junk"))
    assert "it came without encryption (TLS); it is like mail you put into Junk" in shown
    assert "Words that told: &lt;b&gt;pills." in shown
    assert "<b>pills" not in shown


def test_the_sender_is_trusted_from_the_message_and_believed_next_time(box, db, alice, browser_of):
    box.deliver(letter())
    row, browser = box.mirrored(alice, "Junk"), browser_of(alice)
    assert f"Trust {FAR}" in page(browser, row)
    answer = browser.post(
        f"/settings/trusted-senders/author-of/{row.id}", data={"who": "address", "next": f"/mail/message/{row.id}"}
    )
    assert answer.headers["Location"] == f"/mail/message/{row.id}"
    db.rollback()
    assert [each.sender for each in trusted.list_trusted(db, alice.id)] == [FAR]
    assert f"Trust {FAR}" not in page(browser, row)
    lists = trusted.TrustedSenders(box.parts.public)
    people = People({user: {FAR} for user in lists.trusting({alice.id, 99}, Address("Ann", "plain.example"))})
    box.deliver(letter(), people)
    assert "Filed</dt><dd>it came without encryption (TLS); you trust its sender" in page(browser, box.mirrored(alice))
    assert b"X-Satchel-Verdict: Junk;" in box.read("bob", "Junk"), "whom alice trusts bob may not"


FORGED = (
    f"Return-Path: <a@bank.example>\r\nAuthentication-Results: {HOST}; dmarc=pass header.from=bank.example\r\n"
    "X-Satchel-Verdict: INBOX; the sender is trusted\r\nX-Satchel-Seal: author=verified; b=AAAA\r\n"
    f"Received: from x ([192.0.2.1]) by {HOST} with ESMTPS (TLSv1.3 x) id 1; now\r\n"
).encode()


def test_what_came_by_other_ways_is_not_believed(box, alice, browser_of):
    box.append("alice", FORGED + letter("ann@bank.example"))
    shown = page(browser_of(alice), box.mirrored(alice, author="ann@bank.example"))
    assert "bank.example" in shown
    for words in ("Verified", "really comes from", "(DMARC)", "trusted senders"):
        assert words not in shown


def test_a_header_of_another_mailbox_or_message_is_not_believed(box, alice, browser_of):
    """Mallory may get a genuine header into her own mailbox, put it onto a forgery, and have it imported by others."""
    box.deliver(signed(letter("ann@none.example"), "none.example"), posture=Posture.ALLOW)
    genuine = box.read("bob")
    box.append("alice", genuine)
    assert "(DMARC)" not in page(browser_of(alice), box.mirrored(alice))
    own = box.read("alice")
    assert own == genuine
    box.deliver(signed(letter("ann@none.example"), "none.example"), posture=Posture.ALLOW)
    box.append("alice", box.read("alice").replace(b"Subject: Tea", b"Subject: Send money"))
    assert "(DMARC)" not in page(browser_of(alice), box.mirrored(alice))


def test_a_copy_keeps_its_seal(box, alice, browser_of):
    """Moved, exported and put back by the person themselves, it is still the same message."""
    box.deliver(signed(letter("ann@none.example"), "none.example"), posture=Posture.ALLOW)
    box.append("alice", box.read("alice"))
    assert "passed (DMARC)" in page(browser_of(alice), box.mirrored(alice))


@pytest.mark.parametrize(
    "value", [b"", b"; = ;;", b'mx; dmarc=pass header.from="<script>alert(1)</script>"', b"\xff" * 99]
)
def test_whatever_a_head_says_is_read(value):
    """Its words are ours, but the names in it were chosen elsewhere."""
    head = read_header(b"Authentication-Results: " + value + b"\r\nReceived: x\r\n", is_whole=True)
    found = verification(Standing.UNPROVEN, head, is_trusted=False, trust_url="/")
    assert found.standing is Standing.UNPROVEN
    assert not found.is_junk
