"""What a listener runs with, in the form's words: Manage Machines shows what has changed since it started (N1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from mailsite_ext.settings.forms import SettingsForm, stored_values
from mailsite_ext.settings.service import load_settings

SHARED = ("domains", "storage_engine", "starttls", "expose", "posture", "log_mail", "test_mode")
SMTP = (*SHARED, "smtp_port", "smtps_port", "fallback_port")
IMAP = (*SHARED, "imap_port", "imaps_port")


def smtp_fingerprint(db: Session) -> Mapping[str, str]:
    return _fingerprint(db, SMTP)


def imap_fingerprint(db: Session) -> Mapping[str, str]:
    return _fingerprint(db, IMAP)


def _fingerprint(db: Session, names: Sequence[str]) -> Mapping[str, str]:
    values, form = stored_values(load_settings(db)), SettingsForm()
    return {str(form[name].label.text): str(values[name]) for name in names}
