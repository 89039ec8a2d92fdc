"""Alice writes; Bob has mail of his own; Mallory is after both."""

from __future__ import annotations

from uuid import uuid4

import pytest

from app.mail_services.modes import Mode
from tests.factories import make_account


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
