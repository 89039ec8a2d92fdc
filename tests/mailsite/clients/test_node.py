"""imapflow and nodemailer, the libraries behind many applications, against the listeners."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.mailsite.clients.conftest import LETTER, deliver, need_package, tool

HERE = Path(__file__).parent


@pytest.mark.parametrize("compression", ["no", "yes"])
def test_imapflow(reading, authority, compression):
    need_package("imapflow")
    words = (tool("node"), HERE / "imapflow.mjs", reading.ports["imaps"], authority.ca, compression)
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout.readline() == b"idling\n", client.stderr.read().decode()
        deliver(reading, LETTER.replace(b"<1@x>", b"<2@x>"))
        said, faults = client.communicate(timeout=60)
    assert client.returncode == 0, faults.decode()
    seen = json.loads(said)
    assert {"CONDSTORE", "QRESYNC"} <= set(seen["enabled"])
    assert ["INBOX", "\\Inbox", 1] in seen["folders"]
    assert ["Sent", "\\Sent", 0] in seen["folders"]
    assert (seen["status"]["messages"], seen["status"]["unseen"], seen["status"]["uidNext"]) == (1, 1, 2)
    assert (seen["subject"], seen["from"], seen["type"]) == ("Harvest", "alice@example.org", "text/plain")
    assert seen["source"].encode() == LETTER
    assert (seen["part"], seen["downloaded"]) == ("apples\r\n", "apples\r\n")
    assert seen["headers"].strip() == "Subject: Harvest"
    assert seen["found"] == [1]
    assert (seen["appended"]["destination"], seen["appended"]["uid"]) == ("Drafts", 1)
    assert (seen["copied"], seen["moved"]) == ([[1, 1]], [[1, 1]])
    assert seen["exists"] == [1, 2]
    assert seen["left"] == [2]
    assert seen["empty"] == 0
    assert "Année" in seen["names"]
    assert "Année/hiver & neige" not in seen["names"]


@pytest.mark.parametrize(
    ("name", "secure", "method"),
    [("submission", "yes", "PLAIN"), ("submission", "yes", "LOGIN"), ("both", "no", "PLAIN")],
)
def test_nodemailer(sending, authority, name, secure, method):
    need_package("nodemailer")
    words = (tool("node"), HERE / "nodemailer.mjs", sending.ports[name], authority.ca, secure, method)
    done = subprocess.run([str(word) for word in words], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["said"] == [
        {"accepted": ["bob@example.org"], "rejected": []},
        {"accepted": ["bob@example.org"], "rejected": ["nobody@example.org"]},
    ]
    assert told["refused"] == 550
    first, second = sending.box.letters
    assert b"Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=" in first.body
    assert second.body.endswith(b"x\r\n")
    assert len(second.body) > 280_000
