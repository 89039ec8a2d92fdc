"""Mail that names another author, sent by a host that has its own domain in order (A4, A6, O11, RFC 7505).

Harbour does not enforce DMARC, orchard does.
"""

from __future__ import annotations

import pytest

from tests.mailsite.world.network import NETWORK
from tests.mailsite.world.satchel import host_records

pytestmark = pytest.mark.servers
NOBODY = f"{NETWORK}250"
POLICIES = {"none": "none", "quarantine": "quarantine", "reject": "reject", "testing": "reject; t=y"}


@pytest.fixture(scope="module", autouse=True)
def authors(world):
    """Domains with a policy of each kind, whose mail comes from a host nobody here is; one that does not answer."""
    for name, policy in POLICIES.items():
        domain = f"{name}-policy.example"
        world.publish({**host_records(domain, NOBODY), (f"_dmarc.{domain}", "TXT"): [f'"v=DMARC1; p={policy}"']})
    world.publish({("nomail.example", "MX"): ["0 ."]})
    world.zone.failing = ["_dmarc.failing.example", "failing.example"]
    yield
    world.zone.failing = []


def send(world, satchel, subject, author, sender="carol@post.example"):
    """From Postfix's host, over TLS; what was said."""
    words = ("--server", satchel.here.address, "--tls", "--ehlo", "mail.post.example", "--to", satchel.address)
    heads = ("--header", f"From: {author}", "--header", f"Subject: {subject}")
    return world.postfix.here.run("swaks", *words, "--from", sender, *heads, check=False).stdout


@pytest.mark.parametrize(
    ("author", "result", "fate"),
    [
        ("carol@post.example", "none", "INBOX"),
        ("eve@none-policy.example", "fail", "INBOX"),
        ("eve@quarantine-policy.example", "fail", "Junk"),
        ("eve@testing-policy.example", "fail", "Junk"),
        ("eve@reject-policy.example", "fail", "550 5.7.1"),
        ("eve@sub.reject-policy.example", "fail", "550 5.7.1"),
        ("carol@post.example, eve@reject-policy.example", "fail", "550 5.7.1"),
        ("eve@failing.example", "temperror", "INBOX"),
    ],
)
def test_a_policy_counts_where_it_is_enforced(world, author, result, fate):
    subject = f"Author {author.replace('@', ' at ').replace(', ', ' and ')}"
    send(world, world.harbour, subject, author)
    message = world.harbour.wait_for_mail(f"Subject: {subject}")
    assert f"dmarc={result}".encode() in message
    said = send(world, world.orchard, subject, author)
    if fate.startswith("550"):
        assert f"* {fate}" in said
        return
    message = world.orchard.wait_for_mail(f"Subject: {subject}", fate)
    assert (b"X-Satchel-Verdict: Junk; the author's domain" in message) == (fate == "Junk")


def test_a_null_sender_is_known_by_its_greeting(world):
    send(world, world.orchard, "Null", "postmaster@mail.post.example", sender="<>")
    assert b"smtp.helo=mail.post.example" in world.orchard.wait_for_mail("Subject: Null")
    assert "* 550 5.7.1" in send(world, world.orchard, "Null", "eve@reject-policy.example", sender="<>")


def test_whom_no_answer_reaches_is_refused_by_both(world):
    for satchel in (world.harbour, world.orchard):
        assert "* 550 5.7.27" in send(world, satchel, "No answer", "eve@nomail.example", sender="eve@nomail.example")


def test_mail_between_satchels_is_verified(world):
    world.publish({("_dmarc.harbour.example", "TXT"): ['"v=DMARC1; p=reject"']})
    try:
        world.harbour.submit("bob@orchard.example", "Verified boats")
        message = world.orchard.wait_for_mail("Subject: Verified boats")
        assert "* 550 5.7.1" in send(world, world.orchard, "Forged boats", "alice@harbour.example")
    finally:
        world.publish({("_dmarc.harbour.example", "TXT"): []})
    for words in (b"spf=pass", b"dkim=pass", b"header.d=harbour.example", b"dmarc=pass", b"author=verified"):
        assert words in message
