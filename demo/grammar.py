"""Just enough of IMAP's grammar (RFC 9051 §9) for a sample server: arguments, sets, quoting, BODYSTRUCTURE."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import Message

Argument = "bytes | list[Argument]"

TOKEN = re.compile(rb'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|\{(\d+)\+?\}\r\n|((?:[^\s()"\[{]|\[[^\]]*\](?:<[^>]*>)?)+))')


def parse_arguments(line: bytes) -> list[object]:
    """The arguments of a command: octets, or lists for what stood in parentheses.  Raises ValueError."""
    stack: list[list[object]] = [[]]
    at = 0
    while at < len(line.rstrip()):
        found = TOKEN.match(line, at)
        if not found:
            raise ValueError("cannot read the arguments")
        at = found.end()
        if found[1]:
            stack.append([])
        elif found[2]:
            if len(stack) == 1:
                raise ValueError("a parenthesis too many")
            inner = stack.pop()
            stack[-1].append(inner)
        elif found[4]:
            stack[-1].append(line[at : at + int(found[4])])
            at += int(found[4])
        else:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", found[3]) if found[3] is not None else found[5])
    if len(stack) != 1:
        raise ValueError("a parenthesis is open")
    return stack[0]


def numbers_in(text: str, highest: int) -> list[tuple[int, int]]:
    """Ranges of a sequence set such as `1:4,9,20:*`."""
    ranges = []
    for piece in text.split(","):
        first, _, last = piece.partition(":")
        low, high = (highest if end == "*" else int(end) for end in (first, last or first))
        ranges.append((min(low, high), max(low, high)))
    return ranges


def quote(text: str | bytes | None) -> bytes:
    """A string as IMAP writes it: NIL, quoted, or a literal where quoting cannot hold it."""
    if text is None:
        return b"NIL"
    octets = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    if re.search(rb'[\r\n"\\\x00\x80-\xff]', octets):
        return b"{%d}\r\n%s" % (len(octets), octets)
    return b'"%s"' % octets


def bodystructure(message: Message) -> bytes:
    """BODYSTRUCTURE of a parsed message (RFC 9051 §7.5.2)."""
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        children = message.get_payload()
        assert isinstance(children, list)
        inner = b"".join(bodystructure(child) for child in children if isinstance(child, Message))
        return b"(%s %s %s NIL NIL NIL)" % (inner, quote(message.get_content_subtype()), _parameters(message))
    body = _text_of(message)
    fields = [
        quote(message.get_content_maintype()),
        quote(message.get_content_subtype()),
        _parameters(message),
        quote(message.get("Content-ID")),
        b"NIL",
        quote(message.get("Content-Transfer-Encoding", "7bit")),
        b"%d" % len(body),
    ]
    if message.get_content_maintype() == "text":
        fields.append(b"%d" % body.count(b"\n"))
    return b"(" + b" ".join([*fields, b"NIL", _disposition(message), b"NIL", b"NIL"]) + b")"


def section_of(message: Message, octets: bytes, section: str) -> bytes | None:
    """The octets of BODY[section]: whole, HEADER, HEADER.FIELDS, TEXT, or a part such as 1.2; None if there is none."""
    name = section.upper()
    if not name:
        return octets
    if name == "HEADER":
        return octets.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    if name.startswith("HEADER.FIELDS"):
        return _fields(message, re.findall(r"[^\s()]+", section)[1:])
    if name == "TEXT":
        return octets.partition(b"\r\n\r\n")[2]
    numbers, _, rest = section.partition(".MIME")
    part = _part(message, [int(number) for number in numbers.split(".") if number.isdigit()])
    if part is None:
        return None
    if rest or section.endswith(".MIME"):
        return b"".join(b"%s: %s\r\n" % (k.encode(), str(v).encode()) for k, v in part.items()) + b"\r\n"
    return _text_of(part)


def _part(message: Message, numbers: list[int]) -> Message | None:
    for number in numbers:
        children = message.get_payload() if message.is_multipart() else None
        if children is None and number == 1:
            continue
        if not isinstance(children, list) or not 0 < number <= len(children):
            return None
        message = children[number - 1]  # type: ignore[assignment]
    return message


def _fields(message: Message, names: Iterable[str]) -> bytes:
    wanted = {name.lower() for name in names}
    lines = [f"{key}: {value}\r\n" for key, value in message.items() if key.lower() in wanted]
    return "".join(lines).encode("utf-8", "surrogateescape") + b"\r\n"


def _text_of(message: Message) -> bytes:
    payload = message.get_payload()
    text = payload if isinstance(payload, str) else ""
    return re.sub(rb"\r?\n", b"\r\n", text.encode("utf-8", "surrogateescape"))


def _parameters(message: Message) -> bytes:
    pairs = message.get_params(header="content-type") or []
    return _pairs([(key, str(value)) for key, value in pairs[1:]])


def _pairs(pairs: list[tuple[str, str]]) -> bytes:
    if not pairs:
        return b"NIL"
    return b"(" + b" ".join(quote(text) for pair in pairs for text in pair) + b")"


def _disposition(message: Message) -> bytes:
    kind = message.get_content_disposition()
    if not kind:
        return b"NIL"
    name = message.get_filename()
    return b"(%s %s)" % (quote(kind), _pairs([("filename", name)] if name else []))
