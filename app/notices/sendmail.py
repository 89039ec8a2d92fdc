"""Handing a mail to the machine's own sendmail."""

from __future__ import annotations

import shutil
import subprocess
from email.message import EmailMessage

from app.errors import ServerUnreachable, SubmissionRefused, TimedOut

TIMEOUT_S = 15
USUAL_PLACES = "/usr/sbin:/usr/lib"
MAX_WORDS = 500


def send_by_sendmail(message: EmailMessage) -> None:
    """Raises ServerUnreachable if there is no such program, SubmissionRefused with its words, TimedOut."""
    program = shutil.which("sendmail") or shutil.which("sendmail", path=USUAL_PLACES)
    if program is None:
        raise ServerUnreachable("This machine has no sendmail program.")
    command = [program, "-i", "-f", str(message["From"]), "--", str(message["To"])]
    try:
        done = subprocess.run(command, input=message.as_bytes(), capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603  no shell
    except subprocess.TimeoutExpired:
        raise TimedOut from None
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip()[:MAX_WORDS]
        raise SubmissionRefused(words or f"exit status {done.returncode}")
