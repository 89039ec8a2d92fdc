"""A Postfix in a namespace: it takes mail for one domain into Maildirs, and sends what comes from its own machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mailsite.world.network import Namespace
from tests.mailsite.world.satchel import listens
from tests.servers.certificates import Authority
from tests.servers.engine import wait_for

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mail.{domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{ carol@{domain} = carol/ }} }}
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{group}
virtual_minimum_uid = 1
smtp_tls_security_level = may
smtp_tls_loglevel = 1
smtp_host_lookup = dns
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {chain}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_peername_lookup = no
"""
SERVICES = """
smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Postfix:
    domain: str
    here: Namespace
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def submit(self, recipient: str, subject: str, *, author: str = "") -> None:
        """From its own machine, so without signing in."""
        sender = f"carol@{self.domain}"
        self.here.run(
            *("swaks", "--server", "127.0.0.1", "--from", sender, "--to", recipient, "--ehlo", "localhost"),
            *("--h-From", author or sender, "--h-Subject", subject, "--silent", "2"),
        )

    def messages(self) -> Sequence[bytes]:
        return [file.read_bytes() for file in (self.folder / "mail" / "carol" / "new").glob("*")]

    def wait_for_mail(self, words: str) -> bytes:
        def found() -> list[bytes]:
            return [message for message in self.messages() if words.encode() in message]

        wait_for(found, f"{words!r} at Postfix", self.log)
        return found()[0].replace(b"\n", b"\r\n")


@contextmanager
def postfix(
    domain: str, here: Namespace, folder: Path, authority: Authority, name_server: str, owner: tuple[int, int]
) -> Iterator[Postfix]:
    """`owner`: user and group who own delivered mail.  `folder` can be reached by everybody."""
    certificate = authority.issue(f"mail.{domain}")
    for name in ("conf", "queue", "mail"):
        (folder / name).mkdir(parents=True)
    (folder / "data").mkdir(mode=0o755)
    _give(folder / "data", "postfix")
    _give(folder / "mail", "nobody")
    chain, key = (_copy(file, folder / name) for file, name in ((certificate.chain, "chain"), (certificate.key, "key")))
    values = {"folder": folder, "domain": domain, "user": owner[0], "group": owner[1], "chain": chain, "key": key}
    (folder / "conf" / "main.cf").write_text(MAIN.format(**values))
    (folder / "conf" / "master.cf").write_text(SERVICES)
    resolving = folder / "resolv.conf"
    resolving.write_text(f"nameserver {name_server.partition(':')[0]}\n")
    begin = f"mount --bind {resolving} /etc/resolv.conf && exec postfix -c {folder}/conf start-fg"
    command = here.command(["unshare", "--mount", "sh", "-c", begin])
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: listens(here, 25), "Postfix", folder / "log")
            yield Postfix(domain, here, folder)
        finally:
            subprocess.run(["postfix", "-c", str(folder / "conf"), "stop"], capture_output=True, check=False)
            process.terminate()


def _give(folder: Path, user: str) -> None:
    subprocess.run(["chown", user, str(folder)], check=True)


def _copy(file: Path, copy: Path) -> Path:
    copy.write_bytes(file.read_bytes())
    copy.chmod(0o600)
    return copy
