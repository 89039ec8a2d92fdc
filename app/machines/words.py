"""How the states of services, spans of time and lines of logs read."""

from __future__ import annotations

import re
from typing import NamedTuple

from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from app.machines.models import ServiceState

WORDS = {  # the class of `.status`, and the word
    ServiceState.RUNNING: ("ok", lazy_gettext("Running")),
    ServiceState.STARTING: ("", lazy_gettext("Starting")),
    ServiceState.STOPPING: ("", lazy_gettext("Stopping")),
    ServiceState.STOPPED: ("off", lazy_gettext("Stopped")),
    ServiceState.FAILED: ("bad", lazy_gettext("Failed")),
}
WHEN = re.compile(r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?= )")
FAULT = re.compile(r" (?:ERROR|CRITICAL) | S: [45]\d\d[ -]| S: \S+ (?:NO|BAD) |^\w+Error\b")


def span(seconds: int) -> str:
    """4 seconds, 3 minutes, 5 hours, 41 days."""
    if seconds < 60:
        return str(ngettext("%(num)d second", "%(num)d seconds", seconds))
    if seconds < 3_600:
        return str(ngettext("%(num)d minute", "%(num)d minutes", seconds // 60))
    if seconds < 86_400:
        return str(ngettext("%(num)d hour", "%(num)d hours", seconds // 3_600))
    return str(ngettext("%(num)d day", "%(num)d days", seconds // 86_400))


def how_it_ended(status: int | None, when: str) -> str:
    """What an exit status says, to stand behind the last words."""
    if status is None:
        return str(_("It could not be started (%(when)s).", when=when))
    if status < 0:
        return str(_("It was killed by signal %(number)d (%(when)s).", number=-status, when=when))
    return str(_("It ended with status %(number)d (%(when)s).", number=status, when=when))


def times(number: int) -> str:
    return str(ngettext("once", "%(num)d times", number))


class LogLine(NamedTuple):
    """A line as it is shown: when, the rest, and whether it tells of a fault."""

    when: str
    text: str
    is_fault: bool


def log_parts(line: str) -> LogLine:
    found = WHEN.match(line)
    when = found[0] if found else ""
    return LogLine(when, line[len(when) :].lstrip() if when else line, bool(FAULT.search(line)))
