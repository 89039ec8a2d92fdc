"""What strangers and their name servers can say to those who judge mail: SPF, DKIM, DMARC, ARC, forged results."""

from __future__ import annotations

from datetime import UTC, datetime

from app.clock import SystemClock
from app.resolver import Answer, Outcome, ZoneResolver
from mailsite_ext.authentication import arc, dkim, dmarc, results, spf
from mailsite_ext.authentication.authors import author_domains
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.raw_message import field_spans, split_fields, split_message
from mailsite_ext.authentication.spf_record import SpfResult
from mailsite_ext.protocol.smtp_address import Address

NOW = datetime(2026, 11, 24, tzinfo=UTC)
US = frozenset({"mx.example.org"})
ED25519 = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

SPF_SEEDS = (
    b"a@example.org\nmail.example.org\nv=spf1 a mx/24 ptr ip4:192.0.2.0/24 ip6:2001:db8::/32 include:%{d}.x -all",
    b"a-b+c@example.org\n[192.0.2.1]\nv=spf1 exists:%{l1r+-}.%{ir}.%{v}.%{P}.x.example ?all exp=%{d2}.why.example",
    b"\xc3\xa9@x.example\n\xc3\xa9\nV=SPF1 redirect=_spf.%{o} x=%%%_%-%{H}",
    b"@\n\n%{c} of %{r} at %{t} is not %{s}",
)
SPF_WORDS = (
    b"v=spf1 ",
    b"%{",
    b"}",
    b"r",
    b"/",
    b"//",
    b"include:",
    b"redirect=",
    b"exp=",
    b"%%",
    b" -all",
    b"ip6:::",
    b".",
)
DKIM_SEEDS = (
    b"v=DKIM1; p=AAAA\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=example.org; i=@x.example.org; s=s;\r\n"
    b"\tt=1; x=9; l=3; q=dns/txt; h=From : to:subject;\r\n bh=AAAA; b=AA AA\r\n"
    b"From: a\r\nSubject: b\r\n\r\n a \t b \r\n\r\n",
    ED25519.encode()
    + b"\nDKIM-Signature: v=1;a=ed25519-sha256;d=a.b;s=x;h=from;bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;"
    b"b=" + b"A" * 86 + b"==\r\nfrom : x\r\n\r\n",
    b"v=DKIM1; h=sha1; s=*; t=y:s; n=x; p=\nDKIM-Signature: b=\r\n\t;v=1\r\n\r\n",
)
DKIM_WORDS = (
    b"DKIM-Signature:",
    b"; ",
    b"b=",
    b"bh=",
    b"h=from",
    b"\r\n\t",
    b"\r\n\r\n",
    b"c=relaxed",
    b"=",
    b":",
    b"From: x\r\n",
)
DMARC_SEEDS = (
    b"v=DMARC1; p=reject; sp=quarantine; np=none; t=y; psd=n; rua=mailto:a@x.example!1m\nFrom: a@b.x.example\r\n\r\n",
    b"v=DMARC1;;p=x; adkim=s;aspf=s\nFrom: A <a@x.example>, g: b@b\xc3\xbccher.example;\r\nfrom:c@[192.0.2.1]\r\n\r\n",
    b"v=DMARC1; psd=y; rua=mailto:a@x.example\nFrom: a@a.b.c.d.e.f.g.h.i.co.uk\r\n\r\n",
)
DMARC_WORDS = (
    b"v=DMARC1; ",
    b"p=reject",
    b"p=",
    b"psd=",
    b"From: ",
    b"@",
    b".",
    b"co.uk",
    b"xn--",
    b"<",
    b">",
    b", ",
    b";",
)
ARC_SEEDS = (
    ED25519.encode()
    + b"\nARC-Seal: i=1; a=ed25519-sha256; cv=none; d=a.b; s=x; t=1; b=AA==\r\nARC-Message-Signature: i=1; "
    b"a=ed25519-sha256; c=simple; d=a.b; s=x; h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AA==\r\n"
    b"ARC-Authentication-Results: i=1; a.b; spf=pass\r\nFrom: x\r\n\r\n",
)
ARC_WORDS = (b"ARC-Seal: i=2; cv=pass;", b"ARC-Authentication-Results: i=2;", b"i=", b"cv=pass", *DKIM_WORDS)
RESULTS_SEEDS = (
    b"Authentication-Results: mx.example.org; spf=pass\r\nTo: b\r\n"
    b'authentication-results : (a (b)) "mx.example.org" 1;\r\n x=y\r\n',
    b"AUTHENTICATION-RESULTS:(\\)\r\n\tmx.other.example;none\r\nSubject: x\r\n\r\n",
)
RESULTS_WORDS = (b"Authentication-Results:", b"mx.example.org", b"(", b")", b"\\", b'"', b"\r\n ", b"\r\n", b";")


