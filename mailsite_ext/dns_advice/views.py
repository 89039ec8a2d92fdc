"""Suggested DNS records: the panel of each domain, its zone file, and its signing keys (D0-D7, A2)."""

from __future__ import annotations

from flask import Blueprint, Response, flash, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.extension_api import Entry, NotFound, admin_side, require_admin, runtime
from mailsite_ext.authentication.budget import DnsBudget
from mailsite_ext.authentication.key_states import find_coming
from mailsite_ext.authentication.signing_keys import SigningKeys, is_published
from mailsite_ext.dns_advice.compare import find_next
from mailsite_ext.dns_advice.facts import Known, domains_of, find_keys, get_known
from mailsite_ext.dns_advice.look import look, tally
from mailsite_ext.dns_advice.records import in_pieces, records_of, zone_file, zone_lines
from mailsite_ext.domains.views import is_hosting, require_hosting
from mailsite_ext.errors import KeyAlreadyComing, NoSuchSigningKey, SigningKeyInUse
from mailsite_ext.settings.service import load_settings

bp = Blueprint("dns_advice", __name__, url_prefix="/admin/dns")
bp.before_request(require_admin)
bp.before_request(require_hosting)
bp.context_processor(admin_side)


def entry() -> Entry | None:
    """The page in the side navigation of Administration."""
    return Entry(url_for("dns_advice.index"), _("DNS records"), "globe") if is_hosting() else None


@bp.get("")
def index() -> ResponseReturnValue:
    """The panel of the first domain."""
    domains = domains_of(load_settings(g.db))
    return _page(domains[0]) if domains else render_template("mailsite/dns.html", panel=None)


@bp.get("/<domain>")
def panel(domain: str) -> ResponseReturnValue:
    return _page(domain)


def _page(domain: str) -> ResponseReturnValue:
    """The whole page, or with fragment=1 the panel alone, looked at anew."""
    parts, domains = runtime(), domains_of(load_settings(g.db))
    known = get_known(parts, g.db, domain)
    g.db.close()  # its connection goes back: nothing of ours waits for the world's name servers
    found = look(parts, known)
    template = "mailsite/_dns.html" if "fragment" in request.args else "mailsite/dns.html"
    answer = make_response(
        render_template(
            template,
            panel=found,
            domain=domain,
            domains=domains,
            next=find_next(found.checks),
            tally=tally(found.checks),
            in_pieces=in_pieces,
            zone_lines=zone_lines,
            checked_at=parts.clock.now(),
            missing_key=_find_missing_key(known),
        )
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/<domain>/zone")
def zone(domain: str) -> ResponseReturnValue:
    """All that can be published now, for a name server (D7)."""
    known = get_known(runtime(), g.db, domain)
    answer = Response(zone_file(domain, records_of(known.facts)), mimetype="text/plain")
    answer.headers["Content-Disposition"] = f'attachment; filename="{domain}.zone"'
    return answer


def _find_missing_key(known: Known) -> str:
    """The selector of the key that signs, where its file is not on this machine; empty: all is well."""
    if known.facts.keys is None:
        return ""
    missing = SigningKeys(runtime().config, runtime().clock).find_missing(known.facts.domain)
    return missing.selector if missing else ""


@bp.post("/<domain>/keys")
def generate(domain: str) -> ResponseReturnValue:
    """A first key, or the next one."""
    keys = _keys(domain)
    try:
        keys.generate(domain)
    except KeyAlreadyComing:
        flash(_("Not done: a new key waits already. Publish its record, then switch to it."), "warn")
    else:
        flash(_("The key is made. Publish its record now."), "ok")
    return redirect(url_for(".panel", domain=domain), 303)


@bp.post("/<domain>/keys/switch")
def switch(domain: str) -> ResponseReturnValue:
    """The next key signs from now on, if the world sees its record."""
    keys = _keys(domain)
    coming = find_coming(keys.keys(domain))
    if coming is None:
        raise NoSuchSigningKey
    g.db.close()
    if not is_published(domain, coming, DnsBudget(runtime().resolver, runtime().clock)):
        flash(_("Not done: the new key's record is not seen in DNS yet. Publish it, then switch."), "warn")
    else:
        keys.switch(domain)
        flash(_("Mail is signed with the new key now. Leave the old record for two weeks."), "ok")
    return redirect(url_for(".panel", domain=domain), 303)


@bp.post("/<domain>/keys/<selector>/retire")
def retire(domain: str, selector: str) -> ResponseReturnValue:
    """A key that signs no more is deleted; its record may go."""
    try:
        _keys(domain).retire(domain, selector)
    except SigningKeyInUse:
        flash(_("Not done: this key signs your mail. Switch to another first."), "warn")
    else:
        flash(_("The key is retired. Its record can be removed from DNS."), "ok")
    return redirect(url_for(".panel", domain=domain), 303)


def _keys(domain: str) -> SigningKeys:
    """Raises NotFound: not a domain of ours, or its keys lie on another machine."""
    parts = runtime()
    if domain not in domains_of(load_settings(g.db)) or find_keys(parts, g.db, domain) is None:
        raise NotFound
    return SigningKeys(parts.config, parts.clock)
