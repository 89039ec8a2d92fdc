"""The sending side of SMTP without I/O (RFC 5321 §4, RFC 2920, RFC 3207): a conversation is a generator of steps.

Each step is carried out by whoever drives the conversation (`delivery/connection.py`), which sends back the replies it
brought; `return` is what the conversation came to.  What cannot go on raises HostRefused.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from app.extension_api import MailError
from mailsite_ext.protocol.smtp_grammar import Notify
from mailsite_ext.replies import Reply

T = TypeVar("T")

MOST_RECIPIENTS = 100  # of one transaction: every server takes as many (RFC 5321 §4.5.3.1.8)

_EXTENSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class HostRefused(MailError):
    """The host does not go on with us; nothing was said of any recipient.  `reply` is its answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.words)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Say:
    """Send the octets in one write, then read so many replies.  What is secret stands in no transcript."""

    octets: bytes
    replies: int = 1
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class SayMessage:
    """Send the message, its dots stuffed, and the dot that ends it; then read one reply."""


@dataclass(frozen=True, slots=True)
class Secure:
    """Begin TLS; whatever came before it in the clear is thrown away (RFC 3207 §6)."""


Step: TypeAlias = Say | SayMessage | Secure
Conversation: TypeAlias = Generator[Step, Sequence[Reply], T]


@dataclass(frozen=True, slots=True)
class Features:
    """What a server said it can (EHLO): keyword in upper case → its parameters."""

    keywords: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def size_limit_octets(self) -> int:
        """RFC 1870 §3; 0: none was told."""
        told = self.keywords.get("SIZE", "")
        return int(told) if told.isdigit() and len(told) <= 19 else 0

    @property
    def most_recipients(self) -> int:
        """RFC 9422 §4: RCPTMAX."""
        told = re.search(r"(?:^|\s)RCPTMAX=([1-9][0-9]{0,8})(?:\s|$)", self.keywords.get("LIMITS", ""), re.IGNORECASE)
        return min(int(told[1]), MOST_RECIPIENTS) if told else MOST_RECIPIENTS


@dataclass(frozen=True, slots=True)
class To:
    """One recipient: the address as SMTP writes it, and what its sender wants to hear (RFC 3461 §4.1, §4.2)."""

    address: str
    notify: frozenset[Notify] = frozenset()
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message's envelope and what its octets need; `sender` is "" for the null sender."""

    sender: str
    recipients: Sequence[To]
    octets: int
    is_eight_bit: bool = False
    needs_utf8: bool = False  # RFC 6531: an address, or the header
    requires_tls: bool = False  # RFC 8689
    ret: str = ""
    envid: str = ""


def greet(name: str) -> Conversation[Features]:
    """From the connection to the first EHLO's answer.  `name` is ours.  Raises HostRefused."""
    [greeting] = yield Say(b"")
    if greeting.code != 220:
        raise HostRefused(greeting)
    return (yield from _hello(name))


def begin_with_tls() -> Conversation[None]:
    """Before anything is said, where TLS is spoken from the start (RFC 8314 §3)."""
    yield Secure()


def secure(name: str) -> Conversation[Features]:
    """STARTTLS, and EHLO again: what was said before it counts no more (RFC 3207 §4.2).  Raises HostRefused."""
    [reply] = yield Say(b"STARTTLS\r\n")
    if reply.code != 220:
        raise HostRefused(reply)
    yield Secure()
    return (yield from _hello(name))


def _hello(name: str) -> Conversation[Features]:
    [reply] = yield Say(_line(f"EHLO {name}"))
    if reply.code == 250:
        return features_in(reply)
    if not 500 <= reply.code < 600:
        raise HostRefused(reply)
    [reply] = yield Say(_line(f"HELO {name}"))  # RFC 5321 §4.1.4: an old one
    if reply.code != 250:
        raise HostRefused(reply)
    return Features()


def features_in(reply: Reply) -> Features:
    """The keywords of an answer to EHLO; its first line is a greeting (RFC 5321 §4.1.1.1)."""
    words = [line.strip().partition(" ") for line in reply.words.split("\n")[1:]]
    return Features({name.upper(): rest.strip() for name, _, rest in words if _EXTENSION.fullmatch(name)})


