"""The SMTP session by itself: order, grammar, message bytes, and that it never matters how the bytes were cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.extension_api import MailError
from mailsite_ext.limits import Limits
from mailsite_ext.protocol.smtp_grammar import Auth, Data, Hello, MailFrom, Notify, Quit, RcptTo, StartTls
from mailsite_ext.protocol.smtp_session import Chunk, SaslResponse, SmtpSession, State
from mailsite_ext.replies import Reply, smtp_reply
from tests.conftest import CORPORA

SMALL = Limits(message_octets=2_000, text_line_octets=200, command_line_octets=300, bad_commands=3)
OK = Reply(250, "2.0.0 ok")


def yes(event: object) -> Reply:
    """A server that takes everything."""
    match event:
        case Data():
            return Reply(354, "go on")
        case Quit():
            return Reply(221, "2.0.0 bye")
        case StartTls():
            return Reply(220, "2.0.0 go on")
        case Auth(initial=None):
            return Reply(334, "")
        case Auth() | SaslResponse():
            return Reply(235, "2.7.0 welcome")
        case _:
            return OK


class Server:
    """A session and all it gave: replies, messages, events."""

    def __init__(self, limits: Limits = SMALL) -> None:
        self.session = SmtpSession(limits)
        self.replies: list[str] = []
        self.messages: list[bytes] = []
        self._message = b""

    def hear(self, data: bytes) -> Server:
        self.session.receive(data)
        while self._step():
            pass
        return self

    def _step(self) -> bool:
        try:
            event = self.session.next_event()
        except MailError as error:
            self._message = b""
            self._say(smtp_reply(error))
            return True
        if event is None:
            return False
        if isinstance(event, Chunk):
            self._message += event.data
            return True
        if type(event).__name__ == "MessageEnd":
            self.messages.append(self._message)
            self._message = b""
        self._say(yes(event))
        return True

    def _say(self, reply: Reply) -> None:
        self.replies.append(self.session.answer(reply).decode().rstrip())

    @property
    def codes(self) -> list[str]:
        return [reply[:3] for reply in self.replies]


def hear(text: str, limits: Limits = SMALL) -> Server:
    return Server(limits).hear(text.replace("\n", "\r\n").encode())


HELLO = "EHLO client.example\n"
ENVELOPE = HELLO + "MAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\n"


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("EHLO c\nMAIL FROM:<>\nRCPT TO:<a@b.example>\nDATA\nx\n.\nQUIT\n", "250 250 250 354 250 221"),
        ("HELO c\nNOOP anything\nVRFY a\nHELP\nRSET\nQUIT\n", "250 250 250 250 250 221"),
        ("ehlo c\nmail from:<a@b.example>\nrcpt to:<a@b.example>\n", "250 250 250"),
        # the order of commands, RFC 5321 §4.1.4
        ("MAIL FROM:<>\n", "503"),
        (HELLO + "RCPT TO:<a@b.example>\n", "250 503"),
        (HELLO + "DATA\n", "250 503"),
        (HELLO + "MAIL FROM:<>\nMAIL FROM:<>\n", "250 250 503"),
        (HELLO + "MAIL FROM:<>\nDATA\n", "250 250 503"),
        (ENVELOPE + "RSET\nRCPT TO:<c@d.example>\n", "250 250 250 250 503"),
        (ENVELOPE + "EHLO again\nRCPT TO:<c@d.example>\n", "250 250 250 250 503"),
        (ENVELOPE + "AUTH PLAIN AA==\n", "250 250 250 503"),  # RFC 4954 §4
        (ENVELOPE + "STARTTLS\n", "250 250 250 503"),
        ("AUTH PLAIN AA==\n", "503"),
        (HELLO + "AUTH PLAIN AA==\nAUTH PLAIN AA==\n", "250 235 503"),
        # grammar
        ("EHLO\n", "501"),
        ("EHLO \n", "501"),
        ("HELO " + "x" * 256 + "\n", "501"),
        ("WHAT\n", "500"),
        ("\n", "500"),
        ("EXPN list\n", "502"),
        ("VRFY\n", "501"),
        (HELLO + "DATA now\n", "250 501"),
        (HELLO + "QUIT now\n", "250 501"),
        ("GET / HTTP/1.1\nHost: x\n", "421"),
        ("HELO " + "x" * 300 + "\nNOOP\n", "500 250"),
        ("NO\0OP\n", "501"),
        ("A\nB\nC\nNOOP\n", "500 500 421"),  # three in a row
        ("A\nB\nNOOP\nC\nD\nNOOP\n", "500 500 250 500 500 250"),
        # AUTH, RFC 4954 §4
        (HELLO + "AUTH PLAIN\nAGEAYg==\nQUIT\n", "250 334 235 221"),
        (HELLO + "AUTH PLAIN =\n", "250 235"),
        (HELLO + "AUTH PLAIN a\n", "250 501"),
        (HELLO + "AUTH PLAIN\na\nNOOP\n", "250 334 501 250"),
        (HELLO + "AUTH\n", "250 501"),
        # chunks, RFC 3030
        (ENVELOPE + "BDAT 5 LAST\nhelloNOOP\n", "250 250 250 250 250"),
        (ENVELOPE + "BDAT 3\nxyzBDAT 0 LAST\n", "250 250 250 250 250"),
        (ENVELOPE + "BDAT 3\nxyzDATA\n", "250 250 250 250 503"),
        (ENVELOPE + "BDAT 3\nxyzRCPT TO:<a@b.example>\n", "250 250 250 250 503"),
        (ENVELOPE + "BDAT 3\nxyzRSET\nDATA\n", "250 250 250 250 250 503"),
        (HELLO + "BDAT 6 LAST\nNOOP\nNOOP\n", "250 503 250"),  # its octets are no commands
        (ENVELOPE + "BDAT LAST\nMAIL FROM:<>\n", "250 250 250 421"),
        (ENVELOPE + "BDAT -1\nMAIL FROM:<>\n", "250 250 250 421"),
        (HELLO + "MAIL FROM:<> BODY=BINARYMIME\nRCPT TO:<a@b.example>\nDATA\n", "250 250 250 503"),
    ],
)
def test_replies(said, codes):
    server = hear(said)
    assert " ".join(server.codes) == codes


@pytest.mark.parametrize(
    ("parameters", "reply"),
    [
        ("SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=<>", "250"),
        ("BODY=binarymime REQUIRETLS", "250"),
        ("SIZE=x", "501"),
        ("SIZE=" + "1" * 21, "501"),
        ("SIZE=1 SIZE=1", "501"),
        ("BODY=9BIT", "501"),
        ("SMTPUTF8=yes", "501"),
        ("RET=ALL", "501"),
        ("ENVID=", "501"),
        ("ENVID=a+2b", "501"),  # hexadecimal in capitals, RFC 3461 §4
        ("ENVID=" + "a" * 101, "501"),
        ("COLOUR=red", "555"),
    ],
)
def test_parameters_of_mail(parameters, reply):
    assert hear(f"{HELLO}MAIL FROM:<a@b.example> {parameters}\n").codes[-1] == reply


def test_parameters_need_ehlo():
    assert hear("HELO c\nMAIL FROM:<a@b.example> SIZE=1\n").codes[-1] == "555"


@pytest.mark.parametrize(
    ("parameters", "reply"),
    [
        ("NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c.example", "250"),
        ("NOTIFY=NEVER", "250"),
        ("NOTIFY=NEVER,SUCCESS", "501"),
        ("NOTIFY=SOMETIMES", "501"),
        ("ORCPT=nothing", "501"),
        ("SIZE=1", "555"),
    ],
)
def test_parameters_of_rcpt(parameters, reply):
    assert hear(f"{HELLO}MAIL FROM:<>\nRCPT TO:<a@b.example> {parameters}\n").codes[-1] == reply


def test_what_a_command_says():
    session = SmtpSession(SMALL)
    session.receive(b"EHLO [192.0.2.1]\r\n")
    assert session.next_event() == Hello("[192.0.2.1]", extended=True)
    assert session.next_event() is None  # not before the answer
    session.answer(OK)
    session.receive("MAIL FROM:<Jörg@Bücher.example> SMTPUTF8 SIZE=7\r\n".encode())
    mail = session.next_event()
    assert isinstance(mail, MailFrom)
    assert (str(mail.sender), mail.size_octets, mail.utf8) == ("Jörg@xn--bcher-kva.example", 7, True)
    session.answer(OK)
    session.receive("RCPT TO:<añb@d.example> NOTIFY=never\r\n".encode())
    rcpt = session.next_event()
    assert isinstance(rcpt, RcptTo)
    assert (rcpt.recipient.local, rcpt.notify) == ("añb", frozenset({Notify.NEVER}))


def body(text: bytes, limits: Limits = SMALL) -> Server:
    return Server(limits).hear((ENVELOPE + "DATA\n").replace("\n", "\r\n").encode() + text)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b".\r\n", b""),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),  # RFC 5321 §4.5.2, the first line too
        (b".a\r\nb\r\n..c\r\n...\r\n.\r\n", b"a\r\nb\r\n.c\r\n..\r\n"),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        ("ä\r\n.\r\n".encode(), "ä\r\n".encode()),
        (b"x" * 198 + b"\r\n.\r\n", b"x" * 198 + b"\r\n"),
    ],
)
def test_dots(sent, kept):
    server = body(sent)
    assert server.messages == [kept]
    assert server.codes[-1] == "250"


@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (b"a\nb\r\n.\r\n", "500 5.5.2"),
        (b"a\rb\r\n.\r\n", "500 5.5.2"),
        (b"a\r\r\n.\r\n", "500 5.5.2"),
        (b"a\n\r\n.\r\n", "500 5.5.2"),
        (b"a\n\r\r\nb\r\n.\r\n", "500 5.5.2"),
        (b"\n.\r\n.\r\n", "500 5.5.2"),
        (b"a\0\r\n.\r\n", "554 5.6.0"),
        (b"x" * 199 + b"\r\n.\r\n", "554 5.6.0"),
        (b"x" * 1_000 + b"\r\n.\r\n", "554 5.6.0"),
        (b"xxxxxxxx\r\n" * 200 + b"x\r\n.\r\n", "552 5.3.4"),
    ],
)
def test_faults_are_refused_at_the_true_end(sent, reply):
    server = body(sent + b"NOOP\r\n")
    assert not server.messages
    assert server.replies[-2].startswith(reply)
    assert server.replies[-1].startswith("250")


@pytest.mark.corpora
def test_nothing_else_ends_the_data():
    if not CORPORA.is_dir():
        pytest.skip("corpora/smtp-abuse: no corpora here")
    ends = json.loads((CORPORA / "smtp-abuse" / "smuggling.give.json").read_text("utf-8"))["eod"]
    assert ends
    smuggled = b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nevil\r\n"
    for end in ends:
        server = body(b"good" + end.encode() + smuggled + b".\r\n")
        assert not server.messages
        assert server.codes == ["250", "250", "250", "354", "500"], end


def test_binary_chunks_are_kept_octet_for_octet():
    raw = bytes(range(256)) + b"\r\n.\r\n\n"
    head = HELLO + "MAIL FROM:<> BODY=BINARYMIME\nRCPT TO:<a@b.example>\n"
    server = hear(head).hear(b"BDAT %d LAST\r\n" % len(raw) + raw + b"NOOP\r\n")
    assert server.messages == [raw]
    assert server.codes[-2:] == ["250", "250"]


@pytest.mark.parametrize("fault", [b"a\nb", b"a\rb", b"a\r", b"\0"])
def test_chunks_of_text_are_text(fault):
    server = hear(ENVELOPE).hear(b"BDAT %d LAST\r\n" % len(fault) + fault + b"NOOP\r\n")
    assert server.codes[-2] in {"500", "554"}
    assert not server.messages
    assert server.codes[-1] == "250"


def test_a_line_end_cut_by_two_chunks_is_one():
    assert hear(ENVELOPE).hear(b"BDAT 2\r\na\rBDAT 2 LAST\r\n\nb").messages == [b"a\r\nb"]


def test_chunks_too_many_are_refused():
    server = hear(ENVELOPE)
    for _ in range(3):
        server.hear(b"BDAT 1000\r\n" + b"x\r\n" * 333 + b"x")
    assert server.codes[-3:] == ["250", "250", "552"]
    assert server.session.state is State.GREETED


def test_a_line_without_its_cr_is_refused_at_once():
    assert Server().hear(b"EHLO c\nMAIL FROM:<>\r\n").codes == ["500", "503"]


def test_starttls_forgets_everything_and_never_runs_what_came_with_it():  # RFC 3207 §4.2, §6
    server = hear(HELLO + "AUTH PLAIN AA==\n")
    assert server.session.is_authenticated
    session = server.session
    session.receive(b"STARTTLS\r\nMAIL FROM:<evil@b.example>\r\n")
    assert session.next_event() == StartTls()
    session.answer(Reply(220, "2.0.0 go on"))
    assert session.take_unread() == b"MAIL FROM:<evil@b.example>\r\n"
    assert session.next_event() is None
    assert session.state is State.CONNECTED
    assert not session.is_authenticated
    assert server.hear(b"MAIL FROM:<>\r\n").codes[-1] == "503"


def test_a_refused_command_moves_nothing():
    session = SmtpSession(SMALL)
    session.receive(ENVELOPE.replace("\n", "\r\n").encode() + b"DATA\r\nQUIT\r\n")
    for code in (250, 250, 550):
        session.next_event()
        session.answer(Reply(code, "x"))
    assert session.state is State.HAS_SENDER
    with pytest.raises(MailError):
        session.next_event()  # DATA without a recipient
    session.answer(Reply(503, "x"))
    assert session.next_event() == Quit()


def test_too_many_refusals_end_the_session():
    session = SmtpSession(Limits(refusals=5))
    session.receive(b"EHLO c\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<a@b.example>\r\n" * 10)
    said = [session.answer(OK if i < 2 else Reply(550, "5.1.1 no")) for i in range(9) if session.next_event()]
    assert said[-1].startswith(b"421")
    assert len(said) == 8


PIECES = [
    *(piece.replace("\n", "\r\n").encode() for piece in (HELLO, ENVELOPE, "RSET\n", "NOOP\n", "WHAT\n", "BDAT 4\n")),
    b"RCPT TO:<x@y.example>\r\n",
    b"DATA\r\nhi\r\n..\r\n.\r\n",
    b"DATA\r\n",
    b"DATA\r\na\n.\nb\r\n.\r\n",
    b"DATA\r\n" + b"long" * 60 + b"\r\n.\r\n",
    b"DATA\r\n" + b"big line\r\n" * 210 + b".\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"\r",
    b"\n",
    b"\0",
    b".",
    b"BDAT 9 LAST\r\n",
    b"BDAT 12 LAST\r\nQUIT\r\nQUIT\r\nNOOP\r\n",
    b"AUTH PLAIN\r\n",
    b"AGEAYg==\r\n",
    b"*\r\n",
    b"x" * 301,
    b"QUIT\r\n",
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_cutting_changes_nothing(pieces, cuts):
    data = b"".join(pieces)
    whole = Server().hear(data)
    each, some = Server(), Server()
    for i in range(len(data)):
        each.hear(data[i : i + 1])
    at, turn = 0, 0
    while at < len(data):
        some.hear(data[at : at + cuts[turn % len(cuts)]])
        at, turn = at + cuts[turn % len(cuts)], turn + 1
    for other in (each, some):
        assert (other.replies, other.messages) == (whole.replies, whole.messages)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=400))
def test_any_bytes_are_only_ever_answered(data):
    server = Server().hear(data).hear((ENVELOPE + "DATA\n").encode()).hear(data)
    assert all(reply[:3].isdigit() for reply in server.replies)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([b"\r\n", b".", b"a", b"..", b"bc"]), max_size=60))
def test_stuffing_is_undone(parts):
    message = b"".join(parts) + b"\r\n"
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    assert body(stuffed + b".\r\n").messages == [message]


@pytest.mark.parametrize("cut", [5, 400])
def test_no_end_of_a_password_stands_in_the_log(cut):
    """A line too long is forgotten as it comes: what is left of it might be a secret, without AUTH before it."""
    line = b"AUTH PLAIN " + b"c2VjcmV0" * 100 + b"\r\n"
    server = Server().hear(line[:cut]).hear(line[cut:])
    assert server.replies == ["500 5.5.2 the line is too long"]
    assert server.session.last_heard == "(secret)"
