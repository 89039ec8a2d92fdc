"""Administration: domains and mailboxes, who has which address, quotas, names of people who are gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.extension_api import (
    BadInput,
    Entry,
    User,
    admin_side,
    choices,
    file_size,
    require_admin,
    runtime,
    text_of,
)
from mailsite_ext.domains import queries, service
from mailsite_ext.domains.forms import AddressForm, LimitsForm, NameForm
from mailsite_ext.domains.models import EVERY_DOMAIN, Mailbox, MailboxState
from mailsite_ext.domains.views import is_hosting, name_words, require_hosting
from mailsite_ext.errors import NoSuchMailbox, StorageElsewhere
from mailsite_ext.forwarding import service as forwarding
from mailsite_ext.limits import Limits
from mailsite_ext.settings.service import load_settings
from mailsite_ext.storage.engine import StorageEngine
from mailsite_ext.storage.open import open_storage

bp = Blueprint("mailboxes", __name__, url_prefix="/admin/mailboxes")
bp.before_request(require_admin)
bp.before_request(require_hosting)
bp.context_processor(admin_side)

MIB = 1024 * 1024


def entry() -> Entry | None:
    """The page in the side navigation of Administration."""
    return Entry(url_for("mailboxes.index"), _("Mailboxes"), "mail") if is_hosting() else None


def farewell(person: User) -> str:
    """What happens to somebody's hosted mail when they are deleted; empty: they have none here."""
    found = service.find_mailbox(g.db, person.id)
    if found is None:
        return ""
    words: str = _(
        "Their mail here (%(size)s) is kept, and nobody else gets the name %(name)s, until you delete it for good or "
        "release the name under Mailboxes. Mail to it is refused from now on.",
        size=file_size(_kept_octets([found.name])[found.name] or 0),
        name=found.name,
    )
    return words


def _kept_octets(names: Sequence[str]) -> Mapping[str, int | None]:
    """How much mail each mailbox holds; None: none, or it is kept where this process cannot look."""
    kept: dict[str, int | None] = dict.fromkeys(names)
    if not names:
        return kept
    try:
        storage = open_storage(runtime(), load_settings(g.db))
    except StorageElsewhere:
        return kept
    for name in names:
        with suppress(NoSuchMailbox):
            kept[name] = storage.quota(name).used_octets
    return kept


@bp.get("")
def index() -> ResponseReturnValue:
    return _index_page()


def _index_page(refused: NameForm | None = None, refused_for: int = 0) -> ResponseReturnValue:
    """The lists, with the form that was refused in place of its person's empty one."""
    rows = queries.list_mailboxes(g.db)
    page = render_template(
        "mailsite/mailboxes.html",
        rows=rows,
        kept=_kept_octets([row.mailbox.name for row in rows if row.person is None]),
        newcomers=queries.list_newcomers(g.db),
        addresses=queries.list_addresses(g.db),
        domains=load_settings(g.db).hosted_domains,
        refused=refused,
        refused_for=refused_for,
    )
    return page, 422 if refused else 200


@bp.post("/of/<int:user_id>")
def add_mailbox(user_id: int) -> ResponseReturnValue:
    """A mailbox for somebody who has none."""
    person = g.db.get(User, user_id) or abort(404)
    form = NameForm()
    if form.validate_on_submit():
        try:
            made = service.ensure_mailbox(runtime(), g.db, person, text_of(form.name))
            flash(_("%(name)s has a mailbox now.", name=made.name), "ok")
            return redirect(url_for(".index"), 303)
        except BadInput:
            form.name.errors = [name_words(text_of(form.name))]
    return _index_page(form, user_id)


