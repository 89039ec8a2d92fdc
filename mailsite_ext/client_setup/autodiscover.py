"""autodiscover.xml, which Outlook and others post an address to: strangers' XML read by bounds, ours written.  Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.parsers import expat

from mailsite_ext.client_setup.offer import Offer
from mailsite_ext.domains.clients import ClientServer
from mailsite_ext.settings.posture import TlsMode

RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
ENCRYPTIONS = {TlsMode.IMPLICIT: "SSL", TlsMode.STARTTLS: "TLS"}
MAX_OCTETS = 16 * 1024
MAX_ELEMENTS = 100
MAX_DEPTH = 8
MAX_TEXT = 320  # no address is longer (RFC 5321 §4.5.3.1)


class BadRequest(Exception):
    """What was posted is no request: not XML, a DTD in it, beyond a bound, or without an address."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`schema`: that of the answer which the client understands."""

    address: str
    schema: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower()


def parse_request(octets: bytes) -> Wanted:
    """Raises BadRequest."""
    reader = _Reader()
    reader.read(octets)
    address = reader.found.get("EMailAddress", "")
    if "@" not in address or not address.isprintable():
        raise BadRequest
    return Wanted(address, reader.found.get("AcceptableResponseSchema", OUTLOOK))


@dataclass
class _Reader:
    """Keeps the text of the elements that have no others in them; a name that comes twice counts the first time."""

    found: dict[str, str] = field(default_factory=dict)
    _depth: int = 0
    _elements: int = 0
    _text: str = ""

    def read(self, octets: bytes) -> None:
        if len(octets) > MAX_OCTETS:
            raise BadRequest
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse
        try:
            parser.Parse(octets, True)
        except (expat.ExpatError, ValueError, LookupError):  # the last two: an encoding nobody knows
            raise BadRequest from None

    def _start(self, _name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise BadRequest
        self._text = ""

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.found.setdefault(name.rpartition(":")[2], self._text.strip())
        self._text = ""

    def _characters(self, text: str) -> None:
        self._text += text
        if len(self._text) > MAX_TEXT:
            raise BadRequest


def _refuse(*_declaration: Any) -> None:
    raise BadRequest


def settings_xml(offer: Offer, address: str = "") -> bytes:
    """The servers, and `address` as the name to sign in with: the same whether somebody has it or not."""
    root = Element("Autodiscover", xmlns=RESPONSE)
    account = SubElement(SubElement(root, "Response", xmlns=OUTLOOK), "Account")
    SubElement(account, "AccountType").text = "email"
    SubElement(account, "Action").text = "settings"
    if offer.imap:
        _add_protocol(account, "IMAP", offer.imap, address)
    if offer.smtp:
        _add_protocol(account, "SMTP", offer.smtp, address)
    written: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def _add_protocol(account: Element, kind: str, server: ClientServer, address: str) -> None:
    fields = {
        "Type": kind,
        "Server": server.host,
        "Port": str(server.port),
        "DomainRequired": "off",
        **({"LoginName": address} if address else {}),
        "SPA": "off",
        "SSL": "on",
        "Encryption": ENCRYPTIONS[server.tls],
        "AuthRequired": "on",
    }
    added = SubElement(account, "Protocol")
    for name, text in fields.items():
        SubElement(added, name).text = text


def error_xml(code: int, words: str) -> bytes:
    """600: no request; 601: an answer of that schema is not to be had."""
    root = Element("Autodiscover", xmlns=RESPONSE)
    error = SubElement(SubElement(root, "Response"), "Error")
    SubElement(error, "ErrorCode").text = str(code)
    SubElement(error, "Message").text = words
    SubElement(error, "DebugData")
    written: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return written
