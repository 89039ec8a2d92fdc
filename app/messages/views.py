"""Reading: the message, its isolated body, its parts, its source, and the images of elsewhere."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Flask, Response, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.accounts import tls
from app.errors import ActionRefused, BadInput, MailError, ProtocolError, ServerUnreachable
from app.messages import content, decode, downloads, reading, remote_images, signing, trust
from app.mirror.queries import get_message
from app.runtime import runtime
from app.users.sessions import ask_to_sign_in
from app.users.views import safe_next

bp = Blueprint("messages", __name__, url_prefix="/mail")

# Never allow-scripts: with allow-same-origin it would undo the sandbox.  Same origin lets the page around the frame
# measure its height, and the browser send the cookie for images of ours.
BODY_POLICY = (
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
SOURCE_POLICY = "sandbox; default-src 'none'"


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.add_template_filter(downloads.name_of, "attachment_name")
    app.add_template_filter(downloads.kind_of, "attachment_kind")
    app.add_template_filter(downloads.octets_of, "attachment_octets")


@bp.before_request
def require_sign_in() -> ResponseReturnValue | None:
    """Every page here is somebody's own."""
    return None if current_user.is_authenticated else ask_to_sign_in()


@bp.get("/message/<int:message_id>")
def show(message_id: int) -> ResponseReturnValue:
    """The conversation of a message on a page of its own, that message open, and read from now on."""
    conversation = reading.open_asked_conversation(message_id)
    opened = conversation.opened[message_id]
    reading.mark_read(opened)
    return render_template(
        "messages/message.html",
        open_conversation=conversation,
        folder_id=opened.message.folder_id,
        here=partial(url_for, ".show"),
    )


@bp.get("/message/<int:message_id>/body")
def body(message_id: int) -> ResponseReturnValue:
    """The HTML of a message as a document of its own: the second wall."""
    opened = reading.open_asked_message(message_id)
    if opened.body is None:
        raise opened.error or MailError
    page = render_template(
        "messages/body.html",
        subject=opened.message.subject,
        sheet=opened.body.sheet,
        html=opened.body.html,
        is_plain=opened.body.is_plain,
    )
    return page, {"Content-Security-Policy": BODY_POLICY, "X-Frame-Options": "SAMEORIGIN"}


@bp.get("/message/<int:message_id>/part/<section>")
def part(message_id: int, section: str) -> ResponseReturnValue:
    """One part, decoded and streamed: raster images in place, everything else to be saved."""
    message = get_message(g.db, current_user.id, message_id)
    found, octets = content.open_part(runtime(), g.db, message, section)
    headers = downloads.headers_for(found, download="download" in request.args)
    return Response(octets, headers=headers)


@bp.get("/message/<int:message_id>/headers")
def headers(message_id: int) -> ResponseReturnValue:
    """All header fields, decoded."""
    message = get_message(g.db, current_user.id, message_id)
    fields = content.load_header(runtime(), g.db, message)
    return render_template("messages/headers.html", message_id=message_id, subject=message.subject, fields=fields)


@bp.get("/message/<int:message_id>/source")
def source(message_id: int) -> ResponseReturnValue:
    """The message as it came, to look at or, with `download`, to keep."""
    message = get_message(g.db, current_user.id, message_id)
    download = "download" in request.args
    name = downloads.message_name(decode.printable(message.subject))
    return Response(
        content.open_source(runtime(), g.db, message),
        headers={
            "Content-Type": "message/rfc822" if download else "text/plain; charset=utf-8",
            "Content-Disposition": downloads.disposition("attachment" if download else "inline", name),
            "Content-Security-Policy": SOURCE_POLICY,
        },
    )


@bp.post("/message/<int:message_id>/images")
def trust_images(message_id: int) -> ResponseReturnValue:
    """Always show, or no longer show, remote images of this message's sender."""
    address = get_message(g.db, current_user.id, message_id).from_address
    match request.form.get("images"):
        case "address":
            trust.trust_sender(g.db, current_user.id, address, whole_domain=False)
        case "domain":
            trust.trust_sender(g.db, current_user.id, address, whole_domain=True)
        case "none":
            trust.distrust_sender(g.db, current_user.id, address)
        case _:
            abort(400)
    return redirect(safe_next(request.form.get("next") or url_for(".show", message_id=message_id)), 303)


@bp.get("/image")
def image() -> ResponseReturnValue:
    """A remote image, fetched by us for the person whom its address was signed for."""
    url = request.args.get("url", "")
    parts = runtime()
    if not signing.fits(request.args.get("key", ""), signing.image_key(parts.private, current_user.id, url)):
        abort(404)
    try:
        found = remote_images.load_image(g.db, parts.resolver, url, tls.client_context(parts.config.tls_ca_file))
    except (BadInput, ServerUnreachable, ProtocolError, ActionRefused):
        abort(404)  # a page would be no use in an <img>
    return Response(
        found.octets,
        headers={
            "Content-Type": found.content_type,
            "Content-Security-Policy": SOURCE_POLICY,
            "Cache-Control": "private, max-age=86400",
        },
    )
