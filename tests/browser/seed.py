"""A home with believable mail, laid straight into the mirror: what the browser tests walk through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.accounts.models import AccountState, MailAccount
from app.engine.models import Engine
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.mirror.bodies import store_section
from app.mirror.models import Folder, Message
from app.runtime import Runtime
from app.sources import Role
from app.users.models import User
from tests.factories import make_account, make_folder, make_message

PLAIN = b'("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "8BIT" 1152 23 NIL NIL NIL NIL)'
HTML = b'("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "8BIT" 4152 83 NIL NIL NIL NIL)'
WITH_PDF = (
    b'(("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "8BIT" 1152 23 NIL NIL NIL NIL)'
    b'("APPLICATION" "PDF" ("NAME" "spring-proof-2.pdf") NIL NIL "BASE64" 219000 NIL '
    b'("ATTACHMENT" ("FILENAME" "spring-proof-2.pdf")) NIL NIL) "MIXED" ("BOUNDARY" "b") NIL NIL NIL)'
)

NEWSLETTER = """<html><body style="margin:0;background:#f4efe6">
<table width="100%" cellpadding="24"><tr><td align="center">
<table width="560" style="background:#ffffff;border:1px solid #e4d9c8" cellpadding="28"><tr><td>
<p style="font:12px Georgia,serif;color:#8a7a60;letter-spacing:2px">THE SLOW LETTER</p>
<h1 style="font:28px Georgia,serif;color:#3b2c1a;margin:0 0 12px">Walking the old post road</h1>
<img src="https://images.slowletter.example/212/road.jpg" width="504" height="180" alt="A road between low hills">
<p style="font:17px/1.6 Georgia,serif;color:#33291d">In the spring of 1785 a letter from the harbour to the mountain
towns took five days, if the river was kind. The riders changed horses eleven times. Last month we walked the whole
road, forty kilometres of it still unpaved, with a copy of the postmaster's diary and one stubborn mule.</p>
<p style="font:17px/1.6 Georgia,serif;color:#33291d">What surprised us most is how little has moved. Three of the inns
still take guests. The milestone at Varn bridge is still crooked.</p>
<p><a href="https://slowletter.example/212" style="color:#7d4a1e">Read the walk in four parts</a></p>
<img src="https://track.slowletter.example/open.gif" width="1" height="1" alt="">
</td></tr></table></td></tr></table></body></html>"""

LETTER = """Dear Alice,

the second set is attached. Page 14 still has the old caption; everything else is
ready for print. The paper came in this morning: the warm white one, 120 grams.

Could you look at three things before Thursday?

1. the caption on page 14
2. the red on the cover, which I would take a little darker
3. whether the colophon should name the binder

See https://press.example/spring for the whole set.

Warm regards,
Ines

