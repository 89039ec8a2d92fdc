"""A few hundred believable letters for the demo's mailbox: the same every time, dated back from when they are made."""

from __future__ import annotations

import email.utils
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from html import escape
from struct import pack

from demo.topics import BULLETINS, NOTICES, PEOPLE, THREADS

ME = ("Maren Holt", "maren@demo.example")
INBOX, SENT, ARCHIVE = "INBOX", "Sent", "Archive"


@dataclass(frozen=True)
class Letter:
    """One message, the folder it lies in, its flags and when it came."""

    folder: str
    octets: bytes
    flags: frozenset[str]
    received_at: datetime


def letters(now: datetime) -> list[Letter]:
    """Every letter, oldest first; nothing in them depends on anything but `now`."""
    chance = random.Random(1785)
    made = [*conversations(chance, now), *bulletins(chance, now), *notices(chance, now), *drafts(now)]
    return sorted(made, key=lambda letter: letter.received_at)


def conversations(chance: random.Random, now: datetime) -> Iterator[Letter]:
    """Threads between Maren and people she knows, some long, the newest of today."""
    for round_number in range(4):
        for index, (subject, turns) in enumerate(THREADS):
            days_ago = round_number * 32 + index * 1.3 + chance.random()
            subject_now = (
                subject if round_number == 0 else f"{subject} ({['', 'spring', 'summer', 'last year'][round_number]})"
            )
            begun = now - timedelta(days=days_ago, minutes=20)
            yield from conversation(chance, subject_now, turns, begun, now, recent=days_ago < 3)


def conversation(
    chance: random.Random, subject: str, turns: tuple[str, ...], begun: datetime, now: datetime, *, recent: bool
) -> Iterator[Letter]:
    """One thread: turns alternate between a person and Maren; a turn that starts with * carries a file."""
    person = chance.choice(PEOPLE)
    references: list[str] = []
    at = begun
    for number, turn in enumerate(turns):
        mine = number % 2 == 1
        sender, reader = (ME, person) if mine else (person, ME)
        message = new_message(sender, reader, f"Re: {subject}" if number else subject, at, references)
        message.set_content(letter_text(turn.lstrip("*"), reader[0], sender[0]))
        if turn.startswith("*"):
            attach_something(message, chance)
        references.append(str(message["Message-ID"]))
        last = number == len(turns) - 1
        folder = SENT if mine else INBOX if recent or chance.random() < 0.7 else ARCHIVE
        yield letter(
            message, folder, at, seen=mine or not (recent and last), flagged=not mine and chance.random() < 0.08
        )
        at = min(at + timedelta(hours=chance.uniform(0.3, 20)), now - timedelta(minutes=3 + number))


def bulletins(chance: random.Random, now: datetime) -> Iterator[Letter]:
    """Newsletters in HTML, with pictures that only load when asked."""
    for number in range(48):
        sender, title, paragraphs, color = BULLETINS[number % len(BULLETINS)]
        at = now - timedelta(days=number * 2.4 + chance.random(), hours=2)
        message = new_message(sender, ME, f"No. {212 - number}: {title}", at, [])
        message["List-Id"] = f"<letter.{sender[1].partition('@')[2]}>"
        message["List-Unsubscribe"] = f"<https://{sender[1].partition('@')[2]}/leave>"
        message.set_content("\n\n".join(paragraphs) + "\n")
        message.add_alternative(bulletin_html(title, paragraphs, color, sender[1]), subtype="html")
        yield letter(message, INBOX if number < 30 else ARCHIVE, at, seen=number > 3)


def notices(chance: random.Random, now: datetime) -> Iterator[Letter]:
    """Mail that machines write: tickets, statements, builds; some with a file."""
    for number in range(90):
        sender, subject, body = NOTICES[number % len(NOTICES)]
        at = now - timedelta(days=number * 1.2 + chance.random(), hours=chance.randrange(8))
        message = new_message(sender, ME, subject.format(n=4096 - number), at, [])
        message.set_content(body.format(n=4096 - number, day=f"{at:%A}") + "\n")
        if "attached" in body:
            message.add_attachment(
                small_pdf(subject), maintype="application", subtype="pdf", filename=f"{4096 - number}.pdf"
            )
        junk = "prize" in subject
        yield letter(message, "Junk" if junk else INBOX if number < 60 else ARCHIVE, at, seen=number > 5)


