"""Letters that are delivered to the real server."""

from __future__ import annotations

import base64
import random
from email.message import EmailMessage

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HTML = """\
<h1>The proofs</h1>
<p><img id="own" src="cid:dot@proofs.example" alt="A dot">
<img id="far" src="https://pictures.example/open.png?reader=7" alt="A picture"></p>
"""


def plain(subject: str) -> bytes:
    """A short text."""
    message = _letter(subject)
    message.set_content(f"This is about: {subject}.\n")
    return message.as_bytes()


def with_everything(subject: str) -> tuple[bytes, bytes]:
    """Text, HTML with an image of its own and one from elsewhere, a file; and the octets of that file."""
    file = random.Random(14).randbytes(150_000)
    message = _letter(subject)
    message["X-Weather"] = "fog until ten"
    message.set_content("The proofs, as text.\n")
    message.add_alternative(HTML, subtype="html")
    _, html = message.iter_parts()
    assert isinstance(html, EmailMessage)
    html.add_related(PIXEL, "image", "png", cid="<dot@proofs.example>")
    message.add_attachment(file, "application", "pdf", filename="Übersicht.pdf")
    return message.as_bytes(), file


def _letter(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Nora Lind <sender@example.net>"
    message["To"] = "reader@example.org"
    message["Subject"] = subject
    message["Date"] = "Mon, 23 Nov 2026 09:00:00 +0100"
    message["Message-ID"] = f"<{subject.lower().replace(' ', '-')}@example.net>"
    return message
