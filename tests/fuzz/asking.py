"""What programs of strangers post to us, and what answers to a test mail say."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

from mailsite_ext.client_setup.autodiscover import OUTLOOK, BadRequest, parse_request, settings_xml
from mailsite_ext.client_setup.offer import Offer
from mailsite_ext.domains.clients import ClientServer
from mailsite_ext.settings.posture import TlsMode
from mailsite_ext.trial_mail.letter import LONGEST_LINE, MOST_LINES, verdicts

REQUESTS = (
    b'<?xml version="1.0"?><Autodiscover xmlns="x"><Request><EMailAddress>ann@x.example</EMailAddress>'
    b"<AcceptableResponseSchema>" + OUTLOOK.encode() + b"</AcceptableResponseSchema></Request></Autodiscover>",
)
REQUEST_WORDS = (b"<!DOCTYPE", b"<!ENTITY", b"&#0;", b"&#x85;", b"]]>", b"<EMailAddress>", b"@", b"</Request>", b"&lt;")
REPLIES = (
    b"Subject: Re\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Authentication-Results: a.example; spf=pass\r\n\r\nHi\r\n--x\r\n\r\nDKIM check: pass\r\n--x--\r\n",
)
REPLY_WORDS = (
    b"boundary=",
    b"--x",
    b"multipart/",
    b"message/rfc822",
    b"base64",
    b"spf ",
    b" pass",
    b"\r\n\r\n",
    b"charset=",
)
_SERVER = ClientServer("mail.x.example", 993, TlsMode.IMPLICIT, True)


def autodiscover(octets: bytes) -> None:
    """What is taken comes back as text of one element, whatever it is."""
    try:
        wanted = parse_request(octets)
    except BadRequest:
        return
    root = fromstring(settings_xml(Offer("x.example", _SERVER, None), wanted.address))
    names = [element.text for element in root.iter(f"{{{OUTLOOK}}}LoginName")]
    assert names == [wanted.address]


def reply(octets: bytes) -> None:
    found = verdicts(octets)
    assert len(found) <= MOST_LINES
    assert all(len(line) <= LONGEST_LINE and line.isprintable() for line in found)
