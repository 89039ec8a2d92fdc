"""Mail between hosts that share nothing but a network and DNS: every message has the fate the rules give it."""

from __future__ import annotations

import dkim
import pytest

from mailsite_ext.delivery.retry import Fate
from tests.mailsite.delivery.peer import Peer
from tests.mailsite.world.network import NETWORK
from tests.mailsite.world.satchel import PASSWORD

pytestmark = pytest.mark.servers
NOBODY = f"{NETWORK}250"


def is_signed(world, message: bytes, domain: str) -> bool:
    """By the domain of its From, as another program sees it; the key is asked for in DNS."""

    def ask(name: bytes, timeout: float = 5) -> bytes:
        (text,) = world.zone.records[name.decode().rstrip("."), "TXT"]
        record: str = text.replace('"', "").replace(" ", "").replace("v=DKIM1;k=rsa;", "v=DKIM1; k=rsa; ")
        return record.encode()

    return f"d={domain};".encode() in message and bool(dkim.verify(message, dnsfunc=ask))


def test_both_ways_between_satchels_signed_and_over_tls(world):
    world.harbour.submit("bob@orchard.example", "Boats")
    message = world.orchard.wait_for_mail("Subject: Boats")
    assert is_signed(world, message, "harbour.example")
    assert b"with ESMTPS" in message
    world.orchard.submit("alice@harbour.example", "Apples")
    message = world.harbour.wait_for_mail("Subject: Apples")
    assert is_signed(world, message, "orchard.example")
    assert b"with ESMTPS" in message


def test_both_ways_with_postfix(world):
    world.harbour.submit("carol@post.example", "Nets")
    message = world.postfix.wait_for_mail("Subject: Nets")
    assert is_signed(world, message, "harbour.example")
    assert b"with ESMTPS" in message
    assert b"Return-Path: <alice@harbour.example>" in message
    world.postfix.submit("bob@orchard.example", "Stamps")
    assert b"with ESMTPS" in world.orchard.wait_for_mail("Subject: Stamps")


def test_who_is_nobody_there_comes_back(world):
    world.harbour.submit("nobody@post.example", "Lost")
    notice = world.harbour.wait_for_mail("nobody@post.example")
    assert b"Action: failed" in notice
    assert world.harbour.wait_for_try("nobody@post.example").fate is Fate.FAILED


def test_without_starttls_mail_is_junk_or_comes_back(world):
    """Somebody in the middle takes STARTTLS away: Spam Insecure files it, Require Secure refuses it (T4, T5)."""
    with world.stripped(world.harbour):
        world.orchard.submit("alice@harbour.example", "Bare apples")
        message = world.harbour.wait_for_mail("Subject: Bare apples", "Junk")
    assert b"X-Satchel-Verdict: Junk; it came without TLS" in message
    with world.stripped(world.orchard):
        world.harbour.submit("bob@orchard.example", "Bare boats")
        notice = world.harbour.wait_for_mail("Subject: Bare boats")
    assert b"Action: failed" in notice
    assert b"5.7.0" in notice
    assert not [message for message in world.orchard.messages("INBOX") if b"Bare boats" in message]


def test_port_25_dropped_and_587_is_tried(world):
    """Its answers are of no weight: the message stays (X3)."""
    peer = world.peer("walled.example", Peer(answers={"MAIL": "530 5.7.0 sign in"}), port=587)
    world.harbour.submit("eve@walled.example", "Walls")
    tried = world.harbour.wait_for_try("eve@walled.example")
    assert (tried.fate, tried.code) == (Fate.WAITING, 451)
    assert "530" in tried.words
    assert [each.port_25_blocked for each in world.harbour.attempts("walled.example")] == [True]
    peer.answers.clear()
    world.harbour.let_time_pass("eve@walled.example")
    assert world.harbour.wait_for_try("eve@walled.example", 2).fate is Fate.DELIVERED


