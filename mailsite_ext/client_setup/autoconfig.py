"""config-v1.1.xml, which Thunderbird and others read when they are told an address.  Pure."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from mailsite_ext.client_setup.offer import Offer
from mailsite_ext.domains.clients import ClientServer
from mailsite_ext.settings.posture import TlsMode

SOCKET_TYPES = {TlsMode.IMPLICIT: "SSL", TlsMode.STARTTLS: "STARTTLS"}


def config_xml(offer: Offer, help_url: str) -> bytes:
    """The same for every address of the domain: the client puts its own in."""
    root = Element("clientConfig", version="1.1")
    provider = SubElement(root, "emailProvider", id=offer.domain)
    for name in ("domain", "displayName", "displayShortName"):
        SubElement(provider, name).text = offer.domain
    if offer.imap:
        _add_server(provider, "incomingServer", "imap", offer.imap)
    if offer.smtp:
        _add_server(provider, "outgoingServer", "smtp", offer.smtp)
    SubElement(provider, "documentation", url=help_url)
    written: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def _add_server(provider: Element, element: str, kind: str, server: ClientServer) -> None:
    added = SubElement(provider, element, type=kind)
    fields = {
        "hostname": server.host,
        "port": str(server.port),
        "socketType": SOCKET_TYPES[server.tls],
        "authentication": "password-cleartext",  # over TLS, where app passwords work
        "username": "%EMAILADDRESS%",
    }
    for name, text in fields.items():
        SubElement(added, name).text = text
