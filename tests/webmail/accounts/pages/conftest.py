"""An installation with external accounts, and a provider with real servers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import create_app, runtime
from app.accounts import presets
from app.accounts.endpoint import Endpoint, Tls
from app.accounts.presets import PasswordKind, Preset
from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.resolver import ZoneResolver

HOME = "127.0.0.1\n::1"
ZONE = {("holt.example", "MX"): ["10 mail.holt.example."], ("mail.holt.example", "A"): ["127.0.0.1"]}


@pytest.fixture
def parts(config, clock, authority):
    """An installation that trusts the test authority and knows one domain."""
    trusting = replace(config, tls_ca_file=str(authority.ca))
    built = runtime.build(trusting, clock=clock, resolver=ZoneResolver(ZONE))
    yield built
    built.dispose()


@pytest.fixture
def app(parts):
    return create_app(parts=parts)


@pytest.fixture(autouse=True)
def external_mail(db):
    db.add(MailServices(id=1, mode=Mode.EXTERNAL, private_hosts=HOME))
    db.commit()


@pytest.fixture
def servers(dovecot, mail_user, smtp_sink, monkeypatch):
    """A provider with real servers; people of `holt.example` have their mail there."""
    smtp_sink.accounts[mail_user.name] = mail_user.password
    preset = Preset(
        "holt", "Holt Mail", Endpoint("localhost", dovecot.imaps_port),
        Endpoint("localhost", smtp_sink.port, Tls.STARTTLS), domains=("example.org",),
        passwords=PasswordKind.APP, help_url="https://holt.example/help", steps=("Make one.",),
    )  # fmt: skip
    monkeypatch.setitem(presets._BY_DOMAIN, "example.org", preset)
    monkeypatch.setitem(presets._BY_KEY, "holt", preset)
    monkeypatch.setitem(presets._BY_HOST, "localhost", preset)
    return preset
