"""A person's own page: the names, addresses and signatures they write as from their hosted mailbox."""

from __future__ import annotations

from flask import Blueprint, abort, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from app.extension_api import (
    MAX_IDENTITIES,
    Entry,
    IdentityFields,
    IdentityForm,
    get_identity,
    put_identity_first,
    remove_identity,
    require_sign_in,
    save_identity,
    settings_side,
    text_of,
)
from mailsite_ext.domains.directory import addresses_of
from mailsite_ext.domains.identities import Hosted, find_hosted, may_write_from
from mailsite_ext.domains.views import is_hosting, require_hosting
from mailsite_ext.settings.service import load_settings

bp = Blueprint("identities", __name__, url_prefix="/settings/identities")
bp.before_request(require_hosting)
bp.before_request(require_sign_in)
bp.context_processor(settings_side)


def entry() -> Entry | None:
    """The page in the side navigation of Settings."""
    return Entry(url_for("identities.index"), _("Signatures"), "draft") if is_hosting() else None


@bp.route("", methods=["GET", "POST"])
def index() -> ResponseReturnValue:
    """All of them, and a form for one more."""
    hosted = find_hosted(g.db, current_user.id)
    if hosted is None:
        return redirect(url_for("mailsite.mailbox"))
    form = IdentityForm(address=hosted.account.address)
    if not form.validate_on_submit() or not _is_own(hosted, form):
        return _page(hosted, form)
    if len(hosted.account.identities) >= MAX_IDENTITIES:
        form.address.errors = [_("There are %(most)d already. Remove one you no longer use.", most=MAX_IDENTITIES)]
        return _page(hosted, form)
    save_identity(g.db, hosted.account, None, form.fields())
    return _saved()


@bp.route("/<int:identity_id>", methods=["GET", "POST"])
def edit(identity_id: int) -> ResponseReturnValue:
    hosted = _own()
    identity = get_identity(hosted.account, identity_id)
    form = IdentityForm(obj=IdentityFields.of(identity))
    if not form.validate_on_submit() or not _is_own(hosted, form):
        return _page(hosted, form, identity_id)
    save_identity(g.db, hosted.account, identity, form.fields())
    return _saved()


@bp.post("/<int:identity_id>/first")
def put_first(identity_id: int) -> ResponseReturnValue:
    account = _own().account
    put_identity_first(g.db, account, get_identity(account, identity_id))
    return _saved()


@bp.post("/<int:identity_id>/remove")
def remove(identity_id: int) -> ResponseReturnValue:
    account = _own().account
    if remove_identity(g.db, account, get_identity(account, identity_id)):
        return _saved()
    flash(_("Not removed: a mailbox needs one address to write from."), "warn")
    return redirect(url_for(".index"), 303)


def _own() -> Hosted:
    return find_hosted(g.db, current_user.id) or abort(404)


def _is_own(hosted: Hosted, form: IdentityForm) -> bool:
    """Does mail to the address typed reach them?  Submission asks the same."""
    if may_write_from(g.db, hosted.mailbox, text_of(form.address)):
        return True
    form.address.errors = [_("This address is not yours. Write from one that your mail comes to.")]
    return False


def _saved() -> ResponseReturnValue:
    flash(_("Saved."), "ok")
    return redirect(url_for(".index"), 303)


def _page(hosted: Hosted, form: IdentityForm, identity_id: int = 0) -> ResponseReturnValue:
    page = render_template(
        "mailsite/identities.html",
        identities=hosted.account.identities,
        addresses=addresses_of(g.db, hosted.mailbox.name, load_settings(g.db).hosted_domains),
        form=form,
        identity_id=identity_id,
    )
    return page, 422 if form.is_submitted() else 200
