"""From what was written to the octets that are sent (RFC 5322, RFC 2045-2047, RFC 2231); pure.

The body is the standard library's: `EmailMessage` with 7-bit transfer encodings and lines of at most 76 octets, so no
server on the way has a reason to change it.  The header fields above it are written here: the library, up to 3.13 at
least, encodes the comma between two non-ASCII names, breaks long Message-IDs and loses spaces of a folded Subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import format_datetime

from app.compose import encoded_words
from app.compose.addresses import Address, one_line, quote_name

LINE_OCTETS = 76
POLICY = SMTP.clone(cte_type="7bit", max_line_length=LINE_OCTETS)
MAX_SUBJECT = 2_000  # characters
MAX_REFERENCES = 30  # the first and the newest: enough for any reader to thread by
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,240}>")
TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}")
CONTENT_ID = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~@-]{1,200}")


@dataclass(frozen=True, slots=True)
class Attached:
    """A file; with a `content_id` an image that stands in the HTML as `cid:…`."""

    filename: str
    content_type: str
    data: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as somebody wrote it.  `message_id` and the references are in angle brackets; `html` may be empty."""

    sender: Address
    date: datetime
    message_id: str
    to: Sequence[Address] = ()
    cc: Sequence[Address] = ()
    bcc: Sequence[Address] = ()
    reply_to: Sequence[Address] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    in_reply_to: str = ""
    references: str = ""
    attachments: Sequence[Attached] = ()


def build(letter: Letter, *, keep_bcc: bool = False) -> bytes:
    """The whole message, CRLF lines.  Bcc is left out, except for a draft's own copy (`keep_bcc`, RFC 5322 §3.6.3)."""
    lines = [
        f"Date: {format_datetime(letter.date)}\r\n",
        address_field("From", [letter.sender]),
        address_field("Reply-To", letter.reply_to),
        address_field("To", letter.to),
        address_field("Cc", letter.cc),
        address_field("Bcc", letter.bcc if keep_bcc else ()),
        _fold("Message-ID", message_ids(letter.message_id)),
        _fold("In-Reply-To", message_ids(letter.in_reply_to)[-1:]),
        _fold("References", bounded_references(message_ids(letter.references))),
        _fold("Subject", encoded_words.as_text(one_line(letter.subject)[:MAX_SUBJECT].strip())),
    ]
    return "".join(lines).encode() + _content(letter).as_bytes()


def add_bcc(message: bytes, bcc: Sequence[Address]) -> bytes:
    """`message` with its Bcc on top, for the sender's own copy in Sent."""
    return address_field("Bcc", bcc).encode() + message


def envelope_recipients(letter: Letter) -> list[str]:
    """Everybody it goes to, once each, as the wire spells them."""
    everybody = {address.key: address.wire for address in (*letter.to, *letter.cc, *letter.bcc)}
    return list(everybody.values())


def new_message_id(unique: str, sender: Address) -> str:
    """A Message-ID on the sender's domain (RFC 5322 §3.6.4); `unique` must never be given twice."""
    return f"<{unique}@{sender.wire.rpartition('@')[2]}>"


def message_ids(text: str) -> list[str]:
    """The well-formed Message-IDs in `text`, in order."""
    return MESSAGE_ID.findall(text)


def bounded_references(references: Sequence[str]) -> list[str]:
    """At most MAX_REFERENCES: the thread's first, then the newest (RFC 5322 §3.6.4)."""
    once = list(dict.fromkeys(references))
    return once if len(once) <= MAX_REFERENCES else [once[0], *once[1 - MAX_REFERENCES :]]


def address_field(name: str, addresses: Sequence[Address]) -> str:
    """A whole header field with its line end, folded; empty for nobody."""
    last = len(addresses) - 1
    written = ((*_mailbox(address),) for address in addresses)
    return _fold(name, [word for n, words in enumerate(written) for word in _with_comma(words, more=n < last)])


def _with_comma(words: Sequence[str], *, more: bool) -> Sequence[str]:
    return [*words[:-1], words[-1] + ","] if more else words


def _mailbox(address: Address) -> Iterator[str]:
    name = one_line(address.name)
    if not name:
        yield address.wire
        return
    yield from encoded_words.as_phrase(name, quote_name(name))
    yield f"<{address.wire}>"


def _fold(name: str, words: Iterable[str]) -> str:
    """`Name: word word …` with line breaks before words that would pass LINE_OCTETS; empty without words."""
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > LINE_OCTETS and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += " " + word
    return "" if lines == [f"{name}:"] else "\r\n".join(lines) + "\r\n"


def _content(letter: Letter) -> EmailMessage:
    """The body: text, or text and HTML with its images, and the attachments behind."""
    message = EmailMessage(policy=POLICY)
    message.set_content(lines_of(letter.text))
    if letter.html:
        message.add_alternative(lines_of(letter.html), subtype="html")
        inline = [attached for attached in letter.attachments if attached.content_id]
        _add_images(message, inline)
    for attached in letter.attachments:
        if not (letter.html and attached.content_id):
            maintype, subtype = safe_type(attached.content_type).split("/")
            message.add_attachment(
                attached.data, maintype=maintype, subtype=subtype, filename=safe_filename(attached.filename)
            )
    return message


def _add_images(message: EmailMessage, images: Sequence[Attached]) -> None:
    html = message.get_payload(1)
    assert isinstance(html, MIMEPart)
    for image in images:
        maintype, subtype = safe_type(image.content_type).split("/")
        html.add_related(
            image.data,
            maintype=maintype,
            subtype=subtype,
            cid=f"<{safe_content_id(image.content_id)}>",
            filename=safe_filename(image.filename),
            disposition="inline",
        )


def lines_of(text: str) -> str:
    """`text` with LF line ends, without NUL and lone surrogates, and with one line end at its end."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return plain.encode(errors="replace").decode().rstrip("\n") + "\n"


def safe_type(content_type: str) -> str:
    """A media type that may hold anything as base64; composites are only octets to us (RFC 2046 §5.2.1)."""
    kind = content_type.partition(";")[0].strip().lower()
    if not TYPE.fullmatch(kind) or kind.startswith(("multipart/", "message/")):
        return "application/octet-stream"
    return kind


def safe_filename(filename: str) -> str:
    """A bare name on one line: no folders, no controls; never empty."""
    bare = one_line(filename.replace("\\", "/").rpartition("/")[2])
    return bare[:200].strip(" .") or "attachment"


def safe_content_id(content_id: str) -> str:
    bare = content_id.strip("<>")
    return bare if CONTENT_ID.fullmatch(bare) else "image"
