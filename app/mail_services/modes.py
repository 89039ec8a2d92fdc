"""The four modes (M1-M4), and one table of what each switches on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """What this installation does with mail; the admin's one setting, `Mail Services`."""

    DISABLED = "disabled"
    MAILSITE = "mailsite"
    EXTERNAL = "external"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Switches:
    """What runs in a mode.  `mail`: the Mail activity and its URLs; `external`: accounts held elsewhere are added and
    synced; `hosting`: MailSite's listeners, queue and mailboxes may run."""

    mail: bool
    external: bool
    hosting: bool


SWITCHES = {
    Mode.DISABLED: Switches(mail=False, external=False, hosting=False),
    Mode.MAILSITE: Switches(mail=True, external=False, hosting=True),
    Mode.EXTERNAL: Switches(mail=True, external=True, hosting=False),
    Mode.BOTH: Switches(mail=True, external=True, hosting=True),
}
