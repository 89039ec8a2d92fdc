"""What the ports may be.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

from mailsite_ext.settings.values import Settings

PORTS = ("smtp_port", "smtps_port", "imap_port", "imaps_port")


def default_ports(*, starttls: bool) -> Mapping[str, int]:
    """The standard ports (O8); by STARTTLS people submit where other servers deliver."""
    return {"smtp_port": 25, "smtps_port": 25 if starttls else 465, "imap_port": 143, "imaps_port": 993}


def equal_ports(settings: Settings) -> Mapping[str, str]:
    """Fields whose port another field before them has already: field → that other one.

    SMTP and SMTPS may share a port by STARTTLS (O5).  The fallback counts only in test mode, which alone uses it.
    """
    seen: dict[int, str] = {}
    taken: dict[str, str] = {}
    for name in (*PORTS, *(["fallback_port"] if settings.test_mode else [])):
        port: int = getattr(settings, name)
        if port in seen and not (name == "smtps_port" and seen[port] == "smtp_port" and settings.starttls):
            taken[name] = seen[port]
        seen.setdefault(port, name)
    return taken
