"""Conversations over real sockets with a real storage (tests/dialogs/imap_*.txt)."""

from __future__ import annotations

import pytest

from app.bus.unix import UnixBus
from app.clock import SystemClock
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from tests.mailsite.dialogs import Dialog, dialogs
from tests.mailsite.listeners.imap_hosting import imap_hosting


@pytest.fixture(params=["sql", "files"])
def storage(request, tmp_path):
    """Both engines answer alike."""
    if request.param == "sql":
        yield request.getfixturevalue("sql_storage")
        return
    made = FileMailStorage(tmp_path / "mail", SystemClock(), UnixBus(tmp_path / "bus"), machine="here")
    yield made
    made.close()


@pytest.fixture
def host(storage, tmp_path, authority):
    context = authority.issue().server_context()
    with imap_hosting(
        storage,
        UnixBus(tmp_path / "bus"),
        tmp_path / "spool",
        "imap",
        "starttls",
        "imaps",
        context=lambda: context,
        client_context=authority.client_context(),
    ) as running:
        yield running


@pytest.mark.parametrize("path", dialogs("imap"), ids=lambda path: path.stem)
def test_dialog(path, host, authority):
    Dialog(host.connect, authority.client_context()).run(path.read_text("utf-8"))
    assert not list(host.spool_folder.iterdir())
