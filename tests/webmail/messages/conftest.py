"""Mail that is already in the cache, so that a page needs no engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts.models import MailAccount
from app.mail_services.modes import Mode
from app.mirror import bodies
from app.mirror.models import Message
from app.runtime import Runtime
from app.users.models import User
from tests.conftest import FakeClock
from tests.factories import make_account, make_folder, make_message

HTML_STRUCTURE = b'("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "8BIT" 1152 23 NIL NIL NIL NIL)'

Deliver = Callable[..., Message]


@pytest.fixture
def deliver(
    db: Session, parts: Runtime, clock: FakeClock, alice: User, set_mode: Callable[[Mode], None]
) -> Callable[..., Message]:
    """Put a message into Alice's inbox, with the sections named; further columns as make_message takes them."""
    set_mode(Mode.EXTERNAL)
    account = make_account(db, alice, vault=parts.vault)
    folder = make_folder(db, account)

    def deliver(sections: Mapping[str, bytes], **columns: Any) -> Message:
        message = make_message(db, folder, **columns)
        stored = db.get_one(MailAccount, account.id)
        for section, octets in sections.items():
            bodies.store_section(db, parts.vault, stored, message.id, section, [octets], clock.now())
        return message

    return deliver


@pytest.fixture
def html_mail(deliver: Deliver) -> Callable[..., Message]:
    """A message whose body is this HTML."""
    return lambda html, **columns: deliver({"1": html.encode()}, bodystructure=HTML_STRUCTURE, **columns)
