"""What a deed is called once it is done, and once a server has refused it."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from app.actions.models import Action, ActionKind, BulkDeed, BulkState
from app.mirror.models import Folder


def done_words(db: Session, done: Sequence[Action]) -> str:
    """One sentence for the toast: "Archived." or "3 messages moved to Receipts."; one deed, an action a folder."""
    action = done[0]
    count = sum(len(each.message_ids) for each in done)
    place = folder_words(db, action.target_id)
    words = {
        "read": lambda: ngettext("Marked as read.", "%(num)s messages marked as read.", count),
        "unread": lambda: ngettext("Marked as unread.", "%(num)s messages marked as unread.", count),
        "star": lambda: ngettext("Starred.", "%(num)s messages starred.", count),
        "unstar": lambda: ngettext("Star removed.", "Stars of %(num)s messages removed.", count),
        "archive": lambda: ngettext("Archived.", "%(num)s messages archived.", count),
        "delete": lambda: ngettext("Moved to %(place)s.", "%(num)s messages moved to %(place)s.", count, place=place),
        "expunge": lambda: ngettext("Deleted for good.", "%(num)s messages deleted for good.", count),
        "junk": lambda: ngettext("Marked as junk.", "%(num)s messages marked as junk.", count),
        "not-junk": lambda: ngettext(
            "Not junk: moved to %(place)s.", "%(num)s moved to %(place)s.", count, place=place
        ),
        "move": lambda: ngettext("Moved to %(place)s.", "%(num)s messages moved to %(place)s.", count, place=place),
        "label": lambda: ngettext("Labels changed.", "Labels of %(num)s messages changed.", count),
        "copy": lambda: ngettext("Copied to %(place)s.", "%(num)s messages copied to %(place)s.", count, place=place),
    }
    return str(words.get(action.deed, lambda: _("Done."))())


def bulk_words(db: Session, bulk: BulkDeed) -> str:
    """One sentence for the toast while it goes on: "1,204 messages are being archived."."""
    count = bulk.total
    target = int(bulk.object) if bulk.deed in ("move", "copy") else None
    place = folder_words(db, target)
    words = {
        "read": lambda: ngettext("%(num)s message is marked as read.", "%(num)s messages are marked as read.", count),
        "unread": lambda: ngettext(
            "%(num)s message is marked as unread.", "%(num)s messages are marked as unread.", count
        ),
        "archive": lambda: ngettext(
            "%(num)s message goes to the archive.", "%(num)s messages go to the archive.", count
        ),
        "delete": lambda: ngettext("%(num)s message is deleted.", "%(num)s messages are deleted.", count),
        "move": lambda: ngettext(
            "%(num)s message moves to %(place)s.", "%(num)s messages move to %(place)s.", count, place=place
        ),
    }
    return str(words.get(bulk.deed, lambda: ngettext("%(num)s message.", "%(num)s messages.", count))())


def progress_words(bulk: BulkDeed) -> str:
    """What goes on, for the folder tree."""
    if bulk.state is BulkState.UNDOING:
        return str(_("Undoing"))
    words = {
        "archive": lambda: _("Archiving"),
        "delete": lambda: _("Deleting"),
        "move": lambda: _("Moving"),
        "copy": lambda: _("Copying"),
        "junk": lambda: _("Marking as junk"),
        "read": lambda: _("Marking as read"),
        "unread": lambda: _("Marking as unread"),
    }
    return str(words.get(bulk.deed, lambda: _("Changing messages"))())


def refused_words(db: Session, action: Action) -> str:
    """What did not happen, the server's own words, and where things stand now."""
    said = action.error.strip().rstrip(".") or _("it cannot be done")
    place = folder_words(db, action.folder_id)
    words: dict[ActionKind, str] = {
        ActionKind.MOVE: _(
            "Not moved: the server said “%(said)s”. The mail is back in %(place)s.", said=said, place=place
        ),
        ActionKind.COPY: _("Not copied: the server said “%(said)s”.", said=said),
        ActionKind.EXPUNGE: _(
            "Not deleted: the server said “%(said)s”. The mail is back in %(place)s.", said=said, place=place
        ),
    }
    return words.get(action.kind) or str(_("Not changed: the server said “%(said)s”. All is as before.", said=said))


def folder_words(db: Session, folder_id: int | None) -> str:
    """A folder's name without those above it."""
    folder = db.get(Folder, folder_id) if folder_id else None
    if folder is None:
        return str(_("another folder"))
    if folder.name.upper() == "INBOX":
        return str(_("Inbox"))
    return folder.name.rpartition(folder.delimiter)[2] if folder.delimiter else folder.name
