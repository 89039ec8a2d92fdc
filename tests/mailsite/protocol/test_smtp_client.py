"""The sending side of SMTP: conversations without a wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ProtocolError
from mailsite_ext.protocol.smtp_client import (
    Features,
    HostRefused,
    Mail,
    Say,
    SayMessage,
    Secure,
    To,
    begin_anew,
    features_in,
    greet,
    hindrance,
    secure,
    transact,
)
from mailsite_ext.protocol.smtp_client_data import ReplyReader, stuffed
from mailsite_ext.protocol.smtp_grammar import Notify
from mailsite_ext.replies import Reply

PIPELINING = Features({"PIPELINING": "", "SIZE": "1000", "8BITMIME": ""})
MAIL = Mail("ada@here.example", (To("bob@there.example"), To("eve@there.example")), 500)
OK, START = Reply(250, "2.0.0 ok"), Reply(354, "go on")
NO, LATER = Reply(550, "5.1.1 no such user"), Reply(451, "4.3.0 later")


def converse(conversation, *answers):
    """Drive it with `answers`, a list of replies each; what was said, and what it came to."""
    said, step = [], next(conversation)
    for replies in answers:
        said.append(step)
        if isinstance(step, Say):
            assert len(replies) == step.replies
        try:
            step = conversation.send(replies)
        except StopIteration as end:
            return said, end.value
    return [*said, step], "goes on"


def lines(step):
    return step.octets.decode().splitlines()


def test_the_greeting():
    said, features = converse(
        greet("mail.here.example"),
        [Reply(220, "there ESMTP")],
        [Reply(250, "there\nPIPELINING\nsize 35882577\nLIMITS RCPTMAX=10\nx=y\nSTARTTLS")],
    )
    assert said == [Say(b""), Say(b"EHLO mail.here.example\r\n")]
    assert {"PIPELINING", "SIZE", "LIMITS", "STARTTLS"} == set(features.keywords)
    assert (features.size_limit_octets, features.most_recipients) == (35_882_577, 10)


def test_an_old_server_is_greeted_as_of_old():
    said, features = converse(greet("h"), [Reply(220, "x")], [Reply(502, "what?")], [Reply(250, "hello")])
    assert said[-1] == Say(b"HELO h\r\n")
    assert not features.keywords


@pytest.mark.parametrize(
    "answers",
    [
        [[Reply(554, "no service")]],
        [[Reply(421, "busy")]],
        [[Reply(220, "x")], [Reply(421, "busy")]],
        [[Reply(220, "x")], [Reply(500, "?")], [Reply(550, "go away")]],
    ],
)
def test_a_host_that_refuses(answers):
    with pytest.raises(HostRefused) as error:
        converse(greet("h"), *answers)
    assert error.value.reply == answers[-1][0]


def test_what_was_said_before_tls_counts_no_more():
    said, features = converse(secure("h"), [Reply(220, "go")], [], [Reply(250, "there\nSIZE 5")])
    assert said == [Say(b"STARTTLS\r\n"), Secure(), Say(b"EHLO h\r\n")]
    assert set(features.keywords) == {"SIZE"}
    with pytest.raises(HostRefused):
        converse(secure("h"), [Reply(454, "not now")])


def test_all_at_once_where_the_server_can():
    said, answers = converse(transact(MAIL, PIPELINING), [OK, OK, NO, START], [Reply(250, "queued")])
    assert lines(said[0]) == [
        "MAIL FROM:<ada@here.example> SIZE=500",
        "RCPT TO:<bob@there.example>",
        "RCPT TO:<eve@there.example>",
        "DATA",
    ]
    assert said[1] == SayMessage()
    assert answers == {"bob@there.example": Reply(250, "queued"), "eve@there.example": NO}


def test_one_by_one_where_it_cannot():
    said, answers = converse(transact(MAIL, Features()), [OK], [NO], [OK], [START], [LATER])
    assert [lines(step)[0].split()[0] for step in said[:-1]] == ["MAIL", "RCPT", "RCPT", "DATA"]
    assert answers == {"bob@there.example": NO, "eve@there.example": LATER}


@pytest.mark.parametrize(
    ("features", "answers", "last"),
    [
        (PIPELINING, [[LATER, NO, NO, Reply(503, "no")]], LATER),
        (PIPELINING, [[OK, NO, NO, Reply(554, "no valid recipients")]], NO),
        (PIPELINING, [[OK, NO, NO, START], [Reply(554, "none")]], NO),  # it waits for a message: an empty one
        (PIPELINING, [[LATER, OK, OK, START], [OK]], LATER),
        (PIPELINING, [[OK, OK, OK, LATER]], LATER),
        (Features(), [[NO]], NO),
        (Features(), [[OK], [LATER], [LATER]], LATER),
    ],
)
def test_what_is_refused_is_refused_for_all(features, answers, last):
    said, found = converse(transact(MAIL, features), *answers)
    assert set(found.values()) == {last}
    assert SayMessage() not in said
    if len(answers) == 2 and features is PIPELINING:
        assert said[-1] == Say(b".\r\n")


def test_what_a_message_needs_is_said_where_it_is_offered():
    mail = Mail(
        "",
        (To("bob@there.example", frozenset({Notify.DELAY, Notify.FAILURE}), "rfc822;b+40x"),),
        9,
        is_eight_bit=True,
        needs_utf8=True,
        requires_tls=True,
        ret="HDRS",
        envid="q1",
    )
    told = Features({"SMTPUTF8": "", "DSN": "", "8BITMIME": "", "REQUIRETLS": "", "PIPELINING": ""})
    said, _ = converse(transact(mail, told), [OK, OK, START], [OK])
    assert lines(said[0])[:2] == [
        "MAIL FROM:<> BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=q1",
        "RCPT TO:<bob@there.example> NOTIFY=DELAY,FAILURE ORCPT=rfc822;b+40x",
    ]
    said, _ = converse(transact(Mail("a@b.example", mail.recipients, 9), Features()), [OK], [OK], [START], [OK])
    assert lines(said[1]) == ["RCPT TO:<bob@there.example>"]


@pytest.mark.parametrize(
    ("needs", "features", "over_tls", "enhanced"),
    [
        ({"needs_utf8": True}, Features(), True, "5.6.7"),
        ({"octets": 1_001}, PIPELINING, True, "5.3.4"),
        ({"requires_tls": True}, Features({"REQUIRETLS": ""}), False, "5.7.30"),
        ({"requires_tls": True}, Features(), True, "5.7.30"),
        ({"octets": 1_000}, PIPELINING, False, None),
        ({"octets": 10**12}, Features({"SIZE": "0"}), False, None),
        ({"octets": 10**12}, Features({"SIZE": "9" * 40}), False, None),
        ({"requires_tls": True, "needs_utf8": True}, Features({"REQUIRETLS": "", "SMTPUTF8": ""}), True, None),
    ],
)
def test_what_is_in_the_way(needs, features, over_tls, enhanced):
    mail = Mail("a@b.example", (), needs.pop("octets", 1), **needs)
    found = hindrance(mail, features, over_tls=over_tls)
    assert (found.words.split()[0] if found else None) == enhanced


def test_another_message_on_the_same_connection():
    assert converse(begin_anew(), [OK]) == ([Say(b"RSET\r\n")], None)
    with pytest.raises(HostRefused):
        converse(begin_anew(), [Reply(421, "enough")])


@pytest.mark.parametrize("address", ["a@b.example>\r\nDATA", "a\n@b.example", "a\0@b.example"])
def test_no_line_gets_into_a_command(address):
    with pytest.raises(ValueError, match="control"):
        converse(transact(Mail("a@b.example", (To(address),), 1), PIPELINING), [OK])


# Octets


def test_replies_however_they_are_cut():
    octets = b"220-there\r\n220 hello\r\n250\r\n354 \xc3\xa9\xff\r\n"
    whole = list(ReplyReader().feed(octets))
    assert whole == [Reply(220, "there\nhello"), Reply(250, ""), Reply(354, "é\N{REPLACEMENT CHARACTER}")]
    for cut in range(len(octets)):
        reader = ReplyReader()
        assert [*reader.feed(octets[:cut]), *reader.feed(octets[cut:])] == whole
        assert reader.is_between


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"99 x\r\n",
        b"2500 x\r\n",
        b"650 x\r\n",
        b"250-" + b"x" * 5_000,
        b"250-x\r\n" * 201,
        b"SSH-2.0-x\r\n",
    ],
)
def test_what_is_no_reply(octets):
    with pytest.raises(ProtocolError):
        list(ReplyReader().feed(octets))


def test_a_reply_in_the_clear_is_forgotten():
    reader = ReplyReader()
    list(reader.feed(b"250-injec"))
    reader.forget()
    assert list(reader.feed(b"250 ok\r\n")) == [Reply(250, "ok")]


@given(st.lists(st.sampled_from([b".", b"..", b"\r\n", b"\r", b"\n", b"a", b"\r\n.\r\n", b""]), max_size=12))
def test_a_message_ends_where_it_ends(blocks):
    sent = b"".join(stuffed(blocks))
    assert sent.endswith(b".\r\n")
    assert b"\n" not in sent.replace(b"\r\n", b"")
    assert b"\r" not in sent.replace(b"\r\n", b"")
    assert (b"\r\n" + sent).find(b"\r\n.\r\n") == len(sent) - 3, "no earlier end"
    assert sent == b"".join(stuffed([b"".join(blocks)])), "however it is cut"


def test_features_of_nothing():
    assert not features_in(Reply(250, "")).keywords
