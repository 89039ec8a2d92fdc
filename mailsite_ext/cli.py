"""`flask mailsite …`: the listeners, which Manage Machines starts as services, and the care of stored mail."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from flask_babel import gettext as _

from app.extension_api import Host, MailError, ServiceKind, Switches, flask_command, runtime
from mailsite_ext.listeners.run import IMAP, SMTP, run
from mailsite_ext.settings.fingerprint import imap_fingerprint, setting_title, smtp_fingerprint
from mailsite_ext.settings.posture import ListenerRole
from mailsite_ext.storage.cli import COMMANDS

commands = AppGroup("mailsite", help="Hosted mail.")


def _hosting(switches: Switches) -> bool:
    return switches.hosting


SMTP_SERVICE = ServiceKind(
    name="smtp",
    title=lambda: str(_("SMTP listener")),
    runs=_hosting,
    command=flask_command("mailsite", "smtp"),
    settings_fingerprint=smtp_fingerprint,
    setting_title=setting_title,
)
IMAP_SERVICE = ServiceKind(
    name="imap",
    title=lambda: str(_("IMAP listener")),
    runs=_hosting,
    command=flask_command("mailsite", "imap"),
    settings_fingerprint=imap_fingerprint,
    setting_title=setting_title,
)


@commands.command("smtp")
def smtp_command() -> None:
    """Take mail from other servers and from mail clients."""
    _listen(SMTP)


@commands.command("imap")
def imap_command() -> None:
    """Let mail clients read mail."""
    _listen(IMAP)


def _listen(roles: frozenset[ListenerRole]) -> None:
    try:
        run(runtime(), roles)
    except MailError as error:
        raise click.ClickException(error.detail or type(error).__name__) from None


def register_commands(host: Host) -> None:
    for command in COMMANDS:
        commands.add_command(command)
    host.add_command(commands)
    host.add_service(SMTP_SERVICE)
    host.add_service(IMAP_SERVICE)
