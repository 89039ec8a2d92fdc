"""Conversations over real sockets: ours (tests/dialogs), and those others wrote (corpora/smtp-dialogs)."""

from __future__ import annotations

import pytest

from tests.mailsite.dialogs import Dialog, dialogs
from tests.mailsite.listeners.hosting import SPECS, hosting


@pytest.fixture
def host(authority, tmp_path):
    certificate = authority.issue()
    context = certificate.server_context()
    with hosting(
        tmp_path / "spool", *SPECS, context=lambda: context, client_context=authority.client_context()
    ) as running:
        yield running


@pytest.mark.parametrize("path", dialogs("smtp"), ids=lambda path: path.stem)
def test_dialog(path, host, authority):
    Dialog(host.connect, authority.client_context()).run(path.read_text("utf-8"))
    assert not list(host.spool_folder.iterdir())
