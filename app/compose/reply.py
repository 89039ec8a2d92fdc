"""Answering and forwarding: to whom, from whom, under which subject, with what quoted; pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from email.policy import compat32
from html import escape

from app.compose import html as written_html
from app.compose.addresses import Address, Typed, format_addresses, one_line, parse_addresses
from app.compose.build import bounded_references, message_ids
from app.messages import decode

MAX_QUOTED_CHARS = 500_000
REPLY_PREFIX = re.compile(r"(?:re|aw|sv|vs|antw|odp|ynt|rif|res|回复|答复)(?:\[\d{1,3}\])?\s*[:：]\s*", re.IGNORECASE)
FORWARD_PREFIX = re.compile(r"(?:fwd?|wg|tr|vb|vl|doorst|enc|转发)(?:\[\d{1,3}\])?\s*[:：]\s*", re.IGNORECASE)
SIGNATURE_MARK = "-- "


@dataclass(frozen=True, slots=True)
class Original:
    """What is needed of a received message's header to answer it; ids in angle brackets, `subject` decoded."""

    sender: Typed
    reply_to: Typed
    to: Typed
    cc: Typed
    bcc: Typed = field(default_factory=Typed)  # in a draft's own copy only
    subject: str = ""
    date: str = ""
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()  # what an answer to it refers to: its own, and itself


@dataclass(frozen=True, slots=True)
class Recipients:
    """What stands in To and Cc."""

    to: str
    cc: str = ""


def read_original(header: bytes) -> Original:
    """The Original in raw header fields.  What is missing or damaged is empty; never raises."""
    fields = BytesHeaderParser(policy=compat32).parsebytes(header)

    def text(name: str) -> str:
        return decode.header(str(fields.get(name, "")))

    def people(name: str) -> Typed:
        return parse_addresses(" ".join(str(fields.get(name, "")).split()), decode.header)

    own_id = message_ids(str(fields.get("Message-ID", "")))[:1]
    in_reply_to = message_ids(str(fields.get("In-Reply-To", "")))[:1]
    references = message_ids(str(fields.get("References", ""))) or in_reply_to
    return Original(
        sender=people("From"),
        reply_to=people("Reply-To"),
        to=people("To"),
        cc=people("Cc"),
        bcc=people("Bcc"),
        subject=one_line(text("Subject")),
        date=one_line(text("Date")),
        message_id="".join(own_id),
        in_reply_to="".join(in_reply_to),
        references=tuple(bounded_references([*references, *own_id])),
    )


def reply_recipients(original: Original, own: Collection[str], *, to_all: bool) -> Recipients:
    """To whom an answer goes: Reply-To before From (RFC 5322 §3.6.2), which is where a list that wants it says so.

    Answering one's own message means writing to the same people again.  Never to oneself, unless nobody else is left.
    `own` are the person's addresses, case-folded.
    """
    mine = {address.key for address in original.sender.addresses} <= set(own) and bool(original.sender.addresses)
    answered = original.to if mine else (original.reply_to if original.reply_to.addresses else original.sender)
    if not to_all:
        return Recipients(_field([answered], without=own if mine else ()))
    to = [answered] if mine else [answered, original.to]
    first = {address.key for typed in to for address in typed.addresses}
    return Recipients(_field(to, without=own) or _field([answered]), _field([original.cc], without={*own, *first}))


def _field(people: Iterable[Typed], without: Collection[str] = ()) -> str:
    """The text of an address field; what could not be read stands in it too, to be seen and mended."""
    addresses: dict[str, Address] = {}
    bad: list[str] = []
    for typed in people:
        addresses |= {address.key: address for address in typed.addresses if address.key not in without}
        bad += [item.text for item in typed.bad]
    return ", ".join(filter(None, [format_addresses(addresses.values()), *bad]))


def reply_subject(subject: str) -> str:
    return f"Re: {_without(REPLY_PREFIX, subject)}"


def forward_subject(subject: str) -> str:
    return f"Fwd: {_without(FORWARD_PREFIX, subject)}"


def _without(prefix: re.Pattern[str], subject: str) -> str:
    """`subject` without such prefixes at its beginning, however many."""
    while found := prefix.match(subject):
        subject = subject[found.end() :]
    return subject


def choose_sender(original: Original, identities: Sequence[tuple[int, str]]) -> int | None:
    """Which identity (id, address; in order of preference) answers: the one it came to, or was written from."""
    met = [*original.to.addresses, *original.cc.addresses, *original.sender.addresses]
    keys = [address.key for address in met]
    ours = [(keys.index(address.casefold()), id) for id, address in identities if address.casefold() in keys]
    return min(ours)[1] if ours else (identities[0][0] if identities else None)


def quote_text(text: str) -> str:
    """`text` as a quotation, `> ` before each line, its signature left out (RFC 3676 §4.3, §4.5)."""
    lines = without_signature(text[:MAX_QUOTED_CHARS]).splitlines()
    return "\n".join((">" if line.startswith(">") else "> " if line else ">") + line for line in lines)


def without_signature(text: str) -> str:
    """`text` up to the last line that is `-- `, if a signature (ten lines at most) follows it."""
    lines = text.replace("\r\n", "\n").split("\n")
    marks = [number for number, line in enumerate(lines) if line == SIGNATURE_MARK]
    if marks and len(lines) - marks[-1] <= 11:
        lines = lines[: marks[-1]]
    return "\n".join(lines).rstrip()


def reply_text(attribution: str, text: str, signature: str = "") -> str:
    """The text an answer begins with: room, the signature, and what is answered below."""
    return f"\n\n{signed(signature)}{attribution}\n{quote_text(text)}\n"


def reply_html(attribution: str, quoted: str, signature: str = "") -> str:
    """As `reply_text`, in HTML; remote images are not carried on to others."""
    below = written_html.clean(quoted[:MAX_QUOTED_CHARS], remote_images=False)
    own = written_html.from_text(signed(signature).rstrip()) if signature else ""
    return f'<p><br></p>{own}<p>{escape(attribution)}</p><blockquote type="cite">{below}</blockquote>'


def forward_text(heading: str, fields: Sequence[tuple[str, str]], text: str, signature: str = "") -> str:
    """The text a forwarded message begins with: whose it was, and all of it."""
    head = "\n".join(f"{name}: {value}" for name, value in fields if value)
    return f"\n\n{signed(signature)}---------- {heading} ----------\n{head}\n\n{text[:MAX_QUOTED_CHARS].rstrip()}\n"


def forward_html(heading: str, fields: Sequence[tuple[str, str]], quoted: str, signature: str = "") -> str:
    head = "<br>".join(f"{escape(name)}: {escape(value)}" for name, value in fields if value)
    own = written_html.from_text(signed(signature).rstrip()) if signature else ""
    below = written_html.clean(quoted[:MAX_QUOTED_CHARS])
    return f"<p><br></p>{own}<p>---------- {escape(heading)} ----------<br>{head}</p>{below}"


def signed(signature: str) -> str:
    """A signature below its mark (RFC 3676 §4.3), or nothing."""
    return f"{SIGNATURE_MARK}\n{signature.strip()}\n\n" if signature.strip() else ""
