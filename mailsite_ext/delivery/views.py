"""Administration: the delivery queue, what became of each message, and what an admin can do about it (X4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import ColumnElement

from app.extension_api import (
    Bell,
    Entry,
    Topic,
    admin_side,
    require_admin,
    row_id,
    running_settings,
    runtime,
)
from mailsite_ext.delivery import queue_page, suppression
from mailsite_ext.delivery.alarms import list_alarms
from mailsite_ext.delivery.care import (
    DROPS,
    Deed,
    Done,
    carry_out,
    count_concerned,
    of_destination,
    of_message,
    of_recipient,
)
from mailsite_ext.delivery.retry import Fate
from mailsite_ext.domains.views import is_hosting, require_hosting
from mailsite_ext.limits import Limits

MAX_DOMAIN = 255  # characters

bp = Blueprint("queue", __name__, url_prefix="/admin/queue")
bp.before_request(require_admin)
bp.before_request(require_hosting)
bp.context_processor(admin_side)

DEEDS = "<any(hold, release, retry, drop, 'drop-silently'):deed>"
DONE: Mapping[Deed, Callable[[int], str]] = {
    Deed.HOLD: lambda number: ngettext("%(num)d recipient is held.", "%(num)d recipients are held.", number),
    Deed.RELEASE: lambda number: ngettext("%(num)d recipient is released.", "%(num)d recipients are released.", number),
    Deed.RETRY: lambda number: ngettext("%(num)d recipient is tried now.", "%(num)d recipients are tried now.", number),
    Deed.DROP: lambda number: ngettext(
        "%(num)d recipient is dropped; the sender is told.", "%(num)d recipients are dropped; the senders are told.",
        number,
    ),
    Deed.DROP_SILENTLY: lambda number: ngettext(
        "%(num)d recipient is dropped; nobody is told.", "%(num)d recipients are dropped; nobody is told.", number
    ),
}  # fmt: skip


def entry() -> Entry | None:
    """The page in the side navigation of Administration."""
    return Entry(url_for("queue.index"), _("Delivery queue"), "queue") if is_hosting() else None


@bp.get("")
def index() -> ResponseReturnValue:
    """By fate and destination; with ?fragment the panels alone, for the script that renews them."""
    db, now = g.db, runtime().clock.now()
    fate = request.args.get("fate", Fate.WAITING, Fate)
    domain = request.args.get("domain", "")[:MAX_DOMAIN]
    before = request.args.get("before", None, row_id)
    return render_template(
        "mailsite/_queue.html" if "fragment" in request.args else "mailsite/queue.html",
        fate=fate,
        domain=domain,
        before=before,
        fates=fate_names(),
        now=now,
        listed=queue_page.list_rows(db, fate, domain, before),
        destinations=queue_page.list_destinations(db),
        waiting=queue_page.count_waiting(db),
        is_running=bool(running_settings(db, "delivery")),
        is_blocked=queue_page.is_port_25_blocked(db, now),
        alarms=list_alarms(db, now, Limits()),
        bounced=suppression.list_bounced(db, now),
    )


@bp.get("/messages/<int:message_id>")
def message(message_id: int) -> ResponseReturnValue:
    """Its recipients and the transcript of each try."""
    shown = queue_page.get_shown(g.db, message_id)
    return render_template("mailsite/queue-message.html", shown=shown, fates=fate_names(), now=runtime().clock.now())


@bp.post(f"/messages/<int:message_id>/{DEEDS}")
def change_message(message_id: int, deed: str) -> ResponseReturnValue:
    back = url_for(".message", message_id=message_id)
    return _carry_out(Deed(deed), of_message(message_id), back)


@bp.post(f"/messages/<int:message_id>/recipients/<int:recipient_id>/{DEEDS}")
def change_recipient(message_id: int, recipient_id: int, deed: str) -> ResponseReturnValue:
    back = url_for(".message", message_id=message_id)
    return _carry_out(Deed(deed), of_message(message_id) & of_recipient(recipient_id), back)


@bp.post(f"/destinations/<domain>/{DEEDS}")
def change_destination(domain: str, deed: str) -> ResponseReturnValue:
    return _carry_out(Deed(deed), of_destination(domain), url_for(".index"))


@bp.post("/bounced/<int:bounced_id>/lift")
def lift(bounced_id: int) -> ResponseReturnValue:
    """Let somebody's mail to an address that bounced go again."""
    address = suppression.lift(g.db, bounced_id)
    flash(_("Mail to %(address)s goes again.", address=address), "ok")
    return redirect(url_for(".index"), 303)


def _carry_out(deed: Deed, these: ColumnElement[bool], back: str) -> ResponseReturnValue:
    if deed in DROPS and "confirmed" not in request.form:
        return _ask_first(deed, these, back)
    done = carry_out(g.db, deed, these, runtime().clock.now())
    runtime().bus.ring(Bell(Topic.DELIVERY))
    _say(deed, done)
    return redirect(back, 303)


def _ask_first(deed: Deed, these: ColumnElement[bool], back: str) -> ResponseReturnValue:
    """What is dropped is gone.  Raises NotFound where there is nothing."""
    number, addresses = count_concerned(g.db, deed, these)
    if not number:
        flash(_("Nothing was left to do: its fate has changed meanwhile."), "warn")
        return redirect(back, 303)
    words = ", ".join(addresses) + (" …" if number > len(addresses) else "")
    is_told = deed is Deed.DROP
    return render_template("mailsite/queue-drop.html", number=number, words=words, is_told=is_told, back=back)


def _say(deed: Deed, done: Done) -> None:
    if done.recipients:
        flash(DONE[deed](done.recipients), "ok")
    if done.under_way:
        words = "%(num)d recipient was left: it is being delivered right now. Look again in a minute."
        several = "%(num)d recipients were left: they are being delivered right now. Look again in a minute."
        flash(ngettext(words, several, done.under_way), "warn")
    elif not done.recipients:
        flash(_("Nothing was left to do: its fate has changed meanwhile."), "warn")


def fate_names() -> Mapping[Fate, tuple[str, str]]:
    """Kind of status and word."""
    return {
        Fate.WAITING: ("warn", _("Waiting")),
        Fate.HELD: ("off", _("Held")),
        Fate.FAILED: ("bad", _("Failed")),
        Fate.DELIVERED: ("ok", _("Delivered")),
        Fate.DROPPED: ("off", _("Dropped")),
    }
