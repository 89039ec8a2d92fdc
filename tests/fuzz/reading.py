"""What the webmail reads: answers of IMAP servers, messages, markup, addresses, configuration files of strangers."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import cast

from app.accounts.autoconfig import parse_autoconfig
from app.compose.addresses import parse_addresses
from app.compose.build import address_field
from app.errors import BadInput, ConnectionLost, MailError, ProtocolError, TimedOut
from app.imap import names
from app.imap.bodystructure import has_attachments, parse_bodystructure
from app.imap.dialog import ImapSession
from app.imap.source import ImapSource
from app.imap.wire import Wire
from app.messages import decode
from app.messages.css import safe_sheet, safe_style
from app.messages.html_scan import TooComplex
from app.messages.parse import parse
from app.messages.plain_text import as_html
from app.messages.render import render, wanted_sections
from app.messages.sanitise import References, SafeHtml, Words, sanitise
from app.messages.text_view import html_to_text
from app.mirror.envelope import mailboxes, read_envelope
from app.sources import FolderState, StoreFlags
from mailsite_ext.delivery.header import authors, read_header
from mailsite_ext.protocol import address_lists
from mailsite_ext.protocol.message_structure import body_without_extensions, read_structure
from mailsite_ext.protocol.message_text import MessageText
from mailsite_ext.protocol.part_table import pack, unpack
from mailsite_ext.protocol.sections import by_section
from mailsite_ext.protocol.smtp_address import parse_address
from mailsite_ext.protocol.wire_values import read_value
from tests.webmail.messages.static_check import HARMFUL_CSS, faults_of

REFERENCES = References(
    part_url=lambda cid: f"/mail/message/1/part/{len(cid)}", image_url=lambda url: f"/mail/image?url={len(url)}"
)

# Answers of IMAP servers


class Said:
    """A socket on which a server says `octets`, a few at a time, and hangs up."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def recv(self, most: int) -> bytes:
        piece, self._octets = self._octets[: min(most, 700)], self._octets[min(most, 700) :]
        return piece

    def send(self, octets: bytes) -> int:
        return len(octets)

    def settimeout(self, seconds: float) -> None: ...

    def close(self) -> None:
        self._octets = b""


def imap_answers(octets: bytes) -> None:
    """First line: capabilities; then all the server says.  A session is lost or goes on, nothing else is raised."""
    told, _, said = octets.partition(b"\n")
    session = ImapSession(Wire(cast(socket.socket, Said(said)), "mail.example", 20, now_s=lambda: 0.0))
    session.capabilities = frozenset(told.decode("ascii", "replace").upper().split())
    source = ImapSource(session)
    for ask in (
        source.folders,
        lambda: source.changes("INBOX", None, []),
        lambda: source.changes("INBOX", FolderState(7, 4, 90), [1, 2, 3]),
        lambda: list(source.headers("INBOX", [1, 4], 7)),
        lambda: source.fetch("INBOX", 4, ["1", "HEADER"], 7),
        lambda: source.apply(StoreFlags("INBOX", (1, 4), frozenset({"\\Seen"}), frozenset(), 7)),
        lambda: source.find_by_message_id("INBOX", "<a@b>"),
    ):
        try:
            ask()
        except (ConnectionLost, ProtocolError, TimedOut):
            return
        except MailError:
            continue


def body_structure(octets: bytes) -> None:
    has_attachments(octets)
    with suppress(ProtocolError):
        parse_bodystructure(octets)


# Names of folders, as servers write them


def name_of_folder(octets: bytes) -> None:
    """A name that is shown leads back to the folder it came from."""
    name = names.decode(octets)
    if name is None:
        return
    with suppress(BadInput):
        names.check(name)
        assert names.encode(name, utf8=not octets.isascii()) == names.quoted(octets)


# Messages


def message(octets: bytes) -> None:
    """Every message can be shown, and its parts lie inside of it."""
    parsed = parse(octets)
    for as_text in (False, True):
        sections = {name: parsed.sections.get(name, b"") for name in wanted_sections(parsed.root, as_text=as_text)}
        body = render(parsed.root, sections, REFERENCES, Words(), as_text=as_text, damaged=parsed.damaged)
        assert faults_of(body) == []
    read_envelope(octets[: octets.find(b"\r\n\r\n") + 4 or None])


def stored_message(octets: bytes) -> None:
    """What is stored of a hosted message can be read by our own client, and its parts lie inside of it."""
    structure = read_structure(octets)
    assert unpack(pack(structure.parts)) == structure.parts
    assert isinstance(read_value(structure.envelope), list)
    parse_bodystructure(structure.body_structure)
    parse_bodystructure(body_without_extensions(structure.body_structure))
    parts = by_section(structure.parts)
    for part in structure.parts:
        assert 0 <= part.header_at <= part.body_at <= part.body_at + part.body_octets <= len(octets)
    text = MessageText(parts, lambda at, length: octets[at : at + length])
    text.all_fields(), text.body_texts()
    with suppress(MailError):
        authors(read_header(octets, is_whole=True))


# Charsets


def charset(octets: bytes) -> None:
    """First line: the charset."""
    named, _, text = octets.partition(b"\n")
    decode.text(text, named.decode("latin-1")).encode()  # whatever is read can be written
    for header in (text, b"=?" + named + b"?q?" + text + b"?=", b"=?" + named + b"?b?" + text + b"?="):
        assert b"\n" not in decode.header(header).encode()
    for encoding in ("base64", "quoted-printable", "x-uuencode"):
        pieces = b"".join(decode.transfer_stream([text[:7], text[7:]], encoding))
        assert pieces == decode.transfer(text, encoding)
    kind, params = decode.split_params(text.decode("latin-1"))
    decode.token(kind)
    assert "/" not in decode.safe_filename(decode.params(params).get("name", ""))


# Markup


def html(octets: bytes) -> None:
    """Nothing that could run gets through the first wall, and what went through goes through unchanged."""
    text = octets.decode("utf-8", "replace")
    assert faults_of(SafeHtml(as_html(html_to_text(text), "Show"))) == []
    with suppress(TooComplex):
        safe = sanitise(text, REFERENCES)
        assert faults_of(safe) == []
        assert faults_of(sanitise(safe.html, REFERENCES)) == []


def css(octets: bytes) -> None:
    text = octets.decode("utf-8", "replace")
    for kept in (safe_style(text), safe_sheet(text, "#mail")):
        assert not HARMFUL_CSS.search(kept), kept


# Configuration files


def autoconfig(octets: bytes) -> None:
    with suppress(ProtocolError):
        parse_autoconfig(octets, "ann@x.example")


# Addresses and header fields


def addresses(octets: bytes) -> None:
    """What is taken as an address can be sent to; what is not comes back as it was."""
    text = octets.decode("utf-8", "replace")
    typed = parse_addresses(text, decode.header)
    for address in typed.addresses:
        field = address_field("To", [address])
        assert field.isascii() or address.needs_smtputf8
        assert "\n" not in field.replace("\r\n ", "").removesuffix("\r\n"), field
    mailboxes(octets, limit=100)
    address_lists.parse_addresses(octets)
    read_envelope(b"From: " + octets + b"\r\n\r\n")
    for utf8 in (False, True):
        with suppress(MailError):
            parse_address(text, utf8=utf8)
    with suppress(MailError):
        authors(read_header(b"From: " + octets + b"\r\n\r\n", is_whole=True))
