"""Reading in a request: what its address asks of a message, and that it is read once it is shown."""

from __future__ import annotations

from flask import g, request
from flask_login import current_user

from app.actions import service as actions
from app.messages import signing
from app.messages.service import OpenConversation, OpenMessage, open_conversation, open_message
from app.runtime import runtime


def open_asked_conversation(message_id: int) -> OpenConversation:
    """The conversation of `message_id`, shown as the request asks.  Raises NoSuchMessage."""
    return open_conversation(
        runtime(), g.db, current_user, message_id, images=may_show_images(message_id), as_text=wants_text()
    )


def open_asked_message(message_id: int) -> OpenMessage:
    """One message, shown as the request asks.  Raises NoSuchMessage."""
    return open_message(
        runtime(), g.db, current_user, message_id, images=may_show_images(message_id), as_text=wants_text()
    )


def may_show_images(message_id: int) -> bool:
    """Whether this request carries the signature of *Show once*: a plain parameter could stand in anybody's link."""
    expected = signing.show_key(runtime().private, current_user.id, message_id)
    return signing.fits(request.args.get("images", ""), expected)


def wants_text() -> bool:
    return request.args.get("format") == "text"


def mark_read(opened: OpenMessage) -> None:
    """Mark a message as read where the person wants that: not if its text could not be shown, nor ahead of time."""
    ahead = "prefetch" in request.headers.get("Sec-Purpose", "")
    if opened.message.seen or opened.body is None or ahead or current_user.mark_read_after_s < 0:
        return
    parts = runtime()
    actions.flag(g.db, current_user.id, [opened.id], {"\\Seen"}, set(), parts.clock, parts.bus)
