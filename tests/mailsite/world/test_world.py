"""Mail between hosts that share nothing but a network and DNS: every message has the fate the rules give it."""

from __future__ import annotations

import dkim
import pytest

from mailsite_ext.delivery.retry import Fate

pytestmark = pytest.mark.servers


def is_signed(world, message: bytes, domain: str) -> bool:
    """By the domain of its From, as another program sees it; the key is asked for in DNS."""

    def ask(name: bytes, timeout: float = 5) -> bytes:
        (text,) = world.zone.records[name.decode().rstrip("."), "TXT"]
        return text.replace('"', "").replace(" ", "").replace("v=DKIM1;k=rsa;", "v=DKIM1; k=rsa; ").encode()

    return f"d={domain};".encode() in message and dkim.verify(message, dnsfunc=ask)


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
