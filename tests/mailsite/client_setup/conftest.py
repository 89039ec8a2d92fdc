"""A domain whose listeners run, as mail clients elsewhere find it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.machines.models import Machine, MachineService, ServiceState
from app.mail_services.modes import Mode
from mailsite_ext.settings.fingerprint import imap_fingerprint, smtp_fingerprint
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Posture, Settings

EXPOSED = Settings(domains=("example.org", "example.net"), posture=Posture.SPAM, expose=True)


@pytest.fixture
def config(sqlite_config, authority):
    issued = authority.issue("mail.example.org")
    named = replace(sqlite_config, public_url="https://mail.example.org")
    return replace(named, tls_certificate_file=str(issued.chain), tls_key_file=str(issued.key))


@pytest.fixture
def running(db, set_mode):
    """Both listeners run with these settings, which are saved too; `bare`: they began without a certificate."""

    def running(settings=EXPOSED, state=ServiceState.RUNNING, bare=False):
        set_mode(Mode.MAILSITE)
        for machine in db.query(Machine):
            db.delete(machine)
        store_settings(db, settings)
        machine = Machine(uuid="1" * 36, name="mx", work_uuid="w" * 36)
        db.add(machine)
        db.flush()
        for kind, fingerprint in (("smtp", smtp_fingerprint(db)), ("imap", imap_fingerprint(db))):
            names = [f"{kind}_port"] if bare else [f"{kind}_port", f"{kind}s_port"]
            bound = ", ".join(f"{host}:{getattr(settings, name)}" for name in names for host in ("0.0.0.0", "[::]"))
            service = MachineService(machine_id=machine.id, kind=kind, state=state, settings=fingerprint)
            service.addresses = bound
            db.add(service)
        db.commit()

    return running
