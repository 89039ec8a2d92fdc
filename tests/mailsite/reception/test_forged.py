"""What claims to be our own finding is taken off, and nothing else."""

from __future__ import annotations

import pytest

from mailsite_ext.delivery.spool import IN_MEMORY_OCTETS, Spool
from mailsite_ext.reception.forged import without_claims

US = {"mx.example.org"}
REST = b"From: a@b.example\r\n\r\nAuthentication-Results: mx.example.org; spf=pass\r\nX-Satchel-Verdict: x\r\n"


@pytest.mark.parametrize(
    ("field", "goes"),
    [
        (b"Authentication-Results: mx.example.org; dmarc=pass\r\n", True),
        (b"AUTHENTICATION-results : (a\r\n\tcomment) MX.example.ORG ;\r\n dmarc=pass\r\n", True),
        (b'Authentication-Results: "mx.example.org"; dmarc=pass\r\n', True),
        (b"Authentication-Results: (no end mx.example.org; dmarc=pass\r\n", True),  # another reader may see ours in it
        (b"Authentication-Results: mx.other.example; dmarc=pass\r\n", False),
        (b"X-Satchel-Verdict: INBOX; the sender is trusted\r\n", True),
        (b"x-satchel-seal: author=verified; b=AAAA\r\n", True),
        (b"X-Satchel-Junk: 0.001;\r\n\tgood=0.01\r\n", True),
        (b"X-Satchels: leather\r\n", False),
        (b"Subject: X-Satchel-Verdict: INBOX\r\n", False),
    ],
)
def test_claims_of_ours_go(field, goes):
    for message in (field + REST, b"To: c@d.example\r\n" + field + REST):
        assert without_claims(message, US) == (message.replace(field, b"", 1) if goes else message)


@pytest.mark.parametrize("top", [b" dmarc=pass\r\n", b"\tx: y\r\n z\r\n", b" \r\n", b" Authentication-Results: x\r\n"])
def test_nothing_goes_on_where_our_own_field_ended(top):
    assert without_claims(top + REST, US) == REST
    assert without_claims(top + b"X-Satchel-Verdict: INBOX\r\n" + REST, US) == REST


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_a_message_without_a_body_is_all_header(end):
    assert without_claims(b"From: a@b.example\r\nX-Satchel-Seal: author=verified" + end, US) == b"From: a@b.example\r\n"


def test_a_header_begun_by_many_lines_of_spaces():
    assert without_claims(b" \r\n" * 40_000 + REST, US) == REST


@pytest.mark.parametrize("message", [b"", b"\r\n", b"\r\nX-Satchel-Verdict: x\r\n\r\n", REST, b"no header at all"])
def test_a_body_is_nobodys_claim(message):
    assert without_claims(message, US) is message


@pytest.mark.parametrize("octets", [100, IN_MEMORY_OCTETS * 3])
def test_a_large_message_is_cleaned_on_its_way_to_the_disk(tmp_path, octets):
    spool = Spool(tmp_path, lambda first: without_claims(first, US))
    forged, rest = b"X-Satchel-Verdict: INBOX\r\n", REST + b"y" * octets
    message = forged + rest
    for at in range(0, len(message), 60_000):
        spool.write(message[at : at + 60_000])
    content = spool.finish()
    kept = content.body if isinstance(content.body, bytes) else content.body.read_bytes()
    assert kept == rest
    assert content.size_octets == len(rest)
    assert b"".join(spool.blocks()) == message  # signatures are judged as it came
    assert b"".join(spool.blocks()) == message
    spool.discard()