def drafts(now: datetime) -> Iterator[Letter]:
    """What Maren has begun elsewhere."""
    message = new_message(ME, PEOPLE[0], "Sunday", now - timedelta(hours=5), [])
    message.set_content("Dear Ines,\n\nabout Sunday: I could bring the long table, if\n")
    yield Letter("Drafts", octets_of(message), frozenset({"\\Draft", "\\Seen"}), now - timedelta(hours=5))


def new_message(
    sender: tuple[str, str], reader: tuple[str, str], subject: str, at: datetime, references: list[str]
) -> EmailMessage:
    """The header of a letter; its Message-ID is made from what it says, so it is the same every time."""
    message = EmailMessage()
    message["From"] = email.utils.formataddr(sender)
    message["To"] = email.utils.formataddr(reader)
    message["Subject"] = subject
    message["Date"] = email.utils.format_datetime(at)
    number = zlib.crc32(f"{sender}{subject}{len(references)}".encode())
    message["Message-ID"] = f"<{number:08x}.{len(references)}@{sender[1].partition('@')[2]}>"
    if references:
        message["In-Reply-To"] = references[-1]
        message["References"] = " ".join(references)
    return message


def letter(message: EmailMessage, folder: str, at: datetime, *, seen: bool, flagged: bool = False) -> Letter:
    flags = {"\\Seen"} if seen else set()
    return Letter(folder, octets_of(message), frozenset(flags | ({"\\Flagged"} if flagged else set())), at)


def octets_of(message: EmailMessage) -> bytes:
    """As it travels; boundaries are named after the message, so that the octets are the same every time."""
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{zlib.crc32(str(message['Message-ID']).encode()):08x}_{number}")
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def letter_text(words: str, reader: str, sender: str) -> str:
    return f"Dear {reader.split()[0]},\n\n{words}\n\n{sender.split()[0]}\n"


def attach_something(message: EmailMessage, chance: random.Random) -> None:
    """A picture, a PDF or a list."""
    match chance.randrange(3):
        case 0:
            message.add_attachment(small_png(chance), maintype="image", subtype="png", filename="the-lake.png")
        case 1:
            message.add_attachment(
                small_pdf("Proofs"), maintype="application", subtype="pdf", filename="proofs, set 2.pdf"
            )
        case _:
            message.add_attachment("item;count\nlamps;12\nchairs;48\n", filename="what-we-need.csv")


def bulletin_html(title: str, paragraphs: tuple[str, ...], color: str, address: str) -> str:
    site = f"https://{address.partition('@')[2]}"
    body = "".join(f'<p style="margin:0 0 16px;line-height:1.6">{escape(text)}</p>' for text in paragraphs)
    return f"""<html><body style="margin:0;background-color:#f4f1ec">
<table width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">
<table width="600" cellpadding="24" style="background-color:#ffffff;font-family:Georgia,serif;color:#222222"><tr>
<td style="border-top:6px solid {color}"><img src="{site}/head.png" width="552" height="120" alt="">
<h1 style="font-size:26px;color:{color}">{escape(title)}</h1>{body}
<p><a href="{site}/read" style="color:{color}">Read on at {site.removeprefix("https://")}</a></p>
<p style="font-size:12px;color:#777777">You receive this because you asked for it.
<a href="{site}/leave">Leave the list</a></p>
<img src="{site}/seen.gif" width="1" height="1" alt=""></td></tr></table></td></tr></table></body></html>"""


def small_png(chance: random.Random) -> bytes:
    """A picture of a lake at dusk: bands of colour, 320 × 200."""
    sky, lake = chance.randrange(40, 90), chance.randrange(90, 140)
    rows = b"".join(
        b"\0" + bytes((255 - y // 2, 180 - y // 3, sky + y // 2) if y < 110 else (40, lake - y // 4, 120)) * 320
        for y in range(200)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", pack(">IIBBBBB", 320, 200, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def small_pdf(title: str) -> bytes:
    """One page with a title."""
    words = title.encode("ascii", "replace").replace(b"(", b"").replace(b")", b"")
    stream = b"BT /F1 24 Tf 72 720 Td (" + words + b") Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        table,
        len(out),
    )
