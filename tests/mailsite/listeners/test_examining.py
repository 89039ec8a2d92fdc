"""Mail from outside in real conversations, senders' DNS on loopback: what is kept, filed, refused (A4-A6, O11)."""

from __future__ import annotations

import smtplib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes

import pytest

from app.clock import SystemClock
from app.errors import MailError
from app.extension_api import Standing
from app.resolver import DnsResolver
from mailsite_ext.delivery.verdict import DISOWNED, LIKE_JUNK, TRUST_UNPROVEN, TRUSTED, WITHOUT_TLS
from mailsite_ext.junk.score import Judgement
from mailsite_ext.limits import Limits
from mailsite_ext.reception.examine import Examiner
from mailsite_ext.settings.values import Posture
from tests.mailsite.listeners.hosting import SEALS, hosting
from tests.mailsite.reception.letters import HOST, SLOW, WORLD, People, examiner, letter, signed
from tests.servers.name_server import Zone, serve


def presented(records):
    """A zone file quotes texts, each piece of at most 255 octets."""
    return {key: [_quoted(text) for text in texts] if key[1] == "TXT" else texts for key, texts in records.items()}


def _quoted(text):
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


@pytest.fixture(scope="module")
def name_server():
    zone = Zone(presented(WORLD), failing=SLOW)
    with serve(zone) as address:
        yield address


@pytest.fixture
def running(tmp_path, name_server):
    opened = []

    def make(*names, people=None, **words):
        people = people or People()
        asks = Examiner(DnsResolver(name_server), SystemClock(), HOST, people, people)
        manager = hosting(tmp_path / f"spool{len(opened)}", *(names or ["reception"]), **{"examiner": asks} | words)
        opened.append(manager)
        return manager.__enter__()

    yield make
    for manager in opened:
        manager.__exit__(None, None, None)


def send(host, message, sender="ann@plain.example", to=("bob@example.org",), name="reception", login=None):
    """The reply to the end of DATA."""
    with smtplib.SMTP("localhost", host.ports[name], timeout=30) as client:
        client.ehlo("mail.plain.example")
        if login:
            client.login(*login)
        client.mail(sender)
        for each in to:
            client.rcpt(each)
        code, words = client.data(message)
        return f"{code} {words.decode()}"


