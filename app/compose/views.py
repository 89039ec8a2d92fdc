"""Writing: the composer's page, saving by itself, attachments, answering, and what to do with a lost sign-in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import IO
from uuid import uuid4

from flask import Blueprint, Flask, Response, flash, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from flask_wtf.csrf import CSRFError, generate_csrf

from app.accounts.models import Identity
from app.bus import Bell, Topic
from app.compose import attachments, letters, originals, service
from app.compose.build import safe_filename
from app.compose.forms import Posted, faults, read_form
from app.compose.models import Draft, DraftAttachment, DraftKind
from app.compose.originals import Begun
from app.compose.service import Values
from app.errors import BadInput, DraftConflict, MailError, NoSuchMessage
from app.messages.downloads import INLINE_TYPES, OPAQUE, disposition
from app.mirror.models import Message
from app.mirror.queries import get_message
from app.outbox import schedule
from app.outbox import service as outbox
from app.outbox.words import Notice, notice_of
from app.runtime import Runtime, runtime
from app.users.sessions import ask_to_sign_in
from app.users.views import safe_next
from app.web.filters import calendar

bp = Blueprint("compose", __name__, url_prefix="/mail")

READ_OCTETS = 262_144


@dataclass(frozen=True)
class Page:
    """What the composer shows.  `version` 0: nothing is saved yet; `stored`: what a save met that it had not seen."""

    uuid: str
    begun: Begun
    version: int = 0
    draft: Draft | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    stored: Values | None = None
    notice: Notice | None = None


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Every page here is somebody's own; what somebody wrote is handed back rather than lost to the sign-in page."""
    if current_user.is_authenticated:
        return None
    return keep_text() if _holds_text() else ask_to_sign_in()


@bp.errorhandler(CSRFError)
def stale_form(_error: CSRFError) -> ResponseReturnValue:
    """The form is older than the session: the same text again, under a token that works."""
    if _holds_text():
        return keep_text()
    return jsonify(error="csrf", token=generate_csrf()), 400


def _holds_text() -> bool:
    """Did our composer post this?  What a form of another site says is nobody's to keep."""
    is_ours = request.headers.get("Sec-Fetch-Site") != "cross-site"
    return request.method == "POST" and "text" in request.form and is_ours


def keep_text() -> ResponseReturnValue:
    """What was posted, in a page that can post it once more."""
    fields = [(name, value) for name, value in request.form.items(multi=True) if name != "csrf_token"]
    hidden = [pair for pair in fields if pair[0] not in ("text", "do")]
    page = render_template(
        "compose/kept.html", action=request.path, hidden=hidden, text=request.form["text"], do=request.form.get("do")
    )
    return page, 401 if not current_user.is_authenticated else 400


# Pages


@bp.get("/compose")
def new() -> ResponseReturnValue:
    """A new message; `to`, `cc`, `bcc`, `subject` and `body` as in a mailto: link (RFC 6068)."""
    to, cc, bcc, subject, text = (request.args.get(name, "") for name in ("to", "cc", "bcc", "subject", "body"))
    begun = originals.begin_new(_identities(), Values(None, to, cc, bcc, subject, text))
    return _show(Page(str(uuid4()), begun))


@bp.get("/message/<int:message_id>/reply", defaults={"kind": DraftKind.REPLY}, endpoint="reply")
@bp.get("/message/<int:message_id>/reply-all", defaults={"kind": DraftKind.REPLY_ALL}, endpoint="reply_all")
@bp.get("/message/<int:message_id>/forward", defaults={"kind": DraftKind.FORWARD}, endpoint="forward")
def answer(message_id: int, kind: DraftKind) -> ResponseReturnValue:
    """An answer, begun on the page only: looking at it and going away leaves nothing."""
    message = get_message(g.db, current_user.id, message_id)
    return _show(Page(str(uuid4()), originals.begin_reply(runtime(), g.db, message, _identities(), kind)))


@bp.post("/message/<int:message_id>/reply")
def quick_reply(message_id: int) -> ResponseReturnValue:
    """An answer written below the message: sent with the undo time, or opened in the full editor (`do=edit`)."""
    message = get_message(g.db, current_user.id, message_id)
    to_all = request.form.get("all") == "1" and request.form.get("only") != "sender"
    kind = DraftKind.REPLY_ALL if to_all else DraftKind.REPLY
    text = request.form.get("text", "")
    begun = originals.begin_reply(runtime(), g.db, message, _identities(), kind, before=text)
    draft = service.save(
        g.db, current_user.id, str(uuid4()), begun.values, version=0, now=_now(), answers=begun.answers
    )
    if request.form.get("do") == "edit" or not text.strip():
        return redirect(url_for(".draft", uuid=draft.uuid, back=_back()), 303)
    return _send(draft)


