"""Letters from outside, the DNS of who writes them, and an examiner that needs neither database nor network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.extension_api import Resolver
from app.resolver import ZoneResolver
from mailsite_ext.authentication import dkim
from mailsite_ext.delivery.header import Origin
from mailsite_ext.delivery.inbound import Arrival
from mailsite_ext.domains.directory import Hosted, Recipient
from mailsite_ext.junk.score import Judgement
from mailsite_ext.protocol.smtp_address import Address, parse_address
from mailsite_ext.protocol.smtp_grammar import MailFrom
from mailsite_ext.reception.examine import Examiner
from tests.conftest import FakeClock
from tests.mailsite.authentication.letters import keys_of, rsa_key

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
HOST = "mx.example.org"
PEER = "127.0.0.1"
Records = Mapping[tuple[str, str], Sequence[str]]

ALICE, BOB = (Recipient(Address(name, "example.org"), (Hosted(n, name, n),)) for n, name in ((1, "alice"), (2, "bob")))


def domain(name: str, policy: str = "", spf: str = "v=spf1 -all") -> Records:
    """A domain that signs with the keys of the tests; `policy` of its DMARC record, if it has one."""
    found: dict[tuple[str, str], Sequence[str]] = {(key, "TXT"): [text] for key, text in keys_of(name).items()}
    found[name, "MX"] = [f"10 mail.{name}."]
    if spf:
        found[name, "TXT"] = [spf]
    if policy:
        found[f"_dmarc.{name}", "TXT"] = [f"v=DMARC1; p={policy}"]
    return found


ALLOWED = f"v=spf1 ip4:{PEER} -all"
WORLD: Records = {
    **domain("open.example", spf=""),
    **domain("plain.example", spf=ALLOWED),
    **domain("none.example", "none"),
    **domain("quarantine.example", "quarantine"),
    **domain("reject.example", "reject"),
    **domain("bank.example", "reject", spf=ALLOWED),
    **domain("testing.example", "reject; t=y"),
    ("nomail.example", "MX"): ["0 ."],
    ("nomail.example", "TXT"): ["v=spf1 -all"],
}
SLOW = ("silent.example", "_dmarc.silent.example", "rsa._domainkey.quiet.example")


def letter(author: str = "Ann <ann@plain.example>", more: str = "", body: str = "Dear Bob.\r\n") -> bytes:
    return (
        f"From: {author}\r\nTo: bob@example.org\r\nSubject: Tea\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n"
        f"Message-ID: <1@far.example>\r\n{more}\r\n{body}"
    ).encode()


def signed(message: bytes, by: str) -> bytes:
    return dkim.sign([message], dkim.SigningKey(by, "rsa", rsa_key()), NOW) + message


@dataclass
class People:
    """Who trusts whom, and whose filter finds junk; what they were asked."""

    trusted: Mapping[int, Collection[str]] = field(default_factory=dict)
    junk: Mapping[str, Judgement] = field(default_factory=dict)

    def trusting(self, people: Collection[int], author: Address) -> Collection[int]:
        return {each for each in people if str(author) in self.trusted.get(each, ())}

    def judge(self, mailboxes: Collection[str], _message: bytes) -> Mapping[str, Judgement]:
        return {name: judgement for name, judgement in self.junk.items() if name in mailboxes}


def examiner(
    people: People | None = None, resolver: Resolver | None = None, forwarders: Collection[str] = ()
) -> Examiner:
    people = people or People()
    return Examiner(resolver or ZoneResolver(WORLD, SLOW), FakeClock(), HOST, people, people, forwarders)


def arrival(sender: str = "ann@plain.example", peer: str = PEER, hello: str = "mail.plain.example") -> Arrival:
    mail = MailFrom(parse_address(sender, utf8=True) if sender else None)
    return Arrival(mail, [ALICE, BOB], Origin(peer, hello, extended=True), "1", NOW)