> Shall we take the matt paper after all?
> It photographs better.
"""

# marks (s seen, f flagged, a answered, c clip) | name | address | subject, and the preview on the next line
LETTERS = """\
c | Ines Ferreira | ines@press.example | Proofs for the spring catalogue
The second set is attached. Page 14 still has the old caption; everything else is ready.
- | Tobias Lindqvist | tobias@lindqvist.example | Rehearsal moves to Thursday
The hall has a leak above the stage, so we take the parish room this week. Same time.
c | Northwind Rail | tickets@northwind.example | Your tickets to Aarhus, 4 December
Coach 3, seats 41 and 42. Show the code on your phone or print it at home.
s | The Slow Letter | post@slowletter.example | No. 212: Walking the old post road
Forty kilometres, three inns and one stubborn mule. What the riders saw.
sfa | Linnea Okafor | linnea@okafor.example | Kitchen tiles: the two that are left
I would take the matt one. The samples look grey at noon but warm in the evening.
- | Harbour Bank | letters@harbour.example | Your November statement is ready
Sign in to read it. We never ask for your password by mail.
sac | Priya Raman | priya@raman.example | Contract for the reading-room lamps
Clause 4 is fine with us now. If you sign by Friday, they can hang them before Christmas.
sfc | Jonas Weber | jonas@weber.example | Photos from the lake
Twelve for now. The heron came out better than I hoped.
- | Town Library | library@town.example | Two books are due on Friday
The Art of Plain Tables; A History of Paper. Both can be renewed once.
- | Amal Haddad | amal@haddad.example | Question about invoice 2026-118
The sum is right, but our order number is missing. Could you send it once more?
s | Kvist Bicycle Workshop | shop@kvist.example | Your bicycle is ready
New chain, new cassette; the rear brake only needed cleaning. Open until 18:00.
sfa | Greta Holt | greta@holt.example | Sunday
Come at noon and bring the big pot. Grandfather wants to show you the shed.
sc | Samuel Adeyemi | samuel@adeyemi.example | Notes from the neighbours' meeting
The bicycle shed passes, the fence waits for spring. Full notes attached.
sa | Elif Yılmaz | elif@yilmaz.example | Type for the poster
Agreed on the narrow cut. I set a second line in the smaller size, see what you think.
s | Mina Castellanos | mina@castellanos.example | Workshop in February
Sixteen people have signed up so far, so the large room it is. Do you need the press?
"""
OLDER = 60
CACHED = 6
MARKS = {"s": "\\Seen", "f": "\\Flagged", "a": "\\Answered"}


@dataclass(frozen=True)
class Letter:
    """One of LETTERS, or an older one."""

    name: str
    address: str
    subject: str
    preview: str
    received_at: datetime
    flags: frozenset[str]
    has_attachment: bool = False

    @property
    def is_html(self) -> bool:
        return self.name == "The Slow Letter"


def written(now: datetime) -> Sequence[Letter]:
    """LETTERS as of `now`, newest first."""
    lines = LETTERS.splitlines()
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return [_letter(place, now, *pair) for place, pair in enumerate(pairs)]


def _letter(place: int, now: datetime, envelope: str, preview: str) -> Letter:
    marks, name, address, subject = envelope.split(" | ")
    received_at = now - timedelta(minutes=40 + 53 * place * (1 + place / 3))
    flags = frozenset(MARKS[mark] for mark in marks if mark in MARKS)
    return Letter(name, address, subject, preview, received_at, flags, "c" in marks)


def written_before(now: datetime, number: int = OLDER) -> Sequence[Letter]:
    """Plain ones that nobody looks at, newest first."""
    return [
        Letter(
            "Reading Circle", "circle@reading.example", f"From the archive, part {number - place}", "As every month.",
            now - timedelta(days=8 + place / 3), frozenset({"\\Seen"}),
        )
        for place in range(number)
    ]  # fmt: skip


@dataclass(frozen=True)
class Home:
    """What was laid down: the letters newest first."""

    account: MailAccount
    inbox: Folder
    archive: Folder
    trash: Folder
    letters: Sequence[Message]
    older: int


def lay_down(parts: Runtime, db: Session, owner: User, now: datetime, *, older: int = OLDER) -> Home:
    """An account with folders, the letters above (the newest with an attachment, the fourth HTML), `older` plain ones.

    The bodies of the newest few are cached; no engine runs to fetch others.
    """
    db.merge(MailServices(id=1, mode=Mode.EXTERNAL))
    db.add(Engine(machine="one", pid=1, started_at=now, heartbeat_at=now + timedelta(days=365)))
    account = make_account(db, owner, address="alice@home.example", label="Home", vault=parts.vault, state=READY)
    folders = {role: make_folder(db, account, name, role) for name, role in ROLES}
    for name in OWN_FOLDERS:
        make_folder(db, account, name)
    commit, db.commit = db.commit, db.flush  # type: ignore[method-assign]
    inbox = folders[Role.INBOX]
    for each in written_before(now, older):
        make_message(
            db, inbox, subject=each.subject, from_name=each.name, flags=each.flags, received_at=each.received_at
        )
    letters = [_mirrored(db, inbox, each) for each in written(now)]
    make_message(
        db, folders[Role.SENT], answers=letters[4], subject="Re: Kitchen tiles", from_name="Alice",
        from_address="alice@home.example", recipients="Linnea Okafor", flags=["\\Seen"],
        received_at=letters[4].received_at - timedelta(hours=1),
    )  # fmt: skip
    db.commit = commit  # type: ignore[method-assign]
    db.commit()
    for message in letters[:CACHED]:
        body = NEWSLETTER if message.bodystructure == HTML else LETTER
        store_section(db, parts.vault, account, message.id, "1", iter([body.encode()]), now)
    return Home(account, inbox, folders[Role.ARCHIVE], folders[Role.TRASH], letters, older)


READY = AccountState.READY
OWN_FOLDERS = ("Receipts", "Travel", "Travel/Aarhus 2026")
ROLES = (
    ("INBOX", Role.INBOX), ("Drafts", Role.DRAFTS), ("Sent", Role.SENT), ("Archive", Role.ARCHIVE),
    ("Junk", Role.JUNK), ("Trash", Role.TRASH),
)  # fmt: skip


def _mirrored(db: Session, inbox: Folder, letter: Letter) -> Message:
    name, address, subject = letter.name, letter.address, letter.subject
    return make_message(
        db,
        inbox,
        from_name=name,
        from_address=address,
        subject=subject,
        preview=letter.preview,
        flags=letter.flags,
        has_attachments=letter.has_attachment,
        bodystructure=HTML if letter.is_html else WITH_PDF if subject.startswith("Proofs") else PLAIN,
        received_at=letter.received_at,
        header=f"From: {name} <{address}>\r\nTo: Alice <alice@home.example>\r\nSubject: {subject}\r\n".encode(),
    )


def make_troubled_accounts(db: Session, owner: User, now: datetime) -> None:
    """One account whose password no longer works, one whose first sync goes on."""
    studio = make_account(db, owner, label="Fernhill Studio", sync_total=41_870, sync_done=26_300)
    make_folder(db, studio)
    make_folder(db, studio, "Printers")
    make_account(db, owner, label="Choir", state=AccountState.REFUSED, error="LoginRefused", last_sync_at=now)
