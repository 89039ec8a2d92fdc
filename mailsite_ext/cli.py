"""`flask mailsite …`: the care of stored mail; and the listeners, which Manage Machines starts as services."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from flask.cli import AppGroup
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.extension_api import SWITCHES, DoctorFinding, Host, Runtime, ServiceKind, Switches, current_mode
from mailsite_ext.limits import Limits
from mailsite_ext.listeners.open_files import find_shortage
from mailsite_ext.settings.fingerprint import delivery_fingerprint, imap_fingerprint, setting_title, smtp_fingerprint
from mailsite_ext.settings.service import load_settings
from mailsite_ext.storage.cli import COMMANDS

commands = AppGroup("mailsite", help="Hosted mail.")


def listener_command(name: str) -> Sequence[str]:
    """A process that is no web application: 30 MiB less."""
    return (sys.executable, "-m", "mailsite_ext.listeners", name)


def _hosting(switches: Switches) -> bool:
    return switches.hosting


def _processes(db: Session) -> int:
    return load_settings(db).listener_processes


SMTP_SERVICE = ServiceKind(
    name="smtp",
    title=lambda: str(_("SMTP listener")),
    runs=_hosting,
    command=listener_command("smtp"),
    processes=_processes,
    settings_fingerprint=smtp_fingerprint,
    setting_title=setting_title,
)
IMAP_SERVICE = ServiceKind(
    name="imap",
    title=lambda: str(_("IMAP listener")),
    runs=_hosting,
    command=listener_command("imap"),
    processes=_processes,
    settings_fingerprint=imap_fingerprint,
    setting_title=setting_title,
)
DELIVERY_SERVICE = ServiceKind(
    name="delivery",
    title=lambda: str(_("Delivery to other servers")),
    runs=_hosting,
    command=(sys.executable, "-m", "mailsite_ext.delivery"),
    settings_fingerprint=delivery_fingerprint,
    setting_title=setting_title,
)


def open_files(parts: Runtime) -> Iterator[DoctorFinding]:
    """Of listeners that are started as this command was."""
    with parts.public.session() as db:
        is_hosting = SWITCHES[current_mode(db)].hosting
    shortage = find_shortage(Limits()) if is_hosting else ""
    yield DoctorFinding("Open files of the mail listeners", not shortage, shortage)


def register_commands(host: Host) -> None:
    for command in COMMANDS:
        commands.add_command(command)
    host.add_command(commands)
    host.add_check(open_files)
    host.add_service(SMTP_SERVICE)
    host.add_service(IMAP_SERVICE)
    host.add_service(DELIVERY_SERVICE)
