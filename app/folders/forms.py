"""Forms of folders."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, Length

from app.folders import paths
from app.web.forms import tidy
from app.web.ids import row_id


class FolderForm(FlaskForm):  # type: ignore[misc]  # flask-wtf has no types
    """A folder's name and the folder it is in; 0 is the top."""

    name = StringField(
        _("Name"),
        [DataRequired(_("Type a name.")), Length(max=paths.MAX_LEAF_CHARS)],
        filters=[tidy],
    )
    parent = SelectField(_("Inside"), coerce=row_id, validate_choice=False, default="0")
