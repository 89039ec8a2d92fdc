"""Administration: what others report of a domain's mail and of the way to its servers (RFC 9990, RFC 8460)."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date
from flask_babel import gettext as _

from app.extension_api import (
    Entry,
    NotFound,
    admin_side,
    require_admin,
    running_addresses,
    running_settings,
    runtime,
)
from mailsite_ext.dns_advice.facts import domains_of
from mailsite_ext.domains.views import is_hosting, require_hosting
from mailsite_ext.reports import queries
from mailsite_ext.reports.chart import bars
from mailsite_ext.settings.service import load_settings

SPANS = (7, 30, 90, 400)  # days
USUAL = 30
OUTWARD = "delivery"  # the kind of service that sends mail to others

bp = Blueprint("reports", __name__, url_prefix="/admin/reports")
bp.before_request(require_admin)
bp.before_request(require_hosting)
bp.context_processor(admin_side)


def entry() -> Entry | None:
    """The page in the side navigation of Administration."""
    return Entry(url_for("reports.index"), _("Reports"), "pulse") if is_hosting() else None


@bp.get("")
def index() -> ResponseReturnValue:
    """Of the first domain."""
    domains = domains_of(load_settings(g.db))
    return _page(domains[0]) if domains else render_template("mailsite/reports.html", domain=None)


@bp.get("/<domain>")
def of_domain(domain: str) -> ResponseReturnValue:
    """404 for one that is not hosted here."""
    return _page(domain)


def _page(domain: str) -> str:
    db, settings = g.db, load_settings(g.db)
    domains = domains_of(settings)
    if domain not in domains:
        raise NotFound
    days = request.args.get("days", USUAL, int)
    span = queries.Span(end=runtime().clock.now().date(), days=days if days in SPANS else USUAL)
    return render_template(
        "mailsite/reports.html",
        domain=domain,
        domains=domains,
        span=span,
        spans=SPANS,
        mail=queries.find_mail(db, domain, span, running_addresses(db, OUTWARD)),
        sessions=queries.find_sessions(db, domain, span),
        refused=queries.list_refused(db),
        waiting=queries.count_waiting(db),
        is_running=bool(running_settings(db, OUTWARD)),
        sends_reports=settings.send_reports,
        bars=bars,
        format_date=format_date,
    )
