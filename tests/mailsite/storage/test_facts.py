"""What is known of a message from its octets alone."""

from __future__ import annotations

import pytest

from mailsite_ext.storage.facts import message_key, read_facts


def part(headers: str, body: str) -> bytes:
    return f"{headers}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("message", "preview"),
    [
        (b"", ""),
        (b"Subject: x\r\n\r\n", ""),
        (b"\r\n  Dear\r\n\r\n\tBob \xe2\x80\x8b!\r\n", "Dear Bob !"),
        (b"\r\n" + b"word " * 100, ("word " * 40).strip()),
        (part("Content-Transfer-Encoding: quoted-printable", "caf=C3=A9 =\r\nau lait"), "café au lait"),
        (part("Content-Transfer-Encoding: base64", "Y2Fmw6kg\r\nYXUgbGFpdA=="), "café au lait"),
        (part("Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable",
              "=E9t=E9"), "été"),
        (part("Content-Type: text/plain; charset=no-such", "plain"), "plain"),
        (part("Content-Type: text/html", "<style>p {}</style><p>Hello &amp; <b>welcome</b>"), "Hello & welcome"),
        (part("Content-Type: multipart/alternative; boundary=b",
              "--b\r\nContent-Type: text/html\r\n\r\n<p>rich\r\n--b\r\n\r\nplain\r\n--b--"), "plain"),
        (part("Content-Type: multipart/mixed; boundary=b",
              "--b\r\nContent-Disposition: attachment\r\n\r\nnot this\r\n--b\r\n\r\nbut this\r\n--b--"), "but this"),
        (part("Content-Type: image/png", "binary"), ""),
    ],
)  # fmt: skip
def test_previews(message, preview):
    assert read_facts(message).preview == preview


@pytest.mark.parametrize(
    ("header", "message_id"),
    [
        (b"Message-ID: <a@b>", "a@b"),
        (b"message-id:\r\n <a@b> (comment)", "a@b"),
        (b"Message-ID: a@b", ""),
        (b"Message-ID: <>", ""),
        (b"Subject: x", ""),
        (b"Message-ID: <" + b"x" * 2_000 + b">", ""),
    ],
)
def test_message_ids(header, message_id):
    assert read_facts(header + b"\r\n\r\n").message_id == message_id


def test_threads_hang_together_by_their_first_message():
    root = read_facts(b"Message-ID: <1@x>\r\n\r\n").thread_id
    assert read_facts(b"In-Reply-To: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n").thread_id == root
    assert read_facts(b"References: <1@x>\r\n <2@x>\r\nIn-Reply-To: <2@x>\r\n\r\n").thread_id == root
    assert read_facts(b"Message-ID: <9@x>\r\n\r\n").thread_id != root
    assert read_facts(b"\r\none").thread_id != read_facts(b"\r\ntwo").thread_id


def test_email_ids_are_of_the_content():
    """RFC 8474 §5.1: the same only where every octet is."""
    one, other = read_facts(b"\r\none"), read_facts(b"\r\nother")
    assert one.email_id == read_facts(b"\r\none").email_id != other.email_id
    assert one.with_head(b"A: b\r\n").email_id not in (one.email_id, one.with_head(b"A: c\r\n").email_id)


def test_a_key_fits_the_column():
    assert all(-(2**63) <= message_key(str(n)) < 2**63 for n in range(100))
