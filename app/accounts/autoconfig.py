"""Reading autoconfig files (config-v1.1.xml), which strangers write: no DTD, no entities, bounded.  Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from app.accounts.addresses import canonical_host
from app.accounts.endpoint import Endpoint, Tls
from app.errors import ProtocolError

MAX_OCTETS = 65_536
MAX_ELEMENTS = 2_000
MAX_DEPTH = 16
MAX_TEXT = 300

SOCKET_TYPES = {"SSL": Tls.IMPLICIT, "STARTTLS": Tls.STARTTLS, "plain": Tls.NONE}
PASSWORD_KINDS = frozenset({"password-cleartext", "plain", "password-encrypted", "secure"})
KINDS = {"incomingServer": "imap", "outgoingServer": "smtp"}


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a provider, its placeholders filled in for one address."""

    endpoint: Endpoint
    username: str
    takes_password: bool = True
    takes_oauth: bool = False


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """The best server of each kind that a file names; None where it has none we can use."""

    imap: Server | None = None
    smtp: Server | None = None


def parse_autoconfig(octets: bytes, address: str) -> ClientConfig:
    """What the file says for `address`.  Raises ProtocolError: not XML, a DTD in it, or beyond a bound."""
    reader = _Reader()
    for fields in reader.read(octets):
        fields["username"] = fill_in(fields.get("username", ""), address)
    return ClientConfig(_best(reader.found, "incomingServer"), _best(reader.found, "outgoingServer"))


def fill_in(template: str, address: str) -> str:
    """`template` with the placeholders of the format; without one of its own, the address."""
    local, _, domain = address.rpartition("@")
    for name, value in (("%EMAILADDRESS%", address), ("%EMAILLOCALPART%", local), ("%EMAILDOMAIN%", domain)):
        template = template.replace(name, value)
    return template if template and "%" not in template else address


def _best(found: list[dict[str, str]], element: str) -> Server | None:
    """The first server with TLS from the start, else with STARTTLS; cleartext is never chosen by itself."""
    servers = [server for fields in found if fields["element"] == element and (server := _server(fields))]
    for tls in (Tls.IMPLICIT, Tls.STARTTLS):
        for server in servers:
            if server.endpoint.tls is tls:
                return server
    return None


def _server(fields: dict[str, str]) -> Server | None:
    port = fields.get("port", "")
    tls = SOCKET_TYPES.get(fields.get("socketType", ""))
    try:
        host = canonical_host(fields.get("hostname", ""))
    except ValueError:
        return None
    if tls is None or not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65_536):
        return None
    kinds = fields.get("authentication", "").split()
    takes_password = not kinds or not PASSWORD_KINDS.isdisjoint(kinds)
    return Server(Endpoint(host, int(port), tls), fields["username"], takes_password, "OAuth2" in kinds)


@dataclass
class _Reader:
    """Walks through the document and keeps the text of the servers' elements."""

    found: list[dict[str, str]] = field(default_factory=list)
    _path: list[str] = field(default_factory=list)
    _server: dict[str, str] | None = None
    _text: str = ""
    _elements: int = 0

    def read(self, octets: bytes) -> list[dict[str, str]]:
        if len(octets) > MAX_OCTETS:
            raise ProtocolError("the file is too large")
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.EntityDeclHandler = _refuse_doctype
        try:
            parser.Parse(octets, True)
        except expat.ExpatError as error:
            raise ProtocolError(f"not an XML file: {expat.ErrorString(error.code)}") from None
        except (ValueError, LookupError):  # an encoding nobody knows
            raise ProtocolError("not an XML file") from None
        return self.found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._path.append(name)
        if len(self._path) > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise ProtocolError("the file is nested too deeply or too long")
        if KINDS.get(name, "-") == attributes.get("type") and self._path[-2:-1] == ["emailProvider"]:
            self._server = {"element": name}
        self._text = ""

    def _end(self, name: str) -> None:
        self._path.pop()
        if self._server is None:
            return
        if name == self._server["element"]:
            self.found.append(self._server)
            self._server = None
        elif self._path[-1:] == [self._server["element"]]:
            before = self._server.get(name, "") + " " if name == "authentication" else ""
            self._server.setdefault(name, "")
            self._server[name] = (before + self._text.strip()).strip()

    def _characters(self, text: str) -> None:
        if self._server is not None:
            self._text = (self._text + text)[:MAX_TEXT]


def _refuse_doctype(*_declaration: Any) -> None:
    raise ProtocolError("a document type or an entity has no place in this file")
