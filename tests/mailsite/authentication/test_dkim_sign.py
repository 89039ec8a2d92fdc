"""What we sign: verified by ourselves and by two others, broken by whatever is added or changed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from datetime import timedelta
from email.parser import BytesHeaderParser
from pathlib import Path

import dkim as dkimpy
import pytest

from mailsite_ext.authentication import dkim
from mailsite_ext.authentication.dkim_sign import ALWAYS, names_to_sign
from tests.conftest import CORPORA
from tests.mailsite.authentication.letters import LETTER, NOW, crlf, keys_of, pem, rsa_key, zone

KEY = dkim.SigningKey("example.org", "rsa", rsa_key())
NODE_MODULES = Path(__file__).parent.parent.parent.parent / "node_modules"
LETTERS = [
    LETTER,
    LETTER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
    LETTER + "Grüße\r\n".encode() * 3000,
    b"List-Unsubscribe: <https://example.org/u>\r\nSender: a@example.org\r\n" + LETTER,
    LETTER.replace(b"Subject:", b"References: <1@a.example>\r\n <2@a.example>\r\nSubject:"),
]


def sent(letter: bytes = LETTER) -> bytes:
    """Signed some years ago: dkimpy asks the machine's clock, and refuses what comes from the future."""
    return dkim.sign([letter], KEY, NOW - timedelta(days=1000)) + letter


def results(message: bytes) -> list[str]:
    return [str(verdict.result) for verdict in dkim.verify([message], zone(), NOW)]


@pytest.mark.parametrize("letter", LETTERS)
def test_we_believe_ourselves(letter):
    blocks = [letter[at : at + 7] for at in range(0, len(letter), 7)]
    assert results(dkim.sign(blocks, KEY, NOW) + letter) == ["pass"]


@pytest.mark.parametrize("letter", LETTERS)
def test_dkimpy_believes_us(letter):
    keys = keys_of("example.org")

    def answer(name: bytes, timeout: int = 5) -> bytes:
        return keys[name.decode().rstrip(".")].encode()

    assert dkimpy.verify(sent(letter), dnsfunc=answer)
    assert not dkimpy.verify(sent(letter).replace(b"Subject:", b"Subject: not "), dnsfunc=answer)


@pytest.mark.corpora
def test_dkimpy_agrees_on_real_messages():
    """A tenth of the corpus, signed here and verified there, signed there and verified here."""
    files = sorted((CORPORA / "messages").rglob("*.eml"))[::10]
    if not files:
        pytest.skip("corpora/messages is not here")
    key = keys_of("example.org")["rsa._domainkey.example.org"].encode()
    compared, disagreed = 0, []
    for file in files:
        letter = crlf(file.read_bytes()) + b"\r\n"
        options = {"selector": b"rsa", "domain": b"example.org", "privkey": pem(rsa_key())}
        try:
            theirs = [dkimpy.sign(letter, canonicalize=forms, **options) + letter for forms in FORMS]
        except (dkimpy.DKIMException, IndexError):  # lines that are no field, or no From: it reads no further
            continue
        compared += 1
        believed = [ours(message) == "pass" for message in theirs]
        if not all(believed) or not dkimpy.verify(sent(letter), dnsfunc=lambda *_name, **_options: key):
            disagreed.append((file.name, believed))
    assert not disagreed
    assert compared > len(files) / 2


FORMS = ((b"simple", b"simple"), (b"relaxed", b"relaxed"))


def ours(message: bytes) -> str:
    """The result of the signature on top."""
    return results(message)[0]


MAILAUTH = """
const { dkimVerify } = require("mailauth/lib/dkim/verify");
const { keys, letters } = JSON.parse(require("fs").readFileSync(0));
const resolver = async (name) => [[keys[name]]];
(async () => {
  const all = letters.map((letter) => dkimVerify(Buffer.from(letter, "base64"), { resolver }));
  const told = (await Promise.all(all)).map((one) => one.results.map((result) => result.status.result));
  console.log(JSON.stringify(told));
})();
"""


def test_mailauth_believes_us():
    """One process for all letters, each whole and each with another subject."""
    if not (NODE_MODULES / "mailauth").exists() or not shutil.which("node"):
        pytest.skip("mailauth is not installed: npm ci")
    whole = [sent(letter) for letter in LETTERS]
    changed = [letter.replace(b"Subject:", b"Subject: not ") for letter in whole]
    given = {"keys": keys_of("example.org"), "letters": [base64.b64encode(one).decode() for one in whole + changed]}
    done = subprocess.run(
        ["node", "-e", MAILAUTH], cwd=NODE_MODULES.parent, input=json.dumps(given).encode(), capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == [["pass"]] * len(whole) + [["fail"]] * len(changed)


@pytest.mark.parametrize("name", ALWAYS)
def test_a_field_that_is_added_breaks_it(name):
    added = name.encode() + b": anything\r\n"
    message = sent()
    head, _, body = message.partition(b"\r\n\r\n")
    for again in (added + message, head + b"\r\n" + added + b"\r\n" + body):
        assert results(again)[0] in ("fail", "policy")


@pytest.mark.parametrize("name", ["list-unsubscribe", "sender"])
def test_what_a_list_adds_breaks_it_only_where_the_author_had_it(name):
    added = name.encode() + b": anything\r\n"
    assert results(added + sent()) == ["pass"]
    assert results(added + sent(LETTERS[3])) == ["fail"]


@pytest.mark.parametrize(("old", "new"), [(b"alice@", b"eve@"), (b"five", b"six"), (b"<1@", b"<2@"), (b" t=", b" t=1")])
def test_what_is_changed_breaks_it(old, new):
    assert results(sent().replace(old, new, 1)) == ["fail"]


def test_each_name_is_signed_once_more_than_it_is_there():
    names = names_to_sign(["to", "from", "to", "x-other"])
    assert (names.count("from"), names.count("to"), names.count("cc"), names.count("x-other")) == (2, 3, 1, 0)


def test_the_field_is_folded_and_says_what_it_should():
    field = dkim.sign([LETTER], KEY, NOW)
    assert max(len(line) for line in field.split(b"\r\n")) <= 78
    assert field.endswith(b"\r\n")
    tags = dict(
        tag.strip().split("=", 1) for tag in BytesHeaderParser().parsebytes(field)["dkim-signature"].split(";") if tag
    )
    assert {name: tags[name] for name in ("v", "a", "c", "d", "s", "t")} == {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": "example.org",
        "s": "rsa",
        "t": str(int(NOW.timestamp())),
    }