def test_a_dead_server_waits_and_the_next_one_takes_over(world):
    world.publish({("dead.example", "MX"): ["10 mail.dead.example."], ("mail.dead.example", "A"): [NOBODY]})
    world.harbour.submit("eve@dead.example", "Silence")
    tried = world.harbour.wait_for_try("eve@dead.example")
    assert (tried.fate, tried.words[:5]) == (Fate.WAITING, "4.4.1")
    peer = world.peer("spare.example", Peer())
    world.publish({("spare.example", "MX"): ["10 mail.dead.example.", "20 mail.spare.example."]})
    world.harbour.submit("eve@spare.example", "Spare")
    assert world.harbour.wait_for_try("eve@spare.example").fate is Fate.DELIVERED
    assert b"Subject: Spare" in peer.messages[0]


@pytest.mark.parametrize(
    ("domain", "records", "status"), [("null.example", ["0 ."], b"5.1.10"), ("nowhere.example", [], b"5.1.2")]
)
def test_a_domain_without_mail_comes_back_at_once(world, domain, records, status):
    world.publish({(domain, "MX"): records} if records else {})
    world.harbour.submit(f"eve@{domain}", "Void")
    notice = world.harbour.wait_for_mail(f"eve@{domain}")
    assert b"Action: failed" in notice
    assert status in notice


def test_greylisting_is_waited_out(world):
    peer = world.peer("grey.example", Peer(answers={"RCPT": "451 4.7.1 come again", "DATA": "554 no recipients"}))
    world.harbour.submit("eve@grey.example", "Grey")
    assert world.harbour.wait_for_try("eve@grey.example").fate is Fate.WAITING
    assert peer.messages == []
    peer.answers.clear()
    world.harbour.let_time_pass("eve@grey.example")
    assert world.harbour.wait_for_try("eve@grey.example", 2).fate is Fate.DELIVERED
    assert len(peer.messages) == 1


@pytest.mark.parametrize(
    ("mode", "has_tls", "fate"),
    [
        ("enforce", False, Fate.WAITING),
        ("enforce", True, Fate.DELIVERED),
        ("testing", False, Fate.DELIVERED),
    ],
)
def test_a_policy_of_the_other_side(world, authority, mode, has_tls, fate):
    """MTA-STS: enforced, mail waits for verified TLS; in test it goes whatever there is (X5, RFC 8461 §5)."""
    domain = f"{mode}-{'tls' if has_tls else 'bare'}.example"
    tls = authority.issue(f"mail.{domain}").server_context() if has_tls else None
    peer = world.peer(domain, Peer(tls=tls))
    web = world.policy(domain, mode)
    world.harbour.submit(f"eve@{domain}", "Policy")
    tried = world.harbour.wait_for_try(f"eve@{domain}")
    assert (tried.fate, len(peer.messages)) == (fate, int(fate is Fate.DELIVERED))
    assert tried.words.startswith("4.7.5") == (fate is Fate.WAITING)
    assert len(web.requests) == 1


def test_msmtp_from_another_host(world, tmp_path):
    """A mail client out on the network: submission is exposed, and takes TLS from the first octet."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    harbour, laptop = world.harbour, world.postfix.here
    laptop.run(
        *("msmtp", f"--host={harbour.here.address}", "--port=465", "--tls=on", "--tls-starttls=off", "--auth=plain"),
        *("--tls-certcheck=on", f"--tls-trust-file={harbour.config.tls_ca_file}", f"--user={harbour.address}"),
        *(f"--passwordeval=cat {secret}", f"--from={harbour.address}", "bob@orchard.example"),
        text=f"From: {harbour.address}\nSubject: Terminal\n\nHello.\n",
    )
    assert is_signed(world, world.orchard.wait_for_mail("Subject: Terminal"), "harbour.example")


def test_nobody_relays_through_us(world):
    """Without signing in, only mail for people here is taken (X4, RFC 5321 §3.6.2)."""
    done = world.postfix.here.run(
        *("swaks", "--server", world.orchard.here.address, "--tls", "--from", "carol@post.example"),
        *("--to", "alice@harbour.example", "--ehlo", "mail.post.example"),
        check=False,
    )
    assert "550 5.7.1" in done.stdout
