"""MailSite: this installation hosts mail for its own users.  Everything it adds, it adds in `register`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.extension_api import Host

if find_spec("publicsuffixlist") is None:  # loaded late, by who asks; mail must not come in before that is known
    raise ImportError("Hosting needs the packages of the extra “mailsite”.")


def register(host: Host) -> None:
    """Read top to bottom: what hosting adds to the webmail."""
    from mailsite_ext.certificates import register_certificates
    from mailsite_ext.cli import register_commands  # pages and commands: a listener's process loads none of them
    from mailsite_ext.client_setup import register_client_setup
    from mailsite_ext.delivery import register_delivery
    from mailsite_ext.dns_advice import register_dns_advice
    from mailsite_ext.domains import register_domains
    from mailsite_ext.forwarding import register_forwarding
    from mailsite_ext.importing import register_importing
    from mailsite_ext.junk import register_junk
    from mailsite_ext.open_pages import register_open_pages
    from mailsite_ext.reports import register_reports
    from mailsite_ext.settings import register_settings
    from mailsite_ext.trial_mail import register_trial_mail
    from mailsite_ext.trusted_senders import register_trusted_senders
    from mailsite_ext.webmail.register import register_webmail

    host.add_migrations("mailsite")
    register_settings(host)
    register_domains(host)
    register_client_setup(host)
    register_delivery(host)
    register_forwarding(host)
    register_trial_mail(host)
    register_dns_advice(host)
    register_certificates(host)
    register_reports(host)
    register_commands(host)
    register_webmail(host)
    register_importing(host)
    register_junk(host)
    register_open_pages(host)
    register_trusted_senders(host)