@bp.get("/message/<int:message_id>/edit")
def edit(message_id: int) -> ResponseReturnValue:
    """A draft in a Drafts folder, begun here or elsewhere, opened for writing."""
    message = get_message(g.db, current_user.id, message_id)
    draft = originals.take_up(runtime(), g.db, current_user.id, message, _identities(), str(uuid4()))
    return redirect(url_for(".draft", uuid=draft.uuid, back=_back()))


@bp.get("/draft/<uuid>")
def draft(uuid: str) -> ResponseReturnValue:
    found = service.get_draft(g.db, current_user.id, uuid)
    if found.handed_over:
        return redirect(url_for("outbox.index"))
    unsent = outbox.find_unsent_of(g.db, found.id)
    notice = notice_of(unsent, calendar()) if unsent else None
    return _show(Page(uuid, Begun(service.values_of(found)), found.version, found, notice=notice))


def _show(page: Page, status: int = 200) -> ResponseReturnValue:
    files = service.attachments(g.db, page.draft) if page.draft else ()
    shown = render_template(
        "compose/compose.html",
        page=page,
        values=page.begun.values,
        answers=page.begun.answers,
        files=[file for file in files if not file.content_id],
        identities=_identities(),
        back=_back(),
        max_mib=runtime().config.max_message_mib,
        offered=schedule.offered(_now(), calendar().style.zone),
    )
    return shown, status


# Saving and sending


@bp.post("/draft/<uuid>")
def post_draft(uuid: str) -> ResponseReturnValue:
    """The composer's buttons.  Whatever is pressed, what was written is saved first."""
    posted = read_form(request.form)
    try:
        saved = _save(uuid, posted)
    except DraftConflict:
        return _conflict(uuid, posted)
    errors = _take_files(saved, posted)
    if posted.remove:
        attachments.remove(g.db, saved, posted.remove, _now())
    if errors:
        return _show(_page_of(saved, errors), 422)
    match posted.do:
        case "send":
            return _send(saved)
        case "send-later":
            return _send_later(saved, posted.later)
        case "discard":
            service.discard(g.db, saved)
            _ring(saved)
            flash(_("The draft is discarded."), "ok")
            return redirect(_back(), 303)
        case "close":
            service.close(g.db, saved, _now())
            _ring(saved)
            return redirect(_back(), 303)
    return redirect(url_for(".draft", uuid=uuid, back=_back()), 303)


@bp.put("/draft/<uuid>")
def save_draft(uuid: str) -> ResponseReturnValue:
    """Saving by itself; JSON.  409: another version is stored, which comes along."""
    posted = read_form(request.form)
    try:
        saved = _save(uuid, posted)
    except DraftConflict:
        stored = service.find_draft(g.db, current_user.id, uuid)
        gone = stored is None or stored.handed_over
        return jsonify(conflict=True, handed_over=gone, version=stored.version if stored else 0), 409
    errors = _take_files(saved, posted)
    if posted.do == "close":
        service.close(g.db, saved, _now())
        _ring(saved)
    return jsonify(_told(saved) | {"errors": errors})


def _save(uuid: str, posted: Posted) -> Draft:
    """Raises DraftConflict, or NotFound for a draft that is not there (any more)."""
    answers = posted.answers
    if answers.message_id is not None and _find_message(answers.message_id) is None:
        answers = service.Answers(answers.kind, None, answers.in_reply_to, answers.references)
    return service.save(g.db, current_user.id, uuid, posted.values, version=posted.version, now=_now(), answers=answers)


def _find_message(message_id: int) -> Message | None:
    try:
        return get_message(g.db, current_user.id, message_id)
    except NoSuchMessage:
        return None


def _conflict(uuid: str, posted: Posted) -> ResponseReturnValue:
    """Both versions on one page; saving again, having seen the other, keeps what stands in the form."""
    stored = service.get_draft(g.db, current_user.id, uuid)
    if stored.handed_over:
        notice = Notice("warn", _("This message is already on its way."), _("What you wrote since stands below."))
        return _show(Page(str(uuid4()), Begun(posted.values, posted.answers), notice=notice), 409)
    begun = Begun(posted.values, posted.answers)
    return _show(Page(uuid, begun, stored.version, stored, stored=service.values_of(stored)), 409)


def _page_of(saved: Draft, errors: Mapping[str, str]) -> Page:
    return Page(saved.uuid, Begun(service.values_of(saved)), saved.version, saved, errors=errors)


def _send_later(saved: Draft, wish: str) -> ResponseReturnValue:
    """Hand over for the moment that was chosen; one that has passed means now."""
    now, zone = _now(), calendar().style.zone
    moment = schedule.moment_of(wish, now, zone)
    if moment is None or moment > now + schedule.FURTHEST:
        return _show(_page_of(saved, {"later": _("Choose a day and time within a year.")}), 422)
    return _send(saved, moment if moment > now else None)


