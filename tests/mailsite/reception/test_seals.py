"""Which header is believed: only one that we wrote, on this message, in this mailbox."""

from __future__ import annotations

import pytest

from app.extension_api import Standing
from mailsite_ext.delivery.header import read_header
from mailsite_ext.reception.seals import Seals

SEALS = Seals(b"k" * 32)
HEAD = (
    b"Return-Path: <a@far.example>\r\nDelivered-To: bob@example.org\r\n",
    b"Authentication-Results: mx.example.org; dmarc=fail header.from=far.example\r\n"
    b"Received: from far.example ([192.0.2.1])\r\n\tby mx.example.org with ESMTPS id 1; now\r\n",
)
LETTER = b"Received: from x\r\nFrom: A <a@far.example>\r\nSubject: Tea\r\n\tat five\r\nMessage-ID: <1@far.example>\r\n"


def sealed(mailbox="bob", standing=Standing.UNPROVEN, seals=SEALS):
    top, below = HEAD
    return top + seals.field(top + below, read_header(LETTER, is_whole=True), mailbox, standing) + below + LETTER


@pytest.mark.parametrize("standing", Standing)
def test_our_own_is_believed(standing):
    found = SEALS.find_sealed(sealed(standing=standing), "bob")
    assert found is not None
    assert found[0] is standing
    assert [field.name for field in found[1]] == ["return-path", "delivered-to", "authentication-results", "received"]


def test_what_storage_may_add_below_breaks_nothing():
    assert SEALS.find_sealed(sealed() + b"X-Label: mine\r\n", "bob")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("none", HEAD[0] + HEAD[1] + LETTER),
        ("another key", sealed(seals=Seals(b"x" * 32))),
        ("another mailbox's", sealed("mallory")),
        ("better results", sealed().replace(b"dmarc=fail", b"dmarc=pass")),
        ("another standing", sealed().replace(b"author=unproven", b"author=verified")),
        ("no such standing", sealed().replace(b"author=unproven", b"author=royal")),
        ("another author", sealed().replace(b"From: A <a@", b"From: A <b@")),
        ("a second author", sealed() + b"From: bank@bank.example\r\n"),
        ("another subject", sealed().replace(b"at five", b"at six")),
        ("another message", sealed().replace(b"<1@", b"<2@")),
        ("a field more on top", b"X-Satchel-Verdict: INBOX; the sender is trusted\r\n" + sealed()),
        ("a hop more on top", b"Received: from x\r\n" + sealed()),
        ("two seals", sealed().replace(b"X-Satchel-Seal", b"X-Satchel-Seal: author=unproven; b=AA\r\nX-Satchel-Seal")),
        ("below the first hop", HEAD[1] + sealed()),
        ("a bare line end", sealed().replace(b"\r\n\tat", b"\n\tat")),
        ("nothing", b""),
        ("octets", b"\xff\xfe: \x00\r\n"),
    ],
)
def test_all_else_is_not(name, header):
    assert SEALS.find_sealed(header, "bob") is None, name
