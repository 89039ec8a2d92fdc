"""A test mail by the page: sent through the queue, its transcript, and the answer that comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.mail_services.modes import Mode
from app.users.models import UserRole
from mailsite_ext.delivery.models import DeliveryAttempt, QueuedBlock, QueuedMessage, QueuedRecipient
from mailsite_ext.domains import service
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings
from mailsite_ext.storage.first_use import ensure_mailbox
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Content
from tests.conftest import START

PAGE = "/admin/test-mail"
SETTINGS = Settings(domains=("example.org",))


@pytest.fixture
def config(sqlite_config):
    return replace(sqlite_config, public_url="http://localhost")


@pytest.fixture
def storage(parts, db, set_mode):
    set_mode(Mode.MAILSITE)
    store_settings(db, SETTINGS)
    db.commit()
    yield open_storage(parts, SETTINGS)
    close_storage(parts)


@pytest.fixture
def ada(storage, parts, db, admin, browser_of):
    """An admin with a mailbox."""
    service.ensure_mailbox(parts, db, admin)
    return browser_of(admin)


@pytest.fixture
def send(ada):
    def send(recipient="echo@there.example", sender="ada@example.org"):
        return ada.post(PAGE, data={"recipient": recipient, "sender": sender})

    return send


def come_back(storage, subject, body=b"SPF check: pass\r\n"):
    ensure_mailbox(storage, "ada")
    folder = storage.find_folder("ada", "INBOX")
    octets = b"From: echo@there.example\r\nSubject: " + subject.encode() + b"\r\n\r\n" + body
    storage.append(folder.id, [(Content(octets, len(octets)), frozenset(), START)]).result(30)


def test_a_test_mail_goes_through_the_queue(send, ada, db, storage, clock):
    place = send().headers["Location"]
    token = place.rpartition("/")[2]
    message = db.query(QueuedMessage).one()
    octets = b"".join(block.octets for block in db.query(QueuedBlock).order_by(QueuedBlock.number))
    assert f"[{token}]".encode() in octets
    assert db.query(QueuedRecipient).one().address == "echo@there.example"
    page = ada.get(place).text
    assert "The delivery service does not run" in page
    assert "It was not tried yet" in page
    assert "Nothing yet" in page
    db.add(
        DeliveryAttempt(
            message_id=message.id, domain="there.example", begun_at=clock.now(), port_25_blocked=False,
            transcript="TLSv1.3 <b>",
        )
    )  # fmt: skip
    db.commit()
    come_back(storage, "Re: Something else")
    come_back(storage, f"Re: Test mail [{token}]", b"SPF check: pass <script>\r\n")
    page = ada.get(place + "?fragment=1").text
    assert "TLSv1.3 &lt;b&gt;" in page
    assert page.count("An answer came") == 1
    assert "SPF check: pass &lt;script&gt;" in page
    assert "<html" not in page
    assert place in ada.get(PAGE).text


@pytest.mark.parametrize(
    ("recipient", "sender", "words"),
    [
        ("", "ada@example.org", "Type an address"),
        ("nobody", "ada@example.org", "It was refused"),
        ("ada@example.org", "ada@example.org", "This address is here"),
        ("nobody@example.org", "ada@example.org", "This address is here"),
        ("echo@there.example", "bob@example.org", ""),
        ("echo@localhost", "ada@example.org", "It was refused"),
        ("a@there.example, b@there.example", "ada@example.org", "It was refused"),
        ("a@there.example\r\nBcc: b@there.example", "ada@example.org", "It was refused"),
        ("x" * 321, "ada@example.org", ""),
    ],
)
def test_what_cannot_be_sent_says_why(send, db, recipient, sender, words):
    answer = send(recipient, sender)
    assert answer.status_code == 422
    assert words in answer.text
    assert db.query(QueuedMessage).count() == 0


def test_who_has_no_mailbox_is_sent_to_make_one(storage, admin, browser_of):
    browser = browser_of(admin)
    assert "You have no mailbox here" in browser.get(PAGE).text
    assert browser.post(PAGE, data={"recipient": "echo@there.example"}).status_code == 404


def test_each_admin_sees_their_own(send, parts, db, alice, browser_of):
    place = send().headers["Location"]
    alice.role = UserRole.ADMIN
    service.ensure_mailbox(parts, db, alice)
    other = browser_of(alice)
    assert other.get(place).status_code == other.get(PAGE + "/satcheltest0").status_code == 404
    assert place not in other.get(PAGE).text
    assert other.get(PAGE + "/%25").status_code == 404


def test_mail_kept_elsewhere_is_said(send, ada, monkeypatch):
    from app.errors import MailError
    from mailsite_ext.trial_mail import service as trial

    place = send().headers["Location"]

    def elsewhere(*_arguments):
        raise MailError("Mail is kept on another machine.")

    monkeypatch.setattr(trial, "open_storage", elsewhere)
    assert "Mail is kept on another machine." in ada.get(place).text
