"""`make demo`: Satchel beside a sample mail server, with a living mailbox.  Ctrl-C ends it; run it again at will."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from app.config import Config
from demo import dovecot
from demo.imap import ImapServer
from demo.installation import Person, Server, add_account, prepare, sign_up
from demo.letters import ME, letters
from demo.smtp import SmtpServer
from demo.store import Store

WORK = Path(os.environ.get("WORK_DIRECTORY", "var/demo")).absolute()
PERSON = Person(ME[1], ME[0], "satchel-demo")
BIND = os.environ.get("BIND", "127.0.0.1:8000")


def main() -> int:
    """Start the sample servers, prepare the installation, serve until interrupted."""
    WORK.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = claim(WORK)
    require_free(BIND)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    imap, deliver = start_imap()
    smtp = SmtpServer(deliver, PERSON.email, PERSON.password, 0)
    threading.Thread(target=smtp.serve_forever, daemon=True).start()
    try:
        environment = {**os.environ, "WORK_DIRECTORY": str(WORK), "BIND": BIND}
        parts = prepare(Config.from_env(environment))
        server = Server(imap.port, smtp.port, PERSON.email, PERSON.password)
        add_account(parts, sign_up(parts, PERSON), PERSON.email, "Home", server)
        parts.dispose()
        print(f"\n  Satchel is on http://{BIND}")
        print(f"  Sign in as {PERSON.email} with the password {PERSON.password}\n", flush=True)
        return serve(environment)
    except KeyboardInterrupt:
        return 0
    finally:
        imap.close()
        lock.close()


def claim(work: Path) -> IO[str]:
    """Keep another demo out of `work` while the file is open: it would move the account to its own mail server."""
    lock = (work / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"The demo runs already, with its files in {work}. For another one set WORK_DIRECTORY and BIND.")
    return lock


def require_free(bind: str) -> None:
    """Say now, not after everything is prepared, that nothing can listen there."""
    host, _, port = bind.rpartition(":")
    try:
        socket.create_server((host.strip("[]"), int(port))).close()
    except (OSError, ValueError, OverflowError) as error:
        sys.exit(f"The demo cannot listen on {bind} ({error}). Set BIND to another address and port.")


def serve(environment: dict[str, str]) -> int:
    """gunicorn, until it ends or Ctrl-C, which reaches it through us: told twice, its workers may get stuck."""
    command = [str(Path(sys.executable).with_name("gunicorn")), "wsgi:app"]
    web = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return web.wait()
    except (KeyboardInterrupt, SystemExit):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ending; impatience would leave it behind
        web.terminate()
        web.wait(30)
        return 0


class SampleImap:
    """The project's own sample server, with the letters in memory."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        self.store = Store(uidvalidity=int(now.timestamp()))
        for item in letters(now):
            self.store.create(item.folder).add(item.octets, item.flags, item.received_at)
        self._server = ImapServer(self.store, PERSON.email, PERSON.password, 0)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self._server.port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def start_imap() -> tuple[dovecot.Dovecot | SampleImap, dovecot.Deliver]:
    """Dovecot where it can serve the mailbox, else the sample server; and how mail is put into it."""
    try:
        return dovecot.start(WORK, PERSON.password)
    except dovecot.NotUsable as reason:
        print(f"{reason} The demo's own sample server takes its place.", flush=True)
        sample = SampleImap()
        return sample, sample.store.deliver


if __name__ == "__main__":
    sys.exit(main())
