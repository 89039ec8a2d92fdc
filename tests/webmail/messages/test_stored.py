"""What reading keeps and reads in the database, on each of them."""

from __future__ import annotations

import random
from base64 import encodebytes
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.messages import trust
from app.messages.models import TrustedImageSender
from app.mirror.models import Message
from app.users.models import User

Browser = Callable[[User], FlaskClient]
Deliver = Callable[..., Message]

REMOTE = '<p>Hello</p><img src="https://tracker.example/pixel.gif?id=1">'
ATTACHMENT = b'("APPLICATION" "PDF" NIL NIL NIL "BASE64" 2000000 NIL ("ATTACHMENT" ("FILENAME" "big.pdf")) NIL NIL)'


@pytest.mark.parametrize(("choice", "stored"), [("address", "maren@example.com"), ("domain", "@example.com")])
def test_a_sender_is_trusted_and_no_longer(
    html_mail: Deliver, alice: User, browser_of: Browser, db: Session, choice: str, stored: str
) -> None:
    message = html_mail(REMOTE, from_address="Maren@Example.com")
    browser = browser_of(alice)
    answer = browser.post(f"/mail/message/{message.id}/images", data={"images": choice})
    assert answer.status_code == 303
    assert db.scalars(select(TrustedImageSender.sender)).all() == [stored]
    assert "held back" not in browser.get(f"/mail/message/{message.id}").text
    assert "/mail/image?" in browser.get(f"/mail/message/{message.id}/body").text
    browser.post(f"/mail/message/{message.id}/images", data={"images": "none"})
    assert "held back" in browser.get(f"/mail/message/{message.id}").text


def test_trust_is_each_persons_own(db: Session, alice: User, bob: User) -> None:
    trust.trust_sender(db, alice.id, "Maren@Example.com", whole_domain=False)
    trust.trust_sender(db, alice.id, "maren@example.com", whole_domain=False)
    assert trust.is_trusted(db, alice.id, "maren@EXAMPLE.com")
    assert not trust.is_trusted(db, alice.id, "other@example.com")
    assert not trust.is_trusted(db, bob.id, "maren@example.com")
    trust.distrust_sender(db, bob.id, "maren@example.com")
    assert trust.is_trusted(db, alice.id, "maren@example.com")


@pytest.mark.parametrize("address", ["", "nobody", "x@" + "y" * 300])
def test_what_is_no_address_is_never_trusted(db: Session, alice: User, address: str) -> None:
    trust.trust_sender(db, alice.id, address, whole_domain=False)
    trust.trust_sender(db, alice.id, address, whole_domain=True)
    assert not trust.is_trusted(db, alice.id, address)
    assert db.scalars(select(TrustedImageSender)).all() == []


def test_a_large_attachment_streams_out_of_the_cache(deliver: Deliver, alice: User, browser_of: Browser) -> None:
    octets = random.Random(1).randbytes(1_500_000)
    message = deliver({"1": encodebytes(octets)}, bodystructure=ATTACHMENT)
    answer = browser_of(alice).get(f"/mail/message/{message.id}/part/1", buffered=False)
    pieces = list(answer.response)
    assert len(pieces) > 3
    assert b"".join(pieces) == octets  # type: ignore[arg-type]
