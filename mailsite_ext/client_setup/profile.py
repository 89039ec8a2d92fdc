"""A configuration profile (.mobileconfig) for the mail programs of iPhone, iPad and Mac.  Pure.

It holds no password: the device asks for one.
"""

from __future__ import annotations

import plistlib
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mailsite_ext.domains.clients import ClientServer

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`place`: where it is set up, the web pages' address; with `address` it names the profile for good, so that a
    later one takes the place of this."""

    address: str
    name: str
    imap: ClientServer
    smtp: ClientServer
    place: str


def profile(account: Account) -> bytes:
    """An XML property list, unsigned."""
    mail = {
        "PayloadType": "com.apple.mail.managed",
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountDescription": account.address,
        "EmailAccountName": _printable(account.name),
        "EmailAddress": account.address,
        **_server("Incoming", account.imap, account.address),
        **_server("Outgoing", account.smtp, account.address),
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    whole = {
        "PayloadType": "Configuration",
        "PayloadOrganization": account.place,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": [mail | _identity(account, "mail")],
    }
    return plistlib.dumps(whole | _identity(account, "profile"))


def _server(way: str, server: ClientServer, address: str) -> dict[str, Any]:
    """With UseSSL the device takes TLS from the start, or STARTTLS where the port wants that."""
    return {
        f"{way}MailServerHostName": server.host,
        f"{way}MailServerPortNumber": server.port,
        f"{way}MailServerUseSSL": True,
        f"{way}MailServerUsername": address,
        f"{way}MailServerAuthentication": "EmailAuthPassword",
    }


def _identity(account: Account, part: str) -> dict[str, Any]:
    name = f"{account.place}#{part}:{account.address}"
    return {
        "PayloadVersion": 1,
        "PayloadUUID": str(uuid5(NAMESPACE_URL, name)).upper(),
        "PayloadIdentifier": name,
        "PayloadDisplayName": account.address,
    }


def _printable(name: str) -> str:
    """A property list cannot hold what does not print."""
    return "".join(letter for letter in name if letter.isprintable())[:LONGEST_NAME]