class OneText:
    """Every name has this TXT record and these hosts."""

    def __init__(self, text: str) -> None:
        self._answers = {"TXT": [text], "A": ["192.0.2.7"], "AAAA": ["2001:db8::7"], "MX": ["1 mx.x.example."]}
        self._answers["PTR"] = [f"n{number}.x.example." for number in range(12)]

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer:
        return Answer(Outcome.FOUND, self._answers[record_type])


def spf_record(octets: bytes) -> None:
    """Sender, greeting and what every name answers: a verdict whose words fit on one line."""
    sender, hello, text = [*octets.decode("utf-8", "surrogateescape").split("\n", 2), "", ""][:3]
    local, _, domain = sender.rpartition("@")
    for zone in (OneText(text), ZoneResolver({("example.org", "TXT"): [text]})):
        for peer in ("192.0.2.1", "2001:db8::1"):
            dns = DnsBudget(zone, SystemClock())
            verdict = spf.check_sender(peer, hello, Address(local, domain), dns, received_by="mx", at=NOW)
            assert (verdict.reason + verdict.explanation).isprintable()
            assert_one_field(results.results_field("mx.example.org", [results.spf_finding(verdict)]))


def dkim_signatures(octets: bytes) -> None:
    """A key record and a message: verdicts, none of them a pass, for nobody has the key."""
    text, _, message = octets.partition(b"\n")
    dns = DnsBudget(OneText(text.decode("utf-8", "surrogateescape")), SystemClock())
    verdicts = dkim.verify([message[:50], message[50:]], dns, NOW)
    assert not any(verdict.result is dkim.DkimResult.PASS for verdict in verdicts)
    assert_one_field(results.results_field("mx.example.org", results.dkim_findings(verdicts)))


def dmarc_policy(octets: bytes) -> None:
    """What every name answers, and a message: whom nobody answers for never passes, and is told of on one line."""
    text, _, message = octets.partition(b"\n")
    authors = list(author_domains(split_fields(split_message(message)[0])))
    strangers = spf.SpfVerdict(SpfResult.PASS, "stranger.test", "mailfrom")
    for zone in (OneText(text.decode("utf-8", "surrogateescape")), ZoneResolver({})):
        verdict = dmarc.evaluate(authors, strangers, [], DnsBudget(zone, SystemClock()))
        assert verdict.result is not dmarc.DmarcResult.PASS or "stranger.test" in ".".join(authors).lower()
        assert_one_field(results.results_field("mx.example.org", [results.dmarc_finding(verdict)]))


def arc_chain(octets: bytes) -> None:
    text, _, message = octets.partition(b"\n")
    verdict = arc.verify_chain([message], DnsBudget(OneText(text.decode("utf-8", "surrogateescape")), SystemClock()))
    assert verdict.result is not arc.ArcResult.PASS


def forged_results(octets: bytes) -> None:
    """What is left names us nowhere, and nothing else is lost."""
    header, _ = split_message(octets)
    left = results.without_forged(header, US)
    fields = [field for _, _, field in field_spans(left)]
    assert not any(results.is_ours(field, US) for field in fields)
    assert len(left) == len(header) - sum(
        len(field.octets) for _, _, field in field_spans(header) if results.is_ours(field, US)
    )


def assert_one_field(octets: bytes) -> None:
    assert [field.octets for _, _, field in field_spans(octets)] == [octets]
