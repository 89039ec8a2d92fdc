"""ENVELOPE, BODY and BODYSTRUCTURE of every message of the corpora, beside what a real Dovecot answers."""

from __future__ import annotations

import imaplib
import re
from pathlib import Path
from typing import Any

import pytest

from mailsite_ext.protocol.message_structure import body_without_extensions, read_structure
from mailsite_ext.protocol.wire_values import read_value
from tests.servers.dovecot import Dovecot, MailUser

NO_TYPE = 'Content-Type without type and subtype is text/plain (RFC 2045 §5.2); Dovecot says "" ""'
LENIENT_TYPE = "a type is there though what follows it is broken; Dovecot gives it up"
LENIENT_VALUE = "a parameter or encoding that breaks the grammar (RFC 2045 §5.1) is kept as far as people can use it"
FIRST_COUNTS = "of fields that may stand once (RFC 5322 §3.6) the first counts; Dovecot takes the last"
TORN_ADDRESS = "an address outside the grammar (RFC 5322 §3.4); both guess"
ROUTE = "routes are ignored (RFC 5322 §4.4): the second string of an address is NIL"
BOUNDARY = "an unquoted or overlong boundary, or one that ends the file (RFC 2046 §5.1.1), is taken as it stands"

# Where we differ on purpose.
ENVELOPES_DIFFER = {
    "mail-parser-rs/019.eml": FIRST_COUNTS,
    "spamassassin-tdata/test-pass-08.eml": FIRST_COUNTS,
    "ruby-mail/raw_email_with_binary_encoded.eml": FIRST_COUNTS,
    "ruby-mail/raw_email_with_multipart_mixed_quoted_boundary.eml": FIRST_COUNTS,
    "mimekit/issue358.eml": TORN_ADDRESS,
    "php-imap/issue-462.eml": TORN_ADDRESS,
    "rspamd/currency.eml": TORN_ADDRESS,
    "ruby-mail/missing_body.eml": TORN_ADDRESS,
    "ruby-mail/mix_caps_content_type.eml": TORN_ADDRESS,
    "ruby-mail/raw_email_with_at_display_name.eml": TORN_ADDRESS,
    "ruby-mail/weird_to_header.eml": TORN_ADDRESS,
    "rspamd/phish_sender6.eml": ROUTE,
}
STRUCTURES_DIFFER = {
    "cpython/msg_14.eml": NO_TYPE,
    "enmime/empty-ctype-bad-content.eml": NO_TYPE,
    "james-project/oneAttachmentWithEmptyContentType.eml": NO_TYPE,
    "mime4j/multi-digest.eml": NO_TYPE,
    "spamassassin-tdata/mime8.eml": NO_TYPE,
    "mail-parser-rs/017.eml": LENIENT_TYPE,
    "enmime/mime-bad-content-type.eml": LENIENT_TYPE,
    "enmime/mime-blank-media-name.eml": LENIENT_TYPE,
    "enmime/mime-duplicate-param.eml": "a parameter stands once (RFC 2045 §5): the first",
    "enmime/mime-unquoted-tspecials-param.eml": LENIENT_VALUE,
    "enmime/missing-closing-param-quote.eml": LENIENT_VALUE,
    "james-project/invalid.eml": LENIENT_VALUE,
    "james-project/james-3901.eml": LENIENT_VALUE,
    "mail-parser-rs/001.eml": LENIENT_VALUE,
    "mail-parser-rs/004~2.eml": LENIENT_VALUE,
    "ruby-mail/attachment_with_unquoted_name.eml": LENIENT_VALUE,
    "ruby-mail/content_transfer_encoding_qp_with_space.eml": LENIENT_VALUE,
    "ruby-mail/content_transfer_encoding_with_semi_colon.eml": LENIENT_VALUE,
    "spamassassin-tdata/003~2.eml": LENIENT_VALUE,
    "flanker/enclosed-global.eml": "message/global has an envelope (RFC 9051 §9, media-message)",
    "james-project/alternative~2.eml": BOUNDARY,
    "mail-parser-rs/016.eml": BOUNDARY,
    "ruby-mail/raw_email_bad_time.eml": BOUNDARY,
    "ruby-mail/raw_email_with_binary_encoded.eml": BOUNDARY,
    "ruby-mail/raw_email_with_illegal_boundary.eml": BOUNDARY,
    "rspamd/external_relay.eml": "a multipart without boundary (RFC 2046 §5.1.1) is text: else nobody could read it",
}


