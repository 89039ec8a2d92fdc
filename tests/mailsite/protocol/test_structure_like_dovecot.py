"""ENVELOPE, BODY and BODYSTRUCTURE of every message of the corpora, beside what a real Dovecot answers."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mailsite_ext.protocol.fetch_grammar import fetch_items
from mailsite_ext.protocol.imap_commands import SectionItem
from mailsite_ext.protocol.imap_cursor import Cursor, RawCommand
from mailsite_ext.protocol.imap_limits import ImapLimits
from mailsite_ext.protocol.message_structure import body_without_extensions, read_structure
from mailsite_ext.protocol.part_table import Part
from mailsite_ext.protocol.sections import by_section, item_value
from mailsite_ext.protocol.wire_values import read_value
from tests.servers.dovecot import Dovecot, MailUser

NO_TYPE = 'Content-Type without type and subtype is text/plain (RFC 2045 §5.2); Dovecot says "" ""'
LENIENT_TYPE = "a type is there though what follows it is broken; Dovecot gives it up"
LENIENT_VALUE = "a parameter or encoding that breaks the grammar (RFC 2045 §5.1) is kept as far as people can use it"
FIRST_COUNTS = "of fields that may stand once (RFC 5322 §3.6) the first counts; Dovecot takes the last"
TORN_ADDRESS = "an address outside the grammar (RFC 5322 §3.4); both guess"
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

# The header of a part runs into a boundary: its last line end is the boundary's (RFC 2046 §5.1.1).
OPEN_HEADERS = (
    "enmime/dsn_with_multipart_alternative.eml",
    "enmime/multi-malformed.eml",
    "enmime/multi_recipient_dsn.eml",
    "enmime/simple_dsn.eml",
    "enmime/simple_dsn_with_html.eml",
    "mail-parser-rs/019.eml",
    "mail-parser-rs/021.eml",
    "mime4j/double-bound.eml",
    "mime4j/multipartnestedemptyparts.eml",
    "mime4j/multipartnestedemptypartsnorfc822.eml",
    "mime4j/very-long-boundary.eml",
    "mime4j/very-very-long-boundary.eml",
    "nodemailer-mailparser/decoderended.eml",
    "php-mime-mail-parser/issue274.eml",
)
# Header lines that are no fields (RFC 5322 §2.2), such as mbox's "From ": what they belong to is a guess.
ODD_LINES = (
    "cpython/msg_35.eml",
    "enmime/erroneous.eml",
    "flanker/email.02.eml",
    "flanker/enclosed-bad-encoding.eml",
    "flanker/enclosed-broken-body.eml",
    "flanker/enclosed-broken.eml",
    "flanker/enclosed.eml",
    "flanker/iphone.eml",
    "php-mime-mail-parser/issue250.eml",
    "php-mime-mail-parser/issue84.eml",
    "php-mime-mail-parser/m0124.eml",
    "rspamd/phish_sender4.eml",
    "spamassassin-tdata/017.eml",
)


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


@pytest.mark.servers
@pytest.mark.corpora
def test_every_section_reads_as_in_dovecot(dovecot: Dovecot, mail_user: MailUser, corpora: Path) -> None:
    """Of messages whose structure is the same; an attached message's last line end is the boundary's."""
    messages = {name: raw for name, raw in _messages(corpora / "messages") if name not in STRUCTURES_DIFFER}
    differing = set()
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port) as connection:
        _fill(connection, mail_user, list(messages.values()))
        for number, (name, raw) in enumerate(messages.items(), 1):
            parts = by_section(read_structure(raw).parts)
            items = _section_items(parts)
            _, lines = connection.fetch(str(number), "(" + " ".join(map(_peeked, items)) + ")")
            (theirs,) = _values(lines)
            ours = [b"".join(item_value(item, parts, partial(_read, raw))) for item in items]
            pairs = zip(items, ours, _after_labels(theirs), strict=True)
            differing |= {(name, item.label.decode()) for item, shown, answer in pairs if not _same(shown, answer)}
    assert {name for name, label in differing if label.endswith(".MIME]")} == set(OPEN_HEADERS)
    assert {name for name, label in differing if not label.endswith(".MIME]")} == set(ODD_LINES)


def _section_items(parts: dict[str, Part]) -> list[SectionItem]:
    found = [
        "BODY[HEADER]",
        "BODY[TEXT]",
        "BODY[HEADER.FIELDS (From Subject Received)]",
        "BODY[HEADER.FIELDS.NOT (To)]",
    ]
    for section, part in list(parts.items())[1:30]:
        found += [f"BODY[{section}]", f"BODY[{section}.MIME]", f"BODY[{section}]<3.50>"]
        found += [f"BODY[{section}.HEADER]", f"BODY[{section}.TEXT]"] if part.is_message else []
    wanted = "(" + " ".join(found) + ")"
    items = fetch_items(Cursor(RawCommand(wanted.encode()), ImapLimits()))
    return [item for item in items if isinstance(item, SectionItem)]


def _after_labels(answer: list[Any]) -> Iterator[Any]:
    """The values of `BODY[…] value BODY[…]<3> value`; a label with names of fields is several words."""
    words = iter(answer)
    for word in words:
        if isinstance(word, bytes) and word.endswith((b"]", b">")):
            yield next(words)


def _peeked(item: SectionItem) -> str:
    label = item.label.decode().replace("BODY", "BODY.PEEK", 1)
    return label if item.partial is None else label.replace("<3>", "<3.50>")


def _read(raw: bytes, at: int, octets: int) -> bytes:
    return raw[at : at + octets]


def _same(ours: bytes, theirs: Any) -> bool:
    shown = read_value(ours) or b""
    return shown == (theirs or b"") or shown + b"\r\n" == theirs


def _messages(folder: Path) -> list[tuple[str, bytes]]:
    """In CRLF, as imaplib sends them; IMAP cannot send those with NUL."""
    read = ((path, re.sub(rb"\r\n|\r|\n", b"\r\n", path.read_bytes())) for path in sorted(folder.rglob("*.eml")))
    return [(str(path.relative_to(folder)), raw) for path, raw in read if b"\0" not in raw]


def _ask(dovecot: Dovecot, user: MailUser, messages: list[bytes]) -> list[dict[str, Any]]:
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port) as connection:
        _fill(connection, user, messages)
        _, lines = connection.fetch("1:*", "(ENVELOPE BODY BODYSTRUCTURE)")
    return [dict(zip([key.decode() for key in items[::2]], items[1::2], strict=True)) for items in _values(lines)]


def _fill(connection: imaplib.IMAP4, user: MailUser, messages: list[bytes]) -> None:
    connection.login(user.name, user.password)
    for raw in messages:
        assert connection.append("INBOX", None, None, raw)[0] == "OK"  # type: ignore[arg-type]
    connection.select()


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