def hindrance(mail: Mail, features: Features, *, over_tls: bool) -> Reply | None:
    """Why this server cannot be given the message at all, as a reply of our own; None: nothing is in the way."""
    if mail.needs_utf8 and "SMTPUTF8" not in features:
        return Reply(553, "5.6.7 the next server takes no addresses beyond ASCII (RFC 6531)")
    if mail.requires_tls and not (over_tls and "REQUIRETLS" in features):
        return Reply(550, "5.7.30 the next server does not promise to go on over TLS alone (RFC 8689)")
    limit = features.size_limit_octets
    if limit and mail.octets > limit:
        return Reply(552, f"5.3.4 the message has {mail.octets} octets, the next server takes {limit}")
    return None


def transact(mail: Mail, features: Features) -> Conversation[Mapping[str, Reply]]:
    """One message to at most `features.most_recipients`; the last word on each recipient.  Raises HostRefused on 421.

    2yz: the server answers for it now.
    """
    envelope = [_mail_from(mail, features), *(_rcpt_to(to, features) for to in mail.recipients)]
    pipelined = "PIPELINING" in features
    sender, each, data = (yield from _say_at_once(envelope)) if pipelined else (yield from _say_singly(envelope))
    answers = dict(zip((to.address for to in mail.recipients), each or [sender] * len(mail.recipients), strict=True))
    if not _is_ok(sender):
        answers = dict.fromkeys(answers, sender)
    taken = [address for address, reply in answers.items() if _is_ok(reply)]
    last = yield from _hand_over(data, is_wanted=bool(taken))
    return answers | dict.fromkeys(taken, last)


def _say_at_once(envelope: Sequence[bytes]) -> Conversation[tuple[Reply, Sequence[Reply], Reply]]:
    """RFC 2920 §3.1: MAIL, all RCPT and DATA in one write."""
    sender, *each, data = yield Say(b"".join([*envelope, b"DATA\r\n"]), len(envelope) + 1)
    return sender, each, data


def _say_singly(envelope: Sequence[bytes]) -> Conversation[tuple[Reply, Sequence[Reply], Reply]]:
    [sender] = yield Say(envelope[0])
    each: list[Reply] = []
    for command in envelope[1:] if _is_ok(sender) else ():
        each += yield Say(command)
    if not any(map(_is_ok, each)):
        return sender, each, sender
    [data] = yield Say(b"DATA\r\n")
    return sender, each, data


def _hand_over(data: Reply, *, is_wanted: bool) -> Conversation[Reply]:
    """After the answer to DATA.  A server that waits for a message nobody of it wants gets an empty one."""
    if data.code != 354:
        return data if data.code >= 400 else Reply(451, f"4.5.0 it answered DATA with {data.code}")  # it has no message
    if not is_wanted:
        yield Say(b".\r\n")
        return data
    [last] = yield SayMessage()
    return last


def begin_anew() -> Conversation[None]:
    """Before another message on the same connection.  Raises HostRefused."""
    [reply] = yield Say(b"RSET\r\n")
    if not _is_ok(reply):
        raise HostRefused(reply)


def _is_ok(reply: Reply) -> bool:
    return 200 <= reply.code < 300


def _mail_from(mail: Mail, features: Features) -> bytes:
    words = [f"MAIL FROM:<{mail.sender}>"]
    if "SIZE" in features:
        words.append(f"SIZE={mail.octets}")
    if mail.is_eight_bit and "8BITMIME" in features:  # where it is not, the octets go as they are: most cope
        words.append("BODY=8BITMIME")
    if mail.needs_utf8:
        words.append("SMTPUTF8")
    if mail.requires_tls:
        words.append("REQUIRETLS")
    if "DSN" in features:
        words += [f"{name}={value}" for name, value in (("RET", mail.ret), ("ENVID", mail.envid)) if value]
    return _line(" ".join(words))


def _rcpt_to(to: To, features: Features) -> bytes:
    words = [f"RCPT TO:<{to.address}>"]
    if "DSN" in features and to.notify:
        words.append(f"NOTIFY={','.join(sorted(to.notify))}")
    if "DSN" in features and to.orcpt:
        words.append(f"ORCPT={to.orcpt}")
    return _line(" ".join(words))


def _line(text: str) -> bytes:
    """A command.  Nothing that ends a line gets into one: raises ValueError, a bug of ours."""
    if _CONTROL.search(text):
        raise ValueError("a control character in an SMTP command")
    return text.encode() + b"\r\n"
