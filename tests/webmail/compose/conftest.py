"""Alice writes; Bob has mail of his own; Mallory is after both."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.mail_services.modes import Mode
from tests.factories import make_account, make_folder, make_message


@pytest.fixture(autouse=True)
def _mail_is_on(request: pytest.FixtureRequest) -> None:
    if "db" in request.fixturenames:
        request.getfixturevalue("set_mode")(Mode.EXTERNAL)


@pytest.fixture
def account(db, alice, parts):
    return make_account(db, alice, address="alice@example.net", vault=parts.vault)


@pytest.fixture
def compose_form(account):
    """The composer's fields as a browser posts them."""

    def compose_form(**changes):
        fields = {"from": str(account.identities[0].id), "to": "bob@example.org", "subject": "Proofs",
                  "text": "Dear Bob", "version": "0", "format": "text", "do": "save"}  # fmt: skip
        return fields | changes

    return compose_form


@pytest.fixture
def url():
    return f"/mail/draft/{uuid4()}"


@pytest.fixture
def browser(browser_of, alice):
    return browser_of(alice)


@pytest.fixture
def original(db, account):
    inbox = make_folder(db, account)
    header = (
        b"From: Ines Ferreira <ines@x.example>\r\nTo: alice@example.net, Greta <greta@x.example>\r\n"
        b"Cc: team@x.example\r\nSubject: Proofs\r\nMessage-ID: <o1@x.example>\r\nReferences: <o0@x.example>\r\n\r\n"
    )
    return make_message(
        db, inbox, header=header, subject="Proofs", from_name="Ines Ferreira", message_id="o1@x.example"
    )


@pytest.fixture
def fetched(monkeypatch):
    """What the mirror would fetch of any message, without an engine."""
    sections = {"1": b"The green is too cold.\r\n-- \r\nInes"}
    monkeypatch.setattr("app.compose.originals.get_sections", lambda *_args, **_kw: sections)
    return sections
