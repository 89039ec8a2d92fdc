"""Delivery status notifications, read by another reader (RFC 3464, RFC 3461)."""

import email.policy
from datetime import UTC, datetime

import pytest

from mailsite_ext.delivery.bounce import MOST_RETURNED_OCTETS, Original, Subject, is_wanted, report, returned, status_of
from mailsite_ext.delivery.retry import Notice
from mailsite_ext.protocol.smtp_grammar import Notify
from mailsite_ext.replies import Reply

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MESSAGE = b"From: ada@here.example\r\nTo: bob@there.example\r\nSubject: Tea\r\n\r\nAt five.\r\n"
BOB = Subject(
    "bob@there.example", Reply(550, "5.1.1 no such\nuser"), "mx.there.example", "rfc822;b+40there.example", NOW
)


def made(notice=Notice.FAILED, subjects=(BOB,), original=None):
    original = original or Original("ada@here.example", NOW, MESSAGE, True, "q+2B1")
    octets = report(notice, original, subjects, host="mail.here.example", now=NOW, token="t0ken")
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    return email.message_from_bytes(octets, policy=email.policy.default)


def test_a_failure():
    message = made()
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["To"] == "ada@here.example"
    assert message["Auto-Submitted"] == "auto-replied"
    assert not message.defects
    text, status, back = message.iter_parts()
    assert "bob@there.example" in text.get_content()
    assert "mx.there.example said: 550 5.1.1 no such user" in text.get_content()
    of_message, of_bob = status.get_payload()
    assert of_message["Original-Envelope-Id"] == "q+1"
    assert of_message["Reporting-MTA"] == "dns; mail.here.example"
    assert dict(of_bob) == {
        "Original-Recipient": "rfc822;b@there.example",
        "Final-Recipient": "rfc822; bob@there.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.there.example",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
        "Last-Attempt-Date": "Sun, 01 Mar 2026 12:00:00 +0000",
    }
    assert back.get_content_type() == "message/rfc822"
    assert back.get_content()["Subject"] == "Tea"


@pytest.mark.parametrize(
    ("notice", "reply", "status"),
    [
        (Notice.FAILED, Reply(451, "4.4.1 no connection"), "5.4.1"),  # its time is over
        (Notice.FAILED, Reply(554, "no words"), "5.0.0"),
        (Notice.DELAYED, Reply(451, "later"), "4.0.0"),
        (Notice.DELIVERED, Reply(250, "2.1.5 ok"), "2.1.5"),
        (Notice.RELAYED, Reply(250, "2.6.0"), "2.6.0"),
    ],
)
def test_status_codes(notice, reply, status):
    _, parts, _ = made(notice, [Subject("bob@there.example", reply)]).iter_parts()
    assert parts.get_payload()[1]["Status"] == status
    assert parts.get_payload()[1]["Action"] == notice


def test_addresses_beyond_ascii():
    message = made(subjects=[Subject("jürgen@there.example", Reply(550, "5.6.7 é"), "mx")])
    _, status, back = message.iter_parts()
    assert status.get_content_type() == "message/global-delivery-status"  # RFC 6533 §3
    assert back.get_content_type() == "message/global"


@pytest.mark.parametrize(("ret", "size", "whole"), [
    ("", 10, True), ("FULL", 10, True), ("HDRS", 10, False), ("FULL", MOST_RETURNED_OCTETS, False),
])  # fmt: skip
def test_what_goes_back(ret, size, whole):
    octets, is_whole = returned(MESSAGE + b"x" * size, ret)
    assert is_whole is whole
    if not whole:
        assert octets == MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n"
        _, _, back = made(original=Original("ada@here.example", NOW, octets, False)).iter_parts()
        assert back.get_content_type() == "text/rfc822-headers"


def test_a_header_without_end_is_cut_at_a_line():
    octets, is_whole = returned(b"X: y\r\n" * 50_000, "HDRS")
    assert not is_whole
    assert len(octets) <= MOST_RETURNED_OCTETS
    assert octets.endswith(b"X: y\r\n")


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        (set(), {Notice.FAILED, Notice.DELAYED}),
        ({Notify.NEVER}, set()),
        ({Notify.SUCCESS}, {Notice.DELIVERED, Notice.RELAYED}),
        ({Notify.FAILURE}, {Notice.FAILED}),
        ({Notify.DELAY, Notify.FAILURE}, {Notice.FAILED, Notice.DELAYED}),
    ],
)
def test_what_the_sender_wants_to_hear(notify, told):
    assert {notice for notice in Notice if is_wanted(notice, frozenset(notify))} == told


def test_a_status_is_taken_from_the_words():
    assert status_of(Reply(550, "5.7.1 no")) == "5.7.1"
    assert status_of(Reply(450, "5.7.1x no")) == "4.0.0"