def _send(saved: Draft, later: datetime | None = None) -> ResponseReturnValue:
    """Hand over, and go back to where the person was with the offer to undo."""
    identity = service.find_identity(g.db, current_user.id, saved.identity_id)
    errors = faults(letters.typed_recipients(saved), has_sender=identity is not None)
    if errors or identity is None:
        return _show(_page_of(saved, errors), 422)
    now = _now()
    try:
        built = letters.finished(g.db, saved, identity, later or now)
        outgoing = outbox.hand_over(g.db, saved, built, now=now, undo_s=current_user.undo_s, later=later)
    except DraftConflict:
        return redirect(url_for(".draft", uuid=saved.uuid, back=_back()), 303)
    _ring(saved)
    if later is None:
        flash(outgoing.uuid, "sent")
    else:
        flash(_("It waits in the Outbox and is sent %(time)s.", time=calendar().date_and_time(later)), "ok")
    return redirect(_back(), 303)


def _told(saved: Draft) -> dict[str, object]:
    """What the page learns from a save."""
    url = url_for(".draft", uuid=saved.uuid)
    return {
        "version": saved.version,
        "url": url,
        "saved": _("Saved %(time)s", time=calendar().short(saved.updated_at)),
        "files": [_told_file(saved, file) for file in service.attachments(g.db, saved) if not file.content_id],
    }


def _told_file(saved: Draft, file: DraftAttachment) -> dict[str, object]:
    url = url_for(".attachment", uuid=saved.uuid, file=file.uuid)
    return {"uuid": file.uuid, "name": file.filename, "octets": file.octets, "url": url}


# Attachments


@bp.post("/draft/<uuid>/attachments")
def upload(uuid: str) -> ResponseReturnValue:
    """Files dropped on or chosen in the composer, with script; JSON."""
    saved = service.get_draft(g.db, current_user.id, uuid)
    errors = _take_uploads(saved)
    _ring(saved)
    return jsonify(_told(saved) | {"errors": errors}), 422 if errors else 200


@bp.post("/draft/<uuid>/attachments/<file>/remove")
def remove_attachment(uuid: str, file: str) -> ResponseReturnValue:
    saved = service.get_draft(g.db, current_user.id, uuid)
    attachments.remove(g.db, saved, file, _now())
    return jsonify(_told(saved))


@bp.get("/draft/<uuid>/attachments/<file>")
def attachment(uuid: str, file: str) -> ResponseReturnValue:
    """One file of a draft: images in place, everything else to be saved."""
    found = attachments.get_attachment(g.db, current_user.id, uuid, file)
    inline = found.content_type in INLINE_TYPES
    headers = {
        "Content-Type": found.content_type if inline else OPAQUE,
        "Content-Disposition": disposition("inline" if inline else "attachment", found.filename),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Content-Length": str(found.octets),
    }
    return Response(_stream(runtime(), found), headers=headers)


def _stream(parts: Runtime, file: DraftAttachment) -> Iterator[bytes]:
    """In a session of its own: the request's is closed before the last octet leaves."""
    with parts.public.session() as db:
        yield from attachments.chunks_of(db, file)


def _take_files(saved: Draft, posted: Posted) -> dict[str, str]:
    """Attach what was uploaded with the form, and what was ticked of the original; what went wrong, by field."""
    errors = _take_uploads(saved)
    message = _find_message(saved.answers_message_id) if posted.originals and saved.answers_message_id else None
    if message is not None:
        try:
            originals.attach_original(runtime(), g.db, saved, message, posted.originals)
        except BadInput as error:
            errors["files"] = _too_large(error.detail)
        except MailError:
            errors["files"] = _("The attachments of the original could not be fetched. Save once more to try again.")
    return errors


def _take_uploads(saved: Draft) -> dict[str, str]:
    errors: dict[str, str] = {}
    for file in request.files.getlist("files"):
        if not file.filename:
            continue
        room = attachments.room_octets(g.db, saved, runtime().config.max_message_mib)
        try:
            attachments.attach(
                g.db,
                saved,
                file.filename,
                file.mimetype,
                _read(file.stream),
                room_octets=room,
                now=_now(),
            )
        except BadInput:
            errors["files"] = _too_large(safe_filename(file.filename))
    return errors


def _read(stream: IO[bytes] | BytesIO) -> Iterator[bytes]:
    while piece := stream.read(READ_OCTETS):
        yield piece


def _too_large(name: str) -> str:
    most = runtime().config.max_message_mib
    words = _("%(name)s is not attached: the message would be larger than %(most)s MiB.", name=name, most=most)
    return f"{words} {_('Share it by a link instead.')}"


# Small things


def _identities() -> list[Identity]:
    return list(service.identities(g.db, current_user.id))


def _back() -> str:
    """Where to go when writing is done: where the person was, if that is a page of ours."""
    asked = request.values.get("back", "")
    return safe_next(asked) if asked else url_for("mailbox.index")


def _now() -> datetime:
    return runtime().clock.now()


def _ring(saved: Draft) -> None:
    if saved.account_id is not None:
        runtime().bus.ring(Bell(Topic.OUTBOX, saved.account_id))
