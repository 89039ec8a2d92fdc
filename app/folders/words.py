"""Changes of folders in words."""

from __future__ import annotations

from flask_babel import gettext as _

from app.folders.models import FolderChange, FolderDeed


def waiting_words(change: FolderChange) -> str:
    """What the server is about to be told."""
    words: str
    match change.deed:
        case FolderDeed.RENAME:
            words = _("Becomes %(name)s", name=change.new_name)
        case FolderDeed.DELETE:
            words = _("Being deleted")
        case FolderDeed.CREATE | FolderDeed.SUBSCRIBE | FolderDeed.UNSUBSCRIBE:
            words = _("Being changed")
    return words


def refused_words(change: FolderChange) -> str:
    """What did not happen, and what the server said."""
    not_done: str = {
        FolderDeed.CREATE: _("%(name)s was not created.", name=change.name),
        FolderDeed.RENAME: _("%(name)s did not become %(new)s.", name=change.name, new=change.new_name),
        FolderDeed.DELETE: _("%(name)s was not deleted.", name=change.name),
        FolderDeed.SUBSCRIBE: _("%(name)s is not shown in other mail programs.", name=change.name),
        FolderDeed.UNSUBSCRIBE: _("%(name)s is still shown in other mail programs.", name=change.name),
    }[change.deed]
    if not change.error:
        return not_done
    return f"{not_done} {_('The server says: %(words)s', words=change.error)}"