def comparable(value: Any) -> Any:
    """Without what is left open: case (RFC 2045 §5.1), white space of folds, how a missing mailbox or host is said."""
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if value in (b"MISSING_DOMAIN", b"MISSING_MAILBOX"):
        return b""
    return re.sub(rb"[ \t]+", b" ", value.strip()).lower() if isinstance(value, bytes) else value


def without_message_sizes(value: Any) -> Any:
    """Without octets and lines of message/rfc822: Dovecot counts the boundary's line end in (RFC 2046 §5.1.1)."""
    if not isinstance(value, list):
        return value
    kept = [without_message_sizes(each) for each in value]
    if kept[:2] == [b"message", b"rfc822"] and len(kept) > 9:
        kept[6] = kept[9] = None
    return kept


@pytest.mark.servers
@pytest.mark.corpora
def test_every_message_reads_as_in_dovecot(dovecot: Dovecot, mail_user: MailUser, corpora: Path) -> None:
    messages = dict(_messages(corpora / "messages"))
    answers = _ask(dovecot, mail_user, list(messages.values()))
    differing: dict[str, set[str]] = {"ENVELOPE": set(), "BODY": set(), "BODYSTRUCTURE": set()}
    for (name, raw), answer in zip(messages.items(), answers, strict=True):
        ours = read_structure(raw)
        octets = {
            "ENVELOPE": ours.envelope,
            "BODY": body_without_extensions(ours.body_structure),
            "BODYSTRUCTURE": ours.body_structure,
        }
        for item, shown in octets.items():
            if _seen(read_value(shown)) != _seen(answer[item]):
                differing[item].add(name)
    assert differing["ENVELOPE"] == set(ENVELOPES_DIFFER)
    assert differing["BODYSTRUCTURE"] == set(STRUCTURES_DIFFER)
    assert differing["BODY"] <= set(STRUCTURES_DIFFER)


def _seen(value: Any) -> Any:
    return without_message_sizes(comparable(value))


def _messages(folder: Path) -> list[tuple[str, bytes]]:
    """In CRLF, as imaplib sends them; IMAP cannot send those with NUL."""
    read = ((path, re.sub(rb"\r\n|\r|\n", b"\r\n", path.read_bytes())) for path in sorted(folder.rglob("*.eml")))
    return [(str(path.relative_to(folder)), raw) for path, raw in read if b"\0" not in raw]


def _ask(dovecot: Dovecot, user: MailUser, messages: list[bytes]) -> list[dict[str, Any]]:
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port) as connection:
        connection.login(user.name, user.password)
        for raw in messages:
            assert connection.append("INBOX", None, None, raw)[0] == "OK"  # type: ignore[arg-type]
        connection.select()
        _, lines = connection.fetch("1:*", "(ENVELOPE BODY BODYSTRUCTURE)")
    return [dict(zip([key.decode() for key in items[::2]], items[1::2], strict=True)) for items in _values(lines)]


def _values(lines: list[Any]) -> list[Any]:
    """imaplib cuts an answer at its literals; put together again, each reads as one list."""
    whole: list[Any] = []
    octets = b""
    for line in lines:
        octets += b"\r\n".join(line) if isinstance(line, tuple) else line
        if not isinstance(line, tuple):
            whole.append(read_value(octets.partition(b" ")[2]))
            octets = b""
    return whole
