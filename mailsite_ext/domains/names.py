"""Local parts: how names of mailboxes and aliases may look, and which of them belong to admins.  Pure."""

from __future__ import annotations

import re
import unicodedata

from app.extension_api import BadInput

LONGEST_OCTETS = 64  # RFC 5321 §4.5.3.1.1
DELIMITER = "+"  # what stands after it is a subaddress (RFC 5233 §1)
EVERYTHING = "*"  # an alias of this name is a domain's catch-all; nobody can be called so

ALWAYS_TAKEN = frozenset({"postmaster", "abuse"})
"""Addresses that exist at every domain (RFC 5321 §4.5.1, RFC 2142 §4)."""

DMARC_REPORTS, TLS_REPORTS = "dmarc-reports", "tls-reports"
TAKES_REPORTS = frozenset({DMARC_REPORTS, TLS_REPORTS})
"""Addresses that exist at every domain too: what comes there is read by a program (RFC 9990, RFC 8460)."""

RESERVED = ALWAYS_TAKEN | TAKES_REPORTS | frozenset(
    {
        # RFC 2142 §3-§6
        "info", "marketing", "sales", "support", "noc", "security", "hostmaster", "usenet", "news", "webmaster", "www",
        "uucp", "ftp",
        # What certificate authorities write to (CA/Browser Forum BR §3.2.2.4.4), and once wrote to
        "admin", "administrator", "ssladmin", "sysadmin", "ssl", "sslwebmaster", "sslhostmaster", "certadmin", "is",
        "it", "mis",
        # Names people take for the system
        "root", "system", "mailer-daemon", "mailerdaemon", "daemon", "nobody", "noreply", "no-reply", "mail", "email",
        "autoconfig", "autodiscover", "mta-sts", "dmarc", "billing", "help", "helpdesk",
        "official", "owner", "operator", "staff", "moderator", "satchel",
    }
)  # fmt: skip
"""Names whose mail decides over the domain, or that others trust: admins only."""

_NAME = re.compile(r"[a-z0-9_\x80-\U0010ffff](?:[a-z0-9._'\x80-\U0010ffff-]*[a-z0-9_\x80-\U0010ffff-])?")
_WORD = frozenset("LMN")  # Unicode categories a name outside ASCII may be made of: letters, marks, digits


def fold(local: str) -> str:
    """The one spelling in which local parts are stored and compared: NFC, without regard to case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).casefold())


def split_detail(local: str) -> tuple[str, str]:
    """The name and the subaddress of a folded local part: ("ada", "shop") of ada+shop (RFC 5233 §4)."""
    name, _, detail = local.partition(DELIMITER)
    return name, detail


def is_reserved(name: str) -> bool:
    """Is this folded name for admins only?"""
    return name in RESERVED


def parse_name(field: str, typed: str) -> str:
    """A name for a mailbox or an alias, folded.

    Letters, digits, and . _ - ' between them; no +, which begins a subaddress.  Raises BadInput on `field`.
    """
    name = fold(typed.strip())
    if len(name.encode()) > LONGEST_OCTETS or not _NAME.fullmatch(name) or ".." in name or not _is_wordy(name):
        raise BadInput(field, typed.strip()[:100])
    return name


def _is_wordy(name: str) -> bool:
    """No signs, spaces or invisible characters hide outside ASCII."""
    return all(letter.isascii() or unicodedata.category(letter)[0] in _WORD for letter in name)


def suggest_name(email: str) -> str:
    """The local part of somebody's mail address as a name; empty where it cannot be one."""
    try:
        return parse_name("name", split_detail(fold(email.rpartition("@")[0]))[0])
    except BadInput:
        return ""
