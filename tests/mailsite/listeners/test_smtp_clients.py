"""Mail clients people use, against the SMTP listener; each is skipped by name where it is not installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.mailsite.listeners.hosting import hosting

MESSAGE = (
    b"From: Alice <alice@example.org>\r\nDate: x\r\nMessage-ID: <1@example.org>\r\nSubject: hello\r\n\r\n.hello\r\n"
)


@pytest.fixture
def host(authority, tmp_path):
    context = authority.issue().server_context()
    made = hosting(
        *(tmp_path / "spool", "both", "submission", "open"),
        context=lambda: context,
        client_context=authority.client_context(),
    )
    with made as running:
        yield running


def run(program: str, *words: str, stdin: bytes = b"") -> None:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed: not tested with it")
    done = subprocess.run([found, *words], input=stdin, capture_output=True, check=False, timeout=60)
    if b"requires Net::SSLeay" in done.stderr:
        pytest.skip("swaks has no libnet-ssleay-perl: not tested over TLS with it")
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("both", ["--tls", "--auth", "PLAIN"]),
        ("submission", ["--tls-on-connect", "--auth", "LOGIN"]),
        ("open", ["--auth", "PLAIN", "--pipeline"]),
    ],
)
def test_swaks(host, tmp_path, name, words):
    (tmp_path / "mail").write_bytes(MESSAGE.replace(b"\r\n", b"\n"))
    run(
        *("swaks", "--server", f"127.0.0.1:{host.ports[name]}", "--from", "alice@example.org"),
        *("--to", "bob@example.org", "--data", f"@{tmp_path / 'mail'}"),
        *("--auth-user", "alice@example.org", "--auth-password", "secret", *words),
    )
    assert host.box.letters[0].body.rstrip() == MESSAGE.rstrip()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("both", ["--tls=on", "--tls-starttls=on", "--auth=scram-sha-256"]),
        ("submission", ["--tls=on", "--tls-starttls=off", "--auth=plain"]),
        ("submission", ["--tls=on", "--tls-starttls=off", "--auth=login"]),
    ],
)
def test_msmtp(host, authority, name, words):
    run(
        *("msmtp", "--host=localhost", f"--port={host.ports[name]}", "--from=alice@example.org"),
        *("--user=alice@example.org", "--passwordeval=echo secret", f"--tls-trust-file={authority.ca}"),
        *(*words, "--dsn-notify=failure", "--dsn-return=headers", "bob@example.org"),
        stdin=MESSAGE.replace(b"\r\n", b"\n"),
    )
    assert host.box.letters[0].body == MESSAGE


@pytest.mark.parametrize(
    ("name", "scheme", "words"),
    [
        ("both", "smtp", ["--ssl-reqd", "--login-options", "AUTH=PLAIN"]),
        ("submission", "smtps", ["--login-options", "AUTH=LOGIN"]),
        ("submission", "smtps", []),  # its own choice
    ],
)
def test_curl(host, authority, tmp_path, name, scheme, words):
    (tmp_path / "mail").write_bytes(MESSAGE)
    run(
        *("curl", "-sS", "--url", f"{scheme}://localhost:{host.ports[name]}/laptop.example"),
        *("--cacert", str(authority.ca), "--user", "alice@example.org:secret", "--mail-from", "alice@example.org"),
        *("--mail-rcpt", "bob@example.org", "--upload-file", str(tmp_path / "mail"), *words),
    )
    assert host.box.letters[0].body == MESSAGE
