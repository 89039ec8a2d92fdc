"""A real Dovecot for the tests: in a temporary folder, on free ports of loopback, unprivileged, gone afterwards.

    def test_something(dovecot, mail_user):        # one server a run, a fresh user a test
        dovecot.deliver(mail_user, b"Subject: hello\r\n\r\nHello")
        connect(dovecot.host, dovecot.imap_port, mail_user.name, mail_user.password)

A test that stops the server, or needs other settings, starts its own (a tenth of a second):
`with serve(authority, settings="mail_max_userip_connections = 3") as server`.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificates import Authority, Certificate

HOST = "localhost"
PASSWORD = "correct horse"
START_DEADLINE_S = 20.0


@dataclass(frozen=True)
class MailUser:
    """A mailbox on the server; `name` is its address and its login."""

    name: str
    password: str
    home: Path


@dataclass
class Dovecot:
    """A server that runs; all its files lie in `folder`."""

    folder: Path
    owner: str
    imap_port: int
    imaps_port: int
    lmtp_port: int
    submission_port: int
    host: str = HOST
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def configuration(self) -> Path:
        return self.folder / "dovecot.conf"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def add_user(self, name: str = "", password: str = PASSWORD) -> MailUser:
        """A new mailbox, usable at once; without a name, one nobody has had."""
        name = name or f"user{next(self._numbers)}@example.org"
        user = MailUser(name, password, self.folder / "mail" / name)
        self._write_password(name, password)
        return user

    def change_password(self, user: MailUser, password: str) -> MailUser:
        """Give a user another password; returns when it is in force (Dovecot looks at a file once a second)."""
        self._write_password(user.name, password)
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            with suppress(AssertionError):
                self.doveadm("auth", "test", user.name, password)
                return MailUser(user.name, password, user.home)
            time.sleep(0.05)
        raise AssertionError("Dovecot did not take the new password")

    def _write_password(self, name: str, password: str) -> None:
        """A file for each user: new ones are seen at once."""
        (self.folder / "users" / name).write_text(f"{name}:{{PLAIN}}{password}::::::\n", "utf-8")

    def deliver(self, user: MailUser, message: bytes, folder: str = "INBOX") -> None:
        """Put a message into a mailbox: the INBOX by LMTP, as mail comes in, other folders by doveadm."""
        if folder != "INBOX":
            self.doveadm("save", "-u", user.name, "-m", folder, stdin=message)
            return
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            lmtp.sendmail("sender@example.net", [user.name], message)

    def doveadm(self, *words: str, stdin: bytes = b"") -> str:
        """Run doveadm to its end and return what it printed; a failure is the test's."""
        command = ["doveadm", "-c", str(self.configuration), *words]
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            command, input=stdin, capture_output=True, check=False, **self._as_owner()
        )
        if done.returncode:
            raise AssertionError(f"doveadm {' '.join(words)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def plant(self, user: MailUser, maildir: Path, folder: str = "INBOX") -> None:
        """Copy a prepared Maildir (`cur`, `new`, `tmp`) in as a folder of a user who has not logged in yet."""
        target = user.home / "Maildir" / ("" if folder == "INBOX" else f".{folder}")
        shutil.copytree(maildir, target, dirs_exist_ok=True)
        self.give_to_owner(user.home)

    def give_to_owner(self, path: Path) -> None:
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", self.owner, str(path)], check=True)

    def kick(self, user: MailUser) -> None:
        """Cut all connections of one user."""
        self.doveadm("kick", user.name)

    def start(self) -> None:
        command = ["dovecot", "-F", "-c", str(self.configuration)]
        with (self.folder / "start.log").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self._as_owner(),
            )
        self._wait_for_greeting()

    def stop(self) -> None:
        """End it in good order: every connection is told BYE."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its children at once: connections break without a word."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if how is signal.SIGKILL:
            os.killpg(self._process.pid, how)
        else:
            self._process.send_signal(how)
        self._process.wait(20)
        with suppress(ProcessLookupError):  # children that outlive their master
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None
        (self.folder / "run" / "master.pid").unlink(missing_ok=True)

    def _wait_for_greeting(self) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.imap_port), 1) as link:
                if link.recv(4096).startswith(b"* OK"):
                    return
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError("Dovecot did not start: " + (self.folder / "start.log").read_text() + self.log)

    def _as_owner(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        account = pwd.getpwnam(self.owner)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": str(self.folder)}


@contextmanager
def serve(
    authority: Authority,
    *,
    certificate: Certificate | None = None,
    settings: str = "",
    capability: str = "",
    introspection_url: str = "",
    relay_port: int = 0,
) -> Iterator[Dovecot]:
    """Start a server and stop it in the end; skips, by name, where Dovecot is not installed.

    `settings` are more lines of dovecot.conf ("mail_max_userip_connections = 3"); `capability` replaces what it says
    it can; `introspection_url` is asked about OAuth2 tokens (a GET with the token appended, answering JSON with
    `active` and `email`); with `relay_port` the submission server passes mail on to an SMTP server on that port.
    """
    if shutil.which("dovecot") is None:
        pytest.skip("Dovecot is not installed: nothing was tested against a real IMAP server")
    folder = Path(tempfile.mkdtemp(prefix="satchel-dc-"))  # short: socket paths end at 107 octets
    imap, imaps, lmtp, submission = _free_ports(4)
    server = Dovecot(folder, _owner(), imap, imaps, lmtp, submission)
    try:
        _prepare(server, certificate or authority.issue())
        server.configuration.write_text(_configuration(server, settings, capability, introspection_url, relay_port))
        server.give_to_owner(folder)
        server.start()
        yield server
    finally:
        server.kill()  # in good order takes a second
        shutil.rmtree(folder, ignore_errors=True)


def _owner() -> str:
    """Who runs the server: ourselves, or somebody without rights when we are root."""
    return "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def _free_ports(number: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _prepare(server: Dovecot, certificate: Certificate) -> None:
    for name in ("run", "mail", "users"):
        (server.folder / name).mkdir()
    (server.folder / "log").touch()
    shutil.copy(certificate.chain, server.folder / "server.pem")
    shutil.copy(certificate.key, server.folder / "server.key")


def _configuration(server: Dovecot, settings: str, capability: str, introspection_url: str, relay_port: int) -> str:
    account = pwd.getpwnam(server.owner)
    group = grp.getgrgid(account.pw_gid).gr_name
    protocols = "imap lmtp submission" if relay_port else "imap lmtp"
    parts = [BASE.format(server=server, uid=account.pw_uid, gid=account.pw_gid, group=group, protocols=protocols)]
    if capability:
        parts.append(f"imap_capability = {capability}")
    if introspection_url:
        (server.folder / "oauth2.conf").write_text(OAUTH2.format(url=introspection_url))
        parts.append(OAUTH2_LOGIN.format(server=server))
    if relay_port:
        parts.append(RELAY.format(port=relay_port))
    return "\n".join([*parts, settings, ""])


OAUTH2 = """\
introspection_url = {url}
introspection_mode = get
username_attribute = email
active_attribute = active
active_value = true
"""

OAUTH2_LOGIN = """\
auth_mechanisms = plain login xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {server.folder}/oauth2.conf
}}
"""

RELAY = """\
submission_relay_host = 127.0.0.1
submission_relay_port = {port}
submission_relay_trusted = yes
"""

BASE = """\
base_dir = {server.folder}/run
state_dir = {server.folder}/run
log_path = {server.folder}/log
protocols = {protocols}
listen = 127.0.0.1
ssl = yes
ssl_cert = <{server.folder}/server.pem
ssl_key = <{server.folder}/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_format = %Lu
default_internal_user = {server.owner}
default_internal_group = {group}
default_login_user = {server.owner}
first_valid_uid = {uid}
first_valid_gid = {gid}
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 500
mailbox_idle_check_interval = 1 s
hostname = mail.example.org
postmaster_address = postmaster@example.org
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {server.folder}/users/%u
  mechanisms = plain login
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {server.folder}/users/%u
  default_fields = uid={uid} gid={gid} home={server.folder}/mail/%u
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
service imap-login {{
  chroot =
  process_min_avail = 1
  service_count = 0
  inet_listener imap {{
    port = {server.imap_port}
  }}
  inet_listener imaps {{
    port = {server.imaps_port}
  }}
}}
service imap {{
  process_min_avail = 1
}}
service lmtp {{
  process_min_avail = 1
  inet_listener lmtp {{
    port = {server.lmtp_port}
  }}
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {server.submission_port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service ipc {{
  chroot =
}}
"""


@pytest.fixture(scope="session")
def dovecot(authority: Authority) -> Iterator[Dovecot]:
    """The run's own server; tests share it and bring their own users."""
    with serve(authority) as server:
        yield server


@pytest.fixture
def mail_user(dovecot: Dovecot) -> MailUser:
    """A user with an empty mailbox, of this test alone."""
    return dovecot.add_user()
