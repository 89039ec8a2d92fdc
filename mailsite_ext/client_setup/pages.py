"""What mail clients ask by themselves, without anybody signed in; the answers do not say who has a mailbox."""

from __future__ import annotations

from werkzeug.wrappers import Response

from app.extension_api import Runtime
from mailsite_ext.client_setup.autoconfig import config_xml
from mailsite_ext.client_setup.autodiscover import OUTLOOK, BadRequest, Wanted, error_xml, parse_request, settings_xml
from mailsite_ext.client_setup.offer import Offer, find_offer
from mailsite_ext.open_pages import Asked, answer, find_domain

AUTOCONFIG, AUTODISCOVER = "autoconfig.", "autodiscover."
CONFIG_PATH = "/mail/config-v1.1.xml"
WELL_KNOWN_PATH = "/.well-known/autoconfig/mail/config-v1.1.xml"
AUTODISCOVER_PATH = "/autodiscover/autodiscover.xml"
HELP_PATH = "/settings/mail-clients"
XML = "text/xml; charset=utf-8"


def config_page(parts: Runtime, asked: Asked) -> Response | None:
    """https://autoconfig.<domain>/mail/config-v1.1.xml; at any other name that path is the application's."""
    return _config(parts, asked) if asked.host_name.startswith(AUTOCONFIG) else None


def well_known_page(parts: Runtime, asked: Asked) -> Response | None:
    """https://<domain>/.well-known/autoconfig/mail/config-v1.1.xml"""
    return _config(parts, asked)


def _config(parts: Runtime, asked: Asked) -> Response | None:
    if asked.method not in ("GET", "HEAD"):
        return answer("", 405, Allow="GET, HEAD")
    named = asked.args.get("emailaddress", "").rpartition("@")[2].lower()
    offer = _find_offer(parts, asked, AUTOCONFIG, named)
    if offer is None:
        return answer("There is nothing here for mail clients.\r\n", 404)
    return answer(config_xml(offer, parts.config.base_url + HELP_PATH), 200, XML)


def autodiscover_page(parts: Runtime, asked: Asked) -> Response | None:
    """https://autodiscover.<domain>/autodiscover/autodiscover.xml, or at the domain; GET names no address."""
    if asked.method not in ("GET", "HEAD", "POST"):
        return answer("", 405, Allow="GET, HEAD, POST")
    try:
        wanted = parse_request(asked.get_data()) if asked.method == "POST" else Wanted("", OUTLOOK)
    except BadRequest:
        return answer(error_xml(600, "Invalid Request"), 200, XML)
    if wanted.schema != OUTLOOK:
        return answer(error_xml(601, "Provider is not available"), 200, XML)
    offer = _find_offer(parts, asked, AUTODISCOVER, wanted.domain)
    if offer is None:
        return answer("There is nothing here for mail clients.\r\n", 404)
    return answer(settings_xml(offer, wanted.address), 200, XML)


def _find_offer(parts: Runtime, asked: Asked, prefix: str, named: str) -> Offer | None:
    with parts.public.session() as db:
        domain = find_domain(parts.config, db, asked.host_name, prefix, [named])
        return find_offer(parts, db, domain) if domain else None
