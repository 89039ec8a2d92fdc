"""What a listener runs with, so that Manage Machines shows what has changed since it started (N1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from mailsite_ext.settings.forms import SettingsForm, stored_values
from mailsite_ext.settings.service import load_settings

SHARED = ("domains", "storage_engine", "starttls", "expose", "posture", "log_mail", "test_mode")
LISTENERS = (*SHARED, "listener_processes")
RECEPTION = ("enforce_dmarc", "trusted_forwarders", "greylisting", "blocklists", "send_reports")
SMTP = (*LISTENERS, "smtp_port", "smtps_port", "fallback_port", *RECEPTION)
IMAP = (*LISTENERS, "imap_port", "imaps_port")
DELIVERY = ("domains", "storage_engine", "posture", "test_mode", "send_reports")


def smtp_fingerprint(db: Session) -> Mapping[str, str]:
    return _fingerprint(db, SMTP)


def imap_fingerprint(db: Session) -> Mapping[str, str]:
    return _fingerprint(db, IMAP)


def delivery_fingerprint(db: Session) -> Mapping[str, str]:
    return _fingerprint(db, DELIVERY)


def _fingerprint(db: Session, names: Sequence[str]) -> Mapping[str, str]:
    values = stored_values(load_settings(db))
    return {name: _shown(values[name]) for name in names}


def _shown(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def setting_title(name: str) -> str:
    """A setting in the form's words and the reader's language."""
    return str(SettingsForm()[name].label.text) if name in SettingsForm() else name
