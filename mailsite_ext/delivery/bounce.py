"""Delivery status notifications: what a sender hears of a message's fate (RFC 3464, RFC 3461, RFC 6533).  Pure.

One is sent only to somebody who signed in here, from the null sender, and never about another: it cannot make a loop,
and never reaches a stranger whose address was forged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from textwrap import fill

from mailsite_ext.delivery.retry import KEPT_FOR, Notice
from mailsite_ext.protocol.smtp_grammar import Notify
from mailsite_ext.replies import Reply

MOST_RETURNED_OCTETS = 64 * 1024  # of the message itself; of a larger one its header alone
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?=\s|$)")

SUBJECTS = {
    Notice.FAILED: "Not delivered",
    Notice.DELAYED: "Not delivered yet",
    Notice.DELIVERED: "Delivered",
    Notice.RELAYED: "Handed on",
}
WORDS = {
    Notice.FAILED: "Your message was not delivered to the addresses below. It is not tried again.",
    Notice.DELAYED: (
        "Your message has not been delivered to the addresses below yet. It is tried again for "
        f"{KEPT_FOR.days} days; you need not send it again."
    ),
    Notice.DELIVERED: "Your message was delivered to the addresses below.",
    Notice.RELAYED: (
        "Your message was handed to the servers of the addresses below, which do not tell whether they deliver it."
    ),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A recipient that is reported on."""

    address: str
    reply: Reply
    host: str = ""  # the server that answered; empty: none did
    orcpt: str = ""  # "rfc822;bob@there.example", as the sender's client said it, in xtext
    tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """The message that is reported on."""

    sender: str
    queued_at: datetime
    octets: bytes  # the whole, or its header alone where it is large or RET=HDRS
    is_whole: bool
    envid: str = ""


def is_wanted(notice: Notice, notify: frozenset[Notify]) -> bool:
    """Does the sender want to hear this of a recipient?  Nothing said: failures and delays (RFC 3461 §4.1)."""
    wish = {Notice.FAILED: Notify.FAILURE, Notice.DELAYED: Notify.DELAY}.get(notice, Notify.SUCCESS)
    if not notify:
        return wish is not Notify.SUCCESS
    return wish in notify


def status_of(reply: Reply) -> str:
    """The enhanced status code (RFC 3463) of an answer; of one without, the class it has."""
    found = _STATUS.match(reply.words)
    return found[1] if found else f"{reply.code // 100}.0.0"


def returned(octets: bytes, ret: str) -> tuple[bytes, bool]:
    """What of a message goes back, and whether it is the whole (RFC 3461 §4.3: RET)."""
    if ret != "HDRS" and len(octets) <= MOST_RETURNED_OCTETS:
        return octets, True
    end = octets.find(b"\r\n\r\n")
    header = octets if end < 0 else octets[: end + 2]
    return header[:MOST_RETURNED_OCTETS].rpartition(b"\r\n")[0] + b"\r\n", False


def report(
    notice: Notice, original: Original, subjects: Sequence[Subject], *, host: str, now: datetime, token: str
) -> bytes:
    """The whole notification, with CRLF.  `token` is a random word, used nowhere in the original."""
    utf8 = not all(each.address.isascii() for each in subjects)
    boundary = f"report-{token}"
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + _text(notice, subjects),
        _status_part(notice, original, subjects, host, utf8=utf8),
        _returned_part(original, utf8=utf8),
    ]
    divider = f"--{boundary}".encode()
    body = b"".join(b"%b\r\n%b\r\n" % (divider, part) for part in parts)
    return _header(notice, original, host, now, token, boundary) + b"\r\n" + body + divider + b"--\r\n"


def _header(notice: Notice, original: Original, host: str, now: datetime, token: str, boundary: str) -> bytes:
    lines = [
        f"From: Mail delivery <postmaster@{host}>",
        f"To: <{original.sender}>",
        f"Subject: {SUBJECTS[notice]}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{token}@{host}>",
        "Auto-Submitted: auto-replied",  # RFC 3834 §5
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"',
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _text(notice: Notice, subjects: Sequence[Subject]) -> bytes:
    lines = [fill(WORDS[notice], 76), ""]
    for each in subjects:
        said = f"{each.host} said: " if each.host else ""
        lines += [f"  {each.address}", fill(f"{said}{each.reply.code} {each.reply.words}", 72, initial_indent="    ",
                  subsequent_indent="    ")]  # fmt: skip
    return "\r\n".join("\n".join(lines).split("\n")).encode() + b"\r\n"


def _status_part(notice: Notice, original: Original, subjects: Sequence[Subject], host: str, *, utf8: bool) -> bytes:
    """message/delivery-status: fields of the message, then of each recipient (RFC 3464 §2.1)."""
    kind = "global-delivery-status" if utf8 else "delivery-status"
    of_message = [f"Reporting-MTA: dns; {host}", f"Arrival-Date: {format_datetime(original.queued_at)}"]
    if original.envid:
        of_message.insert(0, f"Original-Envelope-Id: {_from_xtext(original.envid)}")
    groups = [of_message, *(_fields(notice, each) for each in subjects)]
    text = "\r\n".join("".join(f"{line}\r\n" for line in group) for group in groups)
    encoding = "Content-Transfer-Encoding: 8bit\r\n" if utf8 else ""
    return f"Content-Type: message/{kind}\r\n{encoding}\r\n{text}".encode()


def _fields(notice: Notice, each: Subject) -> list[str]:
    kind = "rfc822" if each.address.isascii() else "utf-8"
    lines = [f"Original-Recipient: {_from_xtext(each.orcpt)}"] if each.orcpt else []
    lines += [f"Final-Recipient: {kind}; {each.address}", f"Action: {notice}", f"Status: {_status(notice, each)}"]
    if each.host:
        words = " ".join(each.reply.words.split())
        lines += [f"Remote-MTA: dns; {each.host}", f"Diagnostic-Code: smtp; {each.reply.code} {_ascii(words)[:900]}"]
    if each.tried_at:
        lines.append(f"Last-Attempt-Date: {format_datetime(each.tried_at)}")
    return lines


def _status(notice: Notice, each: Subject) -> str:
    """A failure is 5.x.y also where the last answer was a temporary one and the time is over (RFC 3464 §2.3.4)."""
    status = status_of(each.reply)
    return f"5{status[1:]}" if notice is Notice.FAILED else status


def _returned_part(original: Original, *, utf8: bool) -> bytes:
    kind = ("message/global" if utf8 else "message/rfc822") if original.is_whole else "text/rfc822-headers"
    encoding = b"" if original.octets.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return f"Content-Type: {kind}\r\n".encode() + encoding + b"\r\n" + original.octets


def _from_xtext(text: str) -> str:
    """RFC 3461 §4: "+3D" is "="; what is no printable ASCII stays as it was written."""
    return re.sub(r"\+([2-6][0-9A-F]|7[0-9A-E])", lambda found: chr(int(found[1], 16)), text)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
