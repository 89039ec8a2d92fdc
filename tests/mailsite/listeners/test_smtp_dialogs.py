"""Conversations over real sockets: ours (tests/dialogs), and those others wrote (corpora/smtp-dialogs)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import CORPORA
from tests.mailsite.dialogs import Client, Dialog, dialogs
from tests.mailsite.listeners.hosting import SPECS, hosting


@pytest.fixture
def host(authority, tmp_path):
    certificate = authority.issue()
    context = certificate.server_context()
    with hosting(
        tmp_path / "spool", *SPECS, context=lambda: context, client_context=authority.client_context()
    ) as running:
        yield running


@pytest.mark.parametrize("path", dialogs("smtp"), ids=lambda path: path.stem)
def test_dialog(path, host, authority):
    Dialog(host.connect, authority.client_context()).run(path.read_text("utf-8"))
    assert not list(host.spool_folder.iterdir())


# Where our first three digits, or the enhanced code, differ from what others wrote; docs/smtp-differences.md says why.
DIFFERENCES = {
    ("auth_multi_dialog", "AUTH SOMETHINGELSE", "534"): "504 5.5.4",
    ("auth_not_tls", "AUTH PLAIN", "503 5.7.10"): "530 5.7.0",
    ("bad_data_dot", "xxx", "521 5.5.2"): "500 5.5.2",
    ("bad_rcpt_to", "RCPT LALA: <>", "500 5.5.2"): "501 5.5.4",
    ("bad_rcpt_to", "RCPT TO:", "500"): "501 5.1.3",
    ("bad_rcpt_to", "RCPT TO:<henryⅣ@testserver>", "550 5.1.3"): "553 5.6.7",
    ("line_too_long", "HELO", "554"): "501 5.5.4",
}


def given() -> list[Path]:
    folder = CORPORA / "smtp-dialogs"
    return sorted(path for path in folder.glob("*.txt") if "chasquid_util" not in path.name)


@pytest.mark.corpora
@pytest.mark.skipif(not given(), reason="corpora/smtp-dialogs: not here")
@pytest.mark.parametrize("path", given(), ids=lambda path: path.stem.rpartition("__")[2].removesuffix(".cmy"))
def test_dialogs_of_others(path, host):
    """Compared are codes, and enhanced codes where they are named: the words are ours (RFC 5321 §4.2)."""
    name = path.stem.rpartition("__")[2].removesuffix(".cmy")
    host.people.domains, host.people.test_mode = ("testserver",), True
    host.people.names["user"] = host.people.names["bob"]
    host.people.passwords["user@testserver"] = "secretpassword"
    unused = {key for key in DIFFERENCES if key[0] == name}
    client, said = None, ""
    for line in path.read_text("utf-8").splitlines():
        words = line.split(" ", 2)
        match words:
            case ["c", "tcp_connect" | "tls_connect" as how, _]:
                client = reopen(host, client, "submission" if how == "tls_connect" else "both")
            case ["c", "close"]:
                client.socket.close()
            case ["c", "->", *rest]:
                said = rest[0] if rest else ""
                client.say(said.encode() + b"\r\n")
            case ["c", "~>", raw]:
                said = raw.strip("'").partition("\\")[0] or said
                client.say(raw.strip("'").encode().decode("unicode_escape").encode())
            case ["c", "<...", wanted]:
                while not client.hear().startswith(wanted):
                    pass
            case ["c", "<~" | "<-", wanted]:
                code = wanted_code(wanted)
                heard = whole_reply(client)
                ours = DIFFERENCES.get((name, said.split(" a")[0], code), code)
                unused.discard((name, said.split(" a")[0], code))
                assert heard.startswith(ours), (said, wanted, heard)
    client.socket.close()
    assert not unused


def wanted_code(wanted: str) -> str:
    return re.match(r"\d{3}( \d\.\d{1,3}\.\d{1,3})?", wanted)[0]


def whole_reply(client: Client) -> str:
    line = client.hear()
    while line[3:4] == "-":
        line = client.hear()
    return line


def reopen(host, old: Client | None, name: str) -> Client:
    if old is not None:
        old.socket.close()
    return Client(host.connect(name))