def taken(host, at=-1):
    """Folder, header and standing of a letter that was stored."""
    kept = host.box.letters[at]
    sealed = SEALS.find_sealed(kept.head + kept.body.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", kept.mailbox)
    return kept.folder, message_from_bytes(kept.head + b"\r\n"), sealed and sealed[0]


def test_what_was_found_out_stands_on_top(running):
    host = running()
    message = signed(letter("a@none.example"), "none.example")
    assert send(host, message, to=("bob@example.org", "alice@example.org")).startswith("250")
    for at, name in ((0, "bob"), (1, "alice")):
        folder, head, standing = taken(host, at)
        assert head.keys() == ["Return-Path", "Delivered-To", "X-Satchel-Seal", "Authentication-Results", "Received"]
        assert head["Delivered-To"] == f"{name}@example.org"
        for words in (HOST, "spf=pass", "dkim=pass", "header.d=none.example", "dmarc=pass"):
            assert words in head["Authentication-Results"]
        assert (folder, standing) == ("INBOX", Standing.VERIFIED)
        assert host.box.letters[at].body == message


@pytest.mark.parametrize("enforced", [False, True])
@pytest.mark.parametrize(
    ("author", "fate"),
    [
        ("a@none.example", "INBOX"),
        ("a@quarantine.example", "Junk"),
        ("a@testing.example", "Junk"),  # t=y: reject is quarantine
        ("a@reject.example", "550 5.7.1"),
        ("a@nobody.reject.example", "550 5.7.1"),  # below it
        ("a@plain.example, b@reject.example", "550 5.7.1"),
        (", ".join(f"a@n{n}.example" for n in range(9)), "550 5.7.1"),
        ("a@silent.example", "INBOX"),  # nobody knows: never refused
        ("nobody", "INBOX"),
    ],
)
def test_a_forged_author_has_the_fate_their_domain_asks_for(running, enforced, author, fate):
    host = running(enforces_dmarc=enforced)
    reply = send(host, letter(author))
    if enforced and fate.startswith("550"):
        assert reply.startswith(fate)
        assert host.box.letters == []
        return
    folder, head, _standing = taken(host)
    assert reply.startswith("250")
    assert folder == (fate if enforced else "INBOX")
    assert head["X-Satchel-Verdict"] == (f"Junk; {DISOWNED}" if folder == "Junk" else None)


def test_a_null_sender_is_judged_by_the_name_in_its_greeting(running):
    host = running(enforces_dmarc=True)
    assert send(host, letter("postmaster@mail.plain.example"), sender="").startswith("250")
    assert "smtp.helo=mail.plain.example" in taken(host)[1]["Authentication-Results"]
    assert send(host, letter("a@reject.example"), sender="").startswith("550 5.7.1")


def test_whom_no_answer_reaches_is_refused(running):
    host = running()
    assert send(host, letter(), sender="a@nomail.example").startswith("550 5.7.27")


@pytest.mark.parametrize("octets", [10, 700_000])
def test_forged_findings_do_not_come_through(running, octets):
    host = running()
    forged = (
        f"Authentication-Results: {HOST}; dmarc=pass header.from=reject.example\r\n"
        "X-Satchel-Verdict: INBOX; the sender is trusted\r\n"
        "Authentication-Results: elsewhere.example; dmarc=pass\r\n"
    )
    body = "y" * 70 + "\r\n"
    message = signed(letter("a@none.example", forged, body * (octets // 72 + 1)), "none.example")
    send(host, message)
    _folder, head, standing = taken(host)
    kept = host.box.letters[0].body
    assert len(head.get_all("Authentication-Results")) == 1
    assert "dkim=pass" in head["Authentication-Results"]  # as it was signed, not as it is kept
    assert standing is Standing.VERIFIED
    assert b"elsewhere.example" in kept
    assert HOST.encode() not in kept
    assert b"X-Satchel" not in kept
    assert kept.endswith(body.encode())


@pytest.mark.parametrize("top", [b" with ESMTPS (TLSv1.3 x)\r\n", b"\t\r\n", b"no field\r\n", b"From\r\n x\r\n"])
def test_no_beginning_of_a_message_breaks_our_seal(running, top):
    """Else what is forged would show nothing at all."""
    host = running()
    send(host, top + letter("a@reject.example"))
    _folder, head, standing = taken(host)
    assert standing is Standing.FORGED
    assert "ESMTPS" not in head["Received"]


def test_who_signed_in_is_not_asked_about_and_forges_nothing_either(running):
    host = running("open")
    forged = (
        f"Authentication-Results: {HOST}; dmarc=pass header.from=bank.example\r\nX-Satchel-Seal: author=verified\r\n"
    )
    message = letter("alice@example.org", forged)
    reply = send(host, message, "alice@example.org", name="open", login=("alice@example.org", "secret"))
    assert reply.startswith("250")
    _folder, head, standing = taken(host)
    assert head["Authentication-Results"] is None
    assert b"bank.example" not in host.box.letters[0].body
    assert standing is Standing.OURS


def looks_like_junk(name):
    return People(junk={name: Judgement(0.99, ())})


@pytest.mark.parametrize(
    ("people", "author", "folder", "reasons"),
    [
        (People(), "ann@plain.example", "Junk", [WITHOUT_TLS]),
        (People({2: {"ann@plain.example"}}), "ann@plain.example", "INBOX", [WITHOUT_TLS, TRUSTED]),
        (People({1: {"ann@plain.example"}}), "ann@plain.example", "Junk", [WITHOUT_TLS]),  # alice does, bob does not
        (People({2: {"a@none.example"}}), "a@none.example", "Junk", [WITHOUT_TLS, TRUST_UNPROVEN]),
        (looks_like_junk("bob"), "ann@plain.example", "Junk", [WITHOUT_TLS, LIKE_JUNK]),
    ],
)
def test_trusted_senders_over_a_bare_connection(running, people, author, folder, reasons):
    """T4, T6."""
    host = running(posture=Posture.SPAM, people=people)
    send(host, letter(author))
    found, head, _standing = taken(host)
    assert found == folder
    assert head["X-Satchel-Verdict"] == "; ".join([folder, *reasons])


def test_each_recipient_has_a_verdict_of_their_own(running):
    host = running(people=looks_like_junk("alice"))
    send(host, letter(), to=("bob@example.org", "alice@example.org"))
    assert [(kept.mailbox, kept.folder) for kept in host.box.letters] == [("bob", "INBOX"), ("alice", "Junk")]
    assert b"X-Satchel-Junk" not in host.box.letters[0].head
    assert taken(host, 1)[2] is Standing.VERIFIED  # the seal covers what the filter said


class Waiting:
    """An examiner that waits for as long as it is told to; how many were at it at once."""

    def __init__(self):
        self.may_go = threading.Event()
        self.now, self.most = 0, 0
        self._lock = threading.Lock()

    def examine(self, arrival, blocks):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.may_go.wait(20)
        with self._lock:
            self.now -= 1
        return examiner().examine(arrival, blocks)


def test_slow_dns_keeps_no_other_connection_waiting_and_is_bounded(running):
    waiting = Waiting()
    host = running(examiner=waiting, limits=Limits(examinations=3, examinations_per_peer=2, stop_grace_s=5))
    with ThreadPoolExecutor(5) as pool:
        sent = [pool.submit(send, host, letter()) for _ in range(5)]
        _wait_for(lambda: waiting.now == 2)
        with smtplib.SMTP("localhost", host.ports["reception"], timeout=5) as client:  # while all of them wait
            assert client.ehlo("other.example")[0] == 250
            assert client.mail("x@plain.example")[0] == 250
            assert client.rcpt("bob@example.org")[0] == 250
        waiting.may_go.set()
        assert {each.result(20)[:3] for each in sent} == {"250"}
    assert waiting.most == 2
    assert len(host.box.letters) == 5


class Broken:
    def __init__(self, fault):
        self._fault = fault

    def examine(self, _arrival, _blocks):
        raise self._fault


@pytest.mark.parametrize("fault", [MailError("database"), ZeroDivisionError("a bug")])
def test_a_fault_of_ours_asks_for_another_try(running, fault):
    host = running(examiner=Broken(fault))
    assert send(host, letter()).startswith("451 4.3.0")
    assert host.box.letters == []


def _wait_for(condition):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
