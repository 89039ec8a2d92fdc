"""A part of the Mail Services form that an extension brings: shown, checked and saved with the mode."""

from __future__ import annotations

from typing import Protocol

from markupsafe import Markup
from sqlalchemy.orm import Session

from app.mail_services.modes import Mode


class SettingsSection(Protocol):
    """One for each request: `load` it, `render` it, and when the form was sent `validate` and `save` it.

    Where a button named `use` sent the form, `load` fills in what it stands for: nothing is checked, nothing saved.
    """

    def load(self, db: Session) -> None:
        """Take the values from the request where the form was sent, else from the database."""
        ...

    def validate(self, mode: Mode) -> bool:
        """Can the section be saved in `mode`?  If not, its fields say why when it is rendered.

        In a mode that does not show the section nothing of it is read, and True returned.
        """
        ...

    def render(self, mode: Mode) -> Markup:
        """The section's part of the form, between the mode and the save button; hidden in modes without use for it."""
        ...

    def save(self, db: Session) -> None:
        """Keep the values: intent only, no listener is touched (N1).  Does not commit."""
        ...

    def follow(self) -> None:
        """Do what follows from the values and the mode, now that both are committed."""
        ...
