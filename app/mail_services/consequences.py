"""What a change of mode starts and stops, said before it is confirmed (M5).  Pure but for the words."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from app.mail_services.modes import SWITCHES, Mode


@dataclass(frozen=True, slots=True)
class InUse:
    """What there is to stop: external mail accounts that are not paused, and how many people they belong to."""

    accounts: int
    people: int


@dataclass(frozen=True, slots=True)
class Consequences:
    """Sentences; an empty tuple: nothing of the kind."""

    starts: tuple[str, ...]
    stops: tuple[str, ...]


def consequences(old: Mode, new: Mode, in_use: InUse) -> Consequences:
    """What switching from `old` to `new` does.  No switch ever deletes data."""
    was, will = SWITCHES[old], SWITCHES[new]
    changes = (
        (was.mail, will.mail, _("the Mail activity, for everybody")),
        (was.external, will.external, _external(in_use)),
        (was.hosting, will.hosting, _("hosting mail here")),
    )
    starts = tuple(str(words) for before, after, words in changes if after and not before)
    return Consequences(starts, tuple(str(words) for before, after, words in changes if before and not after))


def _external(in_use: InUse) -> str:
    if not in_use.accounts:
        return str(_("adding external accounts"))
    accounts = ngettext("%(num)d external account", "%(num)d external accounts", in_use.accounts)
    people = ngettext("%(num)d person", "%(num)d people", in_use.people)
    return str(_("reading and sending with %(accounts)s of %(people)s", accounts=accounts, people=people))