@bp.route("/<int:mailbox_id>", methods=["GET", "POST"])
def mailbox(mailbox_id: int) -> ResponseReturnValue:
    """One mailbox: its addresses, its limits."""
    found = service.get_mailbox(g.db, mailbox_id)
    form = LimitsForm(quota_mib=found.quota_octets and found.quota_octets // MIB, obj=found)
    if not form.validate_on_submit():
        return _mailbox_page(found, limits=form)
    quota = form.quota_mib.data * MIB if form.quota_mib.data else None
    hidden = text_of(form.hidden_capabilities).upper()
    forwarding.allow(g.db, mailbox_id, may_forward=bool(form.may_forward.data))
    service.save_sending(g.db, mailbox_id, form.recipients_per_hour.data, form.recipients_per_day.data)
    return _with_storage(mailbox_id, lambda storage: service.save_limits(g.db, storage, mailbox_id, quota, hidden))


def _with_storage(mailbox_id: int, deed: Callable[[StorageEngine], object]) -> ResponseReturnValue:
    """Do what concerns the mail itself, or say that it is kept where this process cannot reach it."""
    try:
        deed(open_storage(runtime(), load_settings(g.db)))
    except StorageElsewhere:
        flash(_("Not done: the mail is kept on another machine. Do it on the pages of that one."), "warn")
    else:
        flash(_("Saved."), "ok")
    still_there = g.db.get(Mailbox, mailbox_id) is not None
    return redirect(url_for(".mailbox", mailbox_id=mailbox_id) if still_there else url_for(".index"), 303)


def _mailbox_page(
    found: Mailbox, *, limits: LimitsForm | None = None, address: AddressForm | None = None
) -> ResponseReturnValue:
    settings = load_settings(g.db)
    shown = {"quota_mib": found.quota_octets and found.quota_octets // MIB, "obj": found}
    page = render_template(
        "mailsite/mailbox.html",
        mailbox=found,
        person=g.db.get(User, found.user_id) if found.user_id is not None else None,
        kept_octets=_kept_octets([found.name])[found.name],
        domains=settings.hosted_domains,
        rows=queries.list_addresses(g.db, found.id),
        limits=limits or LimitsForm(formdata=None, **shown),
        form=address or _address_form(settings.hosted_domains, sent=False),
        usual=Limits(),
    )
    return page, 422 if request.method == "POST" else 200


def _address_form(domains: tuple[str, ...], *, sent: bool) -> AddressForm:
    form = AddressForm() if sent else AddressForm(formdata=None)
    form.domain.choices = choices((EVERY_DOMAIN, _("every domain")), *((domain, domain) for domain in domains))
    return form


@bp.post("/<int:mailbox_id>/addresses")
def add_address(mailbox_id: int) -> ResponseReturnValue:
    """An alias, or with the name * a catch-all."""
    found = service.get_mailbox(g.db, mailbox_id)
    form = _address_form(load_settings(g.db).hosted_domains, sent=True)
    if not form.validate_on_submit():
        return _mailbox_page(found, address=form)
    try:
        service.add_address(g.db, mailbox_id, text_of(form.local), text_of(form.domain))
    except BadInput:
        form.local.errors = [name_words(text_of(form.local))]
        return _mailbox_page(found, address=form)
    flash(_("The address is added. Mail to it comes here from now on."), "ok")
    return redirect(url_for(".mailbox", mailbox_id=mailbox_id), 303)


@bp.post("/<int:mailbox_id>/addresses/<int:address_id>/remove")
def remove_address(mailbox_id: int, address_id: int) -> ResponseReturnValue:
    service.remove_address(g.db, mailbox_id, address_id)
    flash(_("The address is removed."), "ok")
    return redirect(url_for(".mailbox", mailbox_id=mailbox_id), 303)


@bp.post("/<int:mailbox_id>/<any(open, closed):state>")
def set_state(mailbox_id: int, state: str) -> ResponseReturnValue:
    changed = service.set_state(g.db, mailbox_id, MailboxState(state))
    words = _("%(name)s takes mail again.") if state == "open" else _("%(name)s takes no mail and opens to nobody.")
    flash(words % {"name": changed.name}, "ok")
    return redirect(url_for(".mailbox", mailbox_id=mailbox_id), 303)


@bp.post("/<int:mailbox_id>/delete-mail")
def delete_mail(mailbox_id: int) -> ResponseReturnValue:
    """The mail of somebody who is gone is deleted for good; the name stays retired."""
    return _with_storage(mailbox_id, lambda storage: service.delete_mail(g.db, storage, mailbox_id))


@bp.post("/<int:mailbox_id>/release")
def release(mailbox_id: int) -> ResponseReturnValue:
    """The name of somebody who is gone may be given again; their mail goes with it."""
    return _with_storage(mailbox_id, lambda storage: service.release(g.db, storage, mailbox_id))
