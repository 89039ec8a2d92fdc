"""The composer's form: what it holds, and what keeps it from being sent, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from app.compose.addresses import Bad, Fault, Typed
from app.compose.build import bounded_references, message_ids
from app.compose.models import DraftKind
from app.compose.service import Answers, Values

MAX_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Posted:
    """The form as it came."""

    values: Values
    answers: Answers
    version: int
    originals: tuple[str, ...] = field(default=())  # sections of the original to be attached
    do: str = "save"
    later: str = ""  # when to send it, as app.outbox.schedule reads it
    remove: str = ""


def read_form(form: MultiDict[str, str]) -> Posted:
    """The posted composer.  Whatever is missing or no number is as good as empty: nothing written is ever refused."""
    in_html = form.get("format") == "html"
    values = Values(
        identity_id=_number(form.get("from", "")) or None,
        to=form.get("to", ""),
        cc=form.get("cc", ""),
        bcc=form.get("bcc", ""),
        subject=form.get("subject", ""),
        text=form.get("text", ""),
        html=form.get("html", "") if in_html else "",
    )
    return Posted(
        values,
        read_answers(form),
        version=_number(form.get("version", "")),
        originals=tuple(form.getlist("original")),
        do=form.get("do", "save").partition(":")[0],
        later=form.get("do", "").partition(":")[2] or form.get("later", ""),
        remove=form.get("remove", ""),
    )


def read_answers(form: MultiDict[str, str]) -> Answers:
    kind = form.get("kind", "")
    return Answers(
        kind=DraftKind(kind) if kind in set(DraftKind) else DraftKind.NEW,
        message_id=_number(form.get("answers", "")) or None,
        in_reply_to="".join(message_ids(form.get("in_reply_to", "")[:1_000])[:1]),
        references=" ".join(bounded_references(message_ids(form.get("references", "")[:20_000]))),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= MAX_ID else 0


def faults(typed: Mapping[str, Typed], *, has_sender: bool) -> dict[str, str]:
    """What keeps a message from being sent, by field."""
    found = {name: " ".join(bad_words(bad) for bad in people.bad) for name, people in typed.items() if people.bad}
    if not has_sender:
        found["from"] = _("Choose the address to write from. The account this draft belonged to is gone.")
    if not found and not any(people.addresses for people in typed.values()):
        found["to"] = _("Nobody to send this to. Write at least one address.")
    return found


def bad_words(bad: Bad) -> str:
    words = {
        Fault.NO_AT: _("%(text)s is no address: it has no @.", text=bad.text),
        Fault.NO_ENDING: _("%(text)s has no ending such as .com.", text=bad.text),
        Fault.NOT_AN_ADDRESS: _("%(text)s is not a mail address.", text=bad.text),
        Fault.TOO_LONG: _("%(text)s is longer than a mail address can be.", text=bad.text),
        Fault.TOO_MANY: _("More than 1,000 addresses are too many for one message."),
    }
    return f"{words[bad.fault]} {_('Correct or remove it to send.')}"
