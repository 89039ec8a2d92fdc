"""The demo's mailbox on a real Dovecot, where one is installed: loopback only, files in the demo's work directory."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from demo.letters import letters

Deliver = Callable[[bytes, datetime], None]
ROOTS_STAND_IN = "nobody"  # Dovecot serves no mail of root's
LONGEST_FOLDER = 75  # its sockets add up to 29 octets, and such paths end at 107
START_DEADLINE_S = 10.0
FLAG_LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S"}
CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {owner}
default_internal_group = {group}
default_login_user = {owner}
mail_location = maildir:{folder}/mail:LAYOUT=fs
mail_uid = {owner}
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={folder}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Archive {{
    special_use = \\Archive
    auto = subscribe
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
}}
"""


class NotUsable(Exception):
    """Dovecot cannot serve the demo here; the message says why."""


class Dovecot:
    """A running Dovecot; `port` is its IMAP port on loopback."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process, self.port = process, port

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)


def require_usable(folder: Path) -> None:
    """Raises NotUsable where it is not installed, or its files in `folder` could not be served."""
    if shutil.which("dovecot") is None or not Path("/usr/lib/dovecot/imap").exists():
        raise NotUsable("Dovecot is not installed.")
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        raise NotUsable(f"The name of {folder} is too long for Dovecot's sockets.")
    closed = [str(path) for path in folder.parents[1:] if not path.stat().st_mode & 0o001]
    if os.geteuid() == 0 and closed:
        raise NotUsable(f"Dovecot serves no mail as root, and others cannot reach into {closed[0]}.")


def start(work: Path, password: str) -> tuple[Dovecot, Deliver]:
    """Serve the mailbox in `work`/dovecot, made on the first start, and say how mail is put into it.

    Raises NotUsable.
    """
    folder = work / "dovecot"
    require_usable(folder)
    maildir = folder / "mail"
    if not maildir.exists():
        write_maildir(maildir, datetime.now(UTC))
    port = free_port()
    owner = ROOTS_STAND_IN if os.geteuid() == 0 else str(os.geteuid())
    group = "nogroup" if os.geteuid() == 0 else str(os.getegid())
    configuration = folder / "dovecot.conf"
    configuration.write_text(
        CONFIGURATION.format(folder=folder, owner=owner, group=group, password=password, port=port), encoding="utf-8"
    )
    give_away(work, folder)
    command = ["dovecot", "-F", "-c", str(configuration)]
    subprocess.run([*command, "stop"], capture_output=True, check=False)  # one that a killed demo left behind
    process = subprocess.Popen(command, start_new_session=True)
    wait_for(process, port, folder / "log")
    return Dovecot(process, port), deliver_into(maildir)


def write_maildir(maildir: Path, now: datetime) -> None:
    """All letters as a Maildir tree (one folder below another, dates as file times)."""
    numbers = count()
    for letter in letters(now):
        folder = maildir if letter.folder == "INBOX" else maildir / letter.folder
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        flags = "".join(sorted(FLAG_LETTERS[flag] for flag in letter.flags))
        path = folder / "cur" / f"{int(letter.received_at.timestamp())}.{next(numbers)}.demo:2,{flags}"
        path.write_bytes(letter.octets)
        os.utime(path, (letter.received_at.timestamp(),) * 2)


def deliver_into(maildir: Path) -> Deliver:
    """How mail comes in: written to `tmp`, then moved into `new`, as Maildir wants it."""
    numbers = count()

    def deliver(octets: bytes, received_at: datetime) -> None:
        name = f"{received_at.timestamp():.6f}.{next(numbers)}.new.demo"
        (maildir / "tmp" / name).write_bytes(octets)
        if os.geteuid() == 0:
            shutil.chown(maildir / "tmp" / name, ROOTS_STAND_IN)
        (maildir / "tmp" / name).rename(maildir / "new" / name)

    return deliver


def give_away(work: Path, folder: Path) -> None:
    """Started by root, the mail belongs to the stand-in, who must be able to reach it."""
    if os.geteuid() != 0:
        return
    work.chmod(0o711)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, ROOTS_STAND_IN, "nogroup")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until it greets.  Raises NotUsable if it does not."""
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as link:
            if link.recv(64).startswith(b"* OK"):
                return
        time.sleep(0.02)
    process.terminate()
    raise NotUsable(f"Dovecot did not start; its log is {log}.")
