"""Kinds of services: programs that an agent starts on a machine, and the mail engine, which starts without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.mail_services.modes import Switches


def _nothing(_db: Session) -> Mapping[str, str]:
    return {}


def _one(_db: Session) -> int:
    return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKind:
    """One kind.  `name` stands in rows, addresses and file names: letters, digits and hyphens.

    `settings_fingerprint` names every setting the service reads when it starts, with its value: of the database alone,
    since any machine compares, in no language, since agents have none, and no secrets, since they are shown.
    `setting_title` turns such a name into the words of the form.  `runs`: the modes in which it may be started.
    `keeps_mail`: it works on what lies in the work directory, so it runs only where that is.
    Without a `command` no agent starts it; `processes`: how many of it a start brings.
    """

    name: str
    title: Callable[[], str]
    runs: Callable[[Switches], bool]
    command: Sequence[str] = ()
    processes: Callable[[Session], int] = _one
    settings_fingerprint: Callable[[Session], Mapping[str, str]] = _nothing
    setting_title: Callable[[str], str] = str
    keeps_mail: bool = True


ENGINE = ServiceKind(name="engine", title=lambda: str(_("Mail engine")), runs=lambda _switches: True, keeps_mail=False)
"""Started by gunicorn, or as `flask engine run`; it looks up what is wanted of it by itself (orders.py).

It is there in every mode, and works for the accounts that the mode lets run.
"""
