"""From a real server: what it says of sizes, flags and dates is what comes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailsite_ext.importing import bodies
from tests.factories import make_folder
from tests.fake_messages import simple_message
from tests.webmail.imap.sessions import source_of

pytestmark = pytest.mark.servers

RECEIVED = datetime(2019, 2, 28, 23, 59, 58, tzinfo=UTC)
UTF8 = "From: Zoë <zoe@example.net>\r\nSubject: Grüße\r\n\r\nÄäh\r\n".encode()


@pytest.mark.parametrize("config", ["sqlite"], indirect=True)
def test_a_dovecot_is_imported_from_as_it_is(post, db, dovecot, mail_user, authority, monkeypatch):
    source = source_of(dovecot, mail_user, authority.client_context())
    large = simple_message("large", "x" * 76 + "\r\n" + "y\r\n" * bodies.SMALL_OCTETS)
    messages = [simple_message(f"number {number}") for number in range(130)]
    source.create_folder("Work")
    for raw in (*messages, large, UTF8, UTF8):
        source.append("Work", raw, ["\\Seen", "\\Flagged", "$Forwarded", "todo"], RECEIVED)
    make_folder(db, post.account, "Work")
    monkeypatch.setattr(post.server, "connect", lambda: source_of(dovecot, mail_user, authority.client_context()))
    post.start("Work")
    post.run(2, source)  # begun, and the first hundred
    source.close()
    post.taken_over()
    last = post.server.connect()
    post.run(source=last)
    last.close()
    found = post.here("Work")
    assert [raw for raw, _, _ in found] == [*messages, large, UTF8, UTF8]
    assert {flags for _, flags, _ in found} == {frozenset({"\\Seen", "\\Flagged", "$Forwarded", "todo"})}
    assert {date for _, _, date in found} == {RECEIVED}
    assert post.errors == []
