"""What a reply says of the test mail: tables of what services and servers send back."""

from __future__ import annotations

from email import message_from_bytes
from time import process_time

import pytest

from mailsite_ext.trial_mail.letter import MOST_LINES, Letter, verdicts
from tests.conftest import START

HEAD = b"From: echo@there.example\r\nAuthentication-Results: mail.example.org; dkim=pass\r\nMIME-Version: 1.0\r\n"
ATTACHED = (
    HEAD
    + b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
    + b"Authentication-Results: there.example;\r\n spf=pass smtp.mailfrom=example.org;\r\n dmarc=pass\r\n"
    + b"Subject: Test\r\n\r\nHello\r\n--x--\r\n"
)


def plain(text):
    return HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text


def test_the_letter_can_be_found_again():
    letter = Letter(
        token="satcheltest1", sender="ada@example.org", recipient="echo@there.example",
        written_at=START, subject="Test mail", text="Grüße",
    )  # fmt: skip
    message = message_from_bytes(letter.octets)
    assert message["Subject"] == "Test mail [satcheltest1]"
    assert message["Message-ID"] == "<satcheltest1@example.org>"
    assert letter.octets.isascii()


@pytest.mark.parametrize(
    ("reply", "lines"),
    [
        (ATTACHED, ["Authentication-Results: there.example; spf=pass smtp.mailfrom=example.org; dmarc=pass"]),
        (
            plain(b"SPF check:          pass\r\nDKIM check:  fail (body hash)\r\nThank you for asking.\r\n"),
            ["SPF check:          pass", "DKIM check:  fail (body hash)"],
        ),
        (
            plain(b"> Authentication-Results: there.example;\r\n> more\r\n> X: y"),
            ["Authentication-Results: there.example;"],
        ),
        (
            HEAD + b"Content-Type: text/html\r\n\r\n<td>DMARC</td><td><b>Pass</b></td><script>spf pass</script>",
            ["DMARC   Pass    spf pass"],
        ),
        (plain(b"The parcel did pass the office."), []),  # no check is named
        (plain(b"a spf \xe2\x80\xaepass"), ["a spf pass"]),  # nothing that turns text around
        (b"", []),
        (b"\x00\xff", []),
        (HEAD + b"Content-Type: multipart/mixed\r\n\r\nno boundary", []),
    ],
)  # fmt: skip
def test_what_a_reply_says(reply, lines):
    assert [" ".join(line.split()) for line in verdicts(reply)] == [" ".join(line.split()) for line in lines]


def test_a_reply_is_read_within_bounds():
    hostile = plain(b"".join(b"spf %d " % number * 3 + b"pass\r\n" for number in range(50_000)) + b"spf " * 100_000)
    begun = process_time()
    assert len(verdicts(hostile[: 512 * 1024])) == MOST_LINES
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number) for number in range(200)
    )
    verdicts(HEAD + nested)
    assert process_time() - begun < 5
