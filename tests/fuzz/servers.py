"""What the listeners read: commands however they are cut, sign-ins, names, patterns, searches, journals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import cast
from zlib import crc32

from app.extension_api import MailError, Role
from mailsite_ext.domains.scram import Keys as ScramKeys
from mailsite_ext.domains.scram import Verifier, derive
from mailsite_ext.limits import Limits
from mailsite_ext.protocol import imap_commands as c
from mailsite_ext.protocol import sasl
from mailsite_ext.protocol.append_grammar import LiteralBegins, UrlNamed
from mailsite_ext.protocol.folder_names import canonical, decode_name, encode_name
from mailsite_ext.protocol.imap_limits import BadCommand, ImapLimits
from mailsite_ext.protocol.imap_reader import CommandReader, ContinuationWanted, LiteralChunk
from mailsite_ext.protocol.imap_search import SearchContext, has_modseq, matcher, needs
from mailsite_ext.protocol.imap_url import parse_message_url
from mailsite_ext.protocol.indexed_text import find_term, indexed_text, is_indexable
from mailsite_ext.protocol.list_patterns import Patterns
from mailsite_ext.protocol.message_structure import read_structure
from mailsite_ext.protocol.message_text import MessageText
from mailsite_ext.protocol.sections import by_section
from mailsite_ext.protocol.smtp_grammar import Auth, Data, Quit, StartTls
from mailsite_ext.protocol.smtp_session import Chunk, Event, MessageEnd, SaslResponse, SmtpSession, State
from mailsite_ext.replies import Reply, smtp_reply
from mailsite_ext.storage.journal import (
    FlagsLine,
    FolderLine,
    GoneLine,
    MailboxLine,
    MessageLine,
    history_of,
    parse_line,
    render_line,
    whole_lines,
)
from mailsite_ext.storage.text_index import Entry, TextIndex
from mailsite_ext.storage.values import StoredFolder

SMTP_LIMITS = Limits(message_octets=5_000, text_line_octets=1_000, bad_commands=10_000, refusals=10_000)
IMAP_LIMITS = ImapLimits(line_octets=4_000, literal_octets=500, literals_octets=900, message_octets=5_000)
BYTEWISE = 300  # octets: longer inputs are cut in fewer places


def cuts(octets: bytes) -> Iterator[list[bytes]]:
    """The same octets as they may come: one by one, and in two at some places."""
    yield [octets[at : at + 1] for at in range(len(octets))] if len(octets) <= BYTEWISE else [octets[:1], octets[1:]]
    for at in {octets.find(b"\r") + 1, octets.rfind(b"\n"), len(octets) // 2, len(octets) - 1}:
        yield [octets[: max(at, 0)], octets[max(at, 0) :]]


# SMTP


def smtp(octets: bytes) -> None:
    """The same answers however the octets are cut, and no more of them than lines came (RFC 2920)."""
    whole = smtp_talk([octets])
    assert len(whole) <= octets.count(b"\n") * 2 + 1, "more answers than were asked for"
    for pieces in cuts(octets):
        assert smtp_talk(pieces) == whole, pieces[:2]


def smtp_talk(pieces: list[bytes]) -> list[object]:
    session = SmtpSession(SMTP_LIMITS)
    said: list[object] = []
    body = b""
    for piece in pieces:
        session.receive(piece)
        while True:
            try:
                event = session.next_event()
            except MailError as error:
                said.append((type(error).__name__, session.answer(smtp_reply(error))))
                body = b""
                continue
            if event is None:
                break
            if isinstance(event, Chunk):
                body += event.data
                continue
            said.append((event, body if isinstance(event, MessageEnd) else b"", session.answer(smtp_answer(event))))
            body = b"" if isinstance(event, MessageEnd) else body
    assert session.state in State
    return said


def smtp_answer(event: Event) -> Reply:
    match event:
        case Auth(initial=initial):
            return Reply(334, "") if initial is None else Reply(235 if b"ok" in initial else 535, "2.7.0 x")
        case SaslResponse(data=data):
            return Reply(235 if data and b"ok" in data else 334 if data == b"more" else 535, "2.7.0 x")
        case Data():
            return Reply(354, "go on")
        case StartTls():
            return Reply(454, "4.7.0 not now")
        case Quit():
            return Reply(221, "2.0.0 bye")
    return Reply(250, "2.0.0 ok")


# IMAP


def imap(octets: bytes) -> None:
    """The same commands however the octets are cut; what is refused is refused by BadCommand."""
    for utf8 in (False, True):
        whole = imap_talk([octets], utf8=utf8)
        assert len(whole) <= len(octets) + 1
        for pieces in cuts(octets) if not utf8 else ():
            assert imap_talk(pieces, utf8=utf8) == whole, pieces[:2]


def imap_talk(pieces: list[bytes], *, utf8: bool) -> list[object]:
    reader = CommandReader(IMAP_LIMITS, utf8=utf8)
    said: list[object] = []
    body = b""
    for piece in pieces:
        reader.feed(piece)
        while True:
            try:
                event = reader.next_event()
            except BadCommand as error:
                said.append(error.line())
                continue
            if event is None:
                break
            if isinstance(event, LiteralChunk):
                body += event.data
                continue
            if isinstance(event, LiteralBegins) and event.size % 7 == 0:
                reader.refuse_message()
            if isinstance(event, UrlNamed):
                with suppress(ValueError):
                    parse_message_url(event.url)
            if isinstance(event, c.Idle | c.Authenticate):
                reader.expect_line()
            if isinstance(event, c.Search | c.Sort | c.Thread):
                needs(event.key), has_modseq(event.key), matcher(event.key, SearchContext(0, 3, 9))
            said.append((event, body))
            body = b""
    assert all(each.count(b"\r\n") == 1 for each in said if isinstance(each, bytes))
    return [each for each in said if not isinstance(each, ContinuationWanted)]


# Signing in


def sign_in(octets: bytes) -> None:
    """First line: the mechanism; then what the client says.  Nobody gets in but alice, with her password."""
    mechanism, *responses = octets.split(b"\n")
    with suppress(MailError):
        who = signed_in(sasl.begin(mechanism.decode("ascii", "replace"), nonce="n" * 24), responses)
        assert who is None or who.login == "alice"


def signed_in(exchange: sasl.Exchange, responses: list[bytes]) -> sasl.SignedIn | None:
    wanted: sasl.Wanted = next(exchange)
    try:
        while responses or not isinstance(wanted, sasl.Challenge):
            wanted = exchange.send(sasl_given(wanted, responses))
    except StopIteration as done:
        return cast(sasl.SignedIn, done.value)
    return None


def sasl_given(wanted: sasl.Wanted, responses: list[bytes]) -> sasl.Given:
    if isinstance(wanted, sasl.CheckPassword):
        assert len(wanted.login) <= sasl.LONGEST_NAME
        return (wanted.login, wanted.password) == ("alice", "secret")
    return verifier() if isinstance(wanted, sasl.FindVerifier) else responses.pop(0)


@cache
def verifier() -> Verifier:
    return Verifier(b"s" * 16, 4_096, (ScramKeys(1, *derive("secret", b"s" * 16)),))


# Folders' names, and patterns of them


def folder_name(octets: bytes) -> None:
    """A name that can be read is written the one way it was written, but for the spelling of INBOX."""
    for utf8 in (False, True):
        with suppress(ValueError):
            name = decode_name(octets, utf8=utf8)
            again = encode_name(name, utf8=utf8)
            assert decode_name(again, utf8=utf8) == name
            assert again == octets or octets[:5].upper() == b"INBOX"


def pattern(octets: bytes) -> None:
    """First line: the reference, second: the pattern, third: a name.  As a regular expression would have it."""
    reference, asked, name = (*(each.decode("utf-8", "replace") for each in octets.split(b"\n")), "", "")[:3]
    name, joined = canonical(name), canonical(reference + asked)
    matches = Patterns(reference, [asked])(name)
    if len(re.findall("[*%]+", joined)) > 3 or "inbox" in (name + joined).lower() or len(name) > 300:
        return
    runs = re.sub("[*%]+", lambda run: "*" if "*" in run[0] else "%", joined)
    expression = re.escape(runs).replace(r"\*", "(?s:.*)").replace("%", "[^/]*")
    assert matches == bool(re.fullmatch(expression, name))


# The text index


def text_index(octets: bytes) -> None:
    """First line: a field, second: what is looked for, then a message.  Found where a look at the message finds it."""
    name, words, message = (*octets.split(b"\n", 2), b"", b"")[:3]
    term, field = find_term(words.decode("utf-8", "surrogateescape")), name.decode("ascii", "replace").lower()
    parts = read_structure(message).parts
    if term is None or not term or not is_indexable(parts):
        return
    text = MessageText(by_section(parts), lambda at, octets: message[at : at + octets])
    with closing(TextIndex(Path(":memory:"))) as index:
        with index.writing():
            document = index.add_document("M1", indexed_text(text), b"")
            index.enter(FOLDER, [Entry(1, document, None, (0, 0, 0, "", "", "", "", "", ""))], 1)
        hits = index.find(FOLDER, field, term)
    assert hits is not None
    assert bool(hits.uids) == looked_for(text, field, term), (field, term)


def looked_for(text: MessageText, field: str, term: str) -> bool:
    if field == "text":
        return text.has_in_header(term) or text.has_in_body(term)
    return text.has_in_body(term) if field == "body" else any(term in value for value in text.fields(field))


FOLDER = StoredFolder(1, "F1", "alice", "INBOX", None, True, True, 1, 2, 1, 1, 0, 0, 0, 1)

# Journals


def journal(octets: bytes) -> None:
    """Lines, to which their checksums are put.  What can be read can be written; anything else is counted."""
    lines = [b"%08x %b\n" % (crc32(line), line) for line in octets.split(b"\n")]
    history_of(b"".join(lines))
    assert whole_lines(b"".join(lines) + octets) <= len(b"".join(lines)) + len(octets)
    for line in (*lines, octets):
        with suppress(ValueError):
            render_line(parse_line(line[:-1]))


JOURNAL_SEEDS = (
    b"\n".join(
        render_line(line)[9:-1]
        for line in (
            MailboxLine(None, 7),
            FolderLine(3, "F1", 7, Role.SENT, True, 9, 12),
            MessageLine(4, 10, 1_790_000_000, 1_790_000_001, 300, "4-abc", "M1", "T1", "\\Seen $Work"),
            FlagsLine(11, (1, 2, 3, 9), ""),
            GoneLine(12, (4,)),
        )
    ),
)
