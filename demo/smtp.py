"""A sample submission server (RFC 6409): takes mail from the demo's person, and answers it as its reader would."""

from __future__ import annotations

import base64
import email.utils
import socketserver
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage

Deliver = Callable[[bytes, datetime], None]
ANSWER_AFTER_S = 6.0
ANSWERS = (
    "Thank you, that helps. I will come back to you before the end of the week.",
    "Good. Thursday suits me too; shall we say half past ten?",
    "I had hoped you would say that. The rest is with Linnea now.",
)


class SmtpServer(socketserver.ThreadingTCPServer):
    """Listens on loopback; whatever is sent to the demo's own people is answered after a few seconds."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, deliver: Deliver, login: str, password: str, port: int) -> None:
        self.deliver, self.login, self.password = deliver, login, password
        super().__init__(("127.0.0.1", port), Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Connection(socketserver.StreamRequestHandler):
    """One client, one command at a time."""

    server: SmtpServer

    def handle(self) -> None:
        self.recipients: list[str] = []
        self.signed_in = False
        self.say("220 The sample mail server is ready")
        while line := self.rfile.readline(4_096):
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if verb.upper() == "QUIT":
                return self.say("221 until next time")
            self.say(self.reply(verb.upper(), rest))
        return None

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def reply(self, verb: str, rest: str) -> str:
        if verb in ("EHLO", "HELO"):
            return "250-sample\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 52428800\r\n250 AUTH PLAIN LOGIN"
        if verb == "AUTH":
            return self.sign_in(rest)
        if verb in ("NOOP", "RSET"):
            self.recipients = []
            return "250 done"
        if not self.signed_in:
            return "530 5.7.0 sign in first"
        if verb == "RCPT":
            self.recipients.append(rest.partition("<")[2].partition(">")[0])
        return self.take_message() if verb == "DATA" else "250 2.1.0 fine"

    def sign_in(self, rest: str) -> str:
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() == "LOGIN":
            given = (self.ask("Username:", initial), self.ask("Password:"))
        else:
            _, name, password = base64.b64decode(initial or self.ask("", decode=False)).decode().split("\0")
            given = (name, password)
        self.signed_in = given == (self.server.login, self.server.password)
        return "235 2.7.0 welcome" if self.signed_in else "535 5.7.8 That name and password do not match."

    def ask(self, prompt: str, given: str = "", *, decode: bool = True) -> str:
        if not given:
            self.say("334 " + base64.b64encode(prompt.encode()).decode())
            given = self.rfile.readline(4_096).decode().strip()
        return base64.b64decode(given).decode() if decode else given

    def take_message(self) -> str:
        self.say("354 end with a dot")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        octets = b"".join(lines)
        if self.server.login in self.recipients:
            self.server.deliver(octets, datetime.now(UTC))
        for number, reader in enumerate(address for address in self.recipients if address != self.server.login):
            self.answer_later(octets, reader, number)
        return "250 2.0.0 taken"

    def answer_later(self, octets: bytes, reader: str, number: int) -> None:
        answer = answer_to(octets, reader, self.server.login, ANSWERS[number % len(ANSWERS)])
        later = threading.Timer(ANSWER_AFTER_S, lambda: self.server.deliver(answer, datetime.now(UTC)))
        later.daemon = True
        later.start()


def answer_to(octets: bytes, reader: str, writer: str, words: str) -> bytes:
    """What `reader` answers."""
    original = email.message_from_bytes(octets)
    answer = EmailMessage()
    name = reader.partition("@")[0].replace(".", " ").title()
    answer["From"] = email.utils.formataddr((name, reader))
    answer["To"] = writer
    answer["Date"] = email.utils.formatdate(usegmt=True)
    answer["Message-ID"] = email.utils.make_msgid(domain=reader.rpartition("@")[2] or "demo.example")
    subject = " ".join(str(original.get("Subject", "")).split())
    answer["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    answer["In-Reply-To"] = answer["References"] = " ".join(str(original.get("Message-ID", "")).split())
    answer.set_content(f"{words}\n\n{name}\n")
    return answer.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
