"""Imports in running engines: beside all their other work, on no session more, from one engine to the next."""

from __future__ import annotations

from functools import partial

import pytest

from app import runtime
from app.accounts.models import MailAccount
from app.mail_services.modes import Mode
from app.resolver import ZoneResolver
from app.runtime import Runtime
from app.sources import MailSource
from mailsite_ext.domains import service as domains
from mailsite_ext.importing import service
from mailsite_ext.importing.models import ImportState
from mailsite_ext.importing.queries import find_progress
from mailsite_ext.settings.service import store_settings
from mailsite_ext.settings.values import Settings, StorageKind
from mailsite_ext.storage.open import close_storage, open_storage
from mailsite_ext.storage.values import Column
from tests.fake_gmail import ALL_MAIL, GmailServer
from tests.fake_source import FakeServer
from tests.webmail.engine.conftest import Post, wait_for

MESSAGES = 450
FOLDERS = ("INBOX", "Sent", "Archive", "Drafts")


class Engines(Post):
    """Hosted accounts have a server too, an empty one: nothing of them is looked at here."""

    def open_source(self, _parts: Runtime, account_id: int) -> MailSource:
        return self.servers.setdefault(account_id, FakeServer()).connect()


@pytest.fixture
def config(sqlite_config):
    """What is written is tried on both databases elsewhere."""
    return sqlite_config


@pytest.fixture
def engines(app, parts, config, db, alice, set_mode):
    """Engines of an installation in the mode with both, and Alice's mailbox; `app` brings the extension."""
    set_mode(Mode.BOTH)
    store_settings(db, Settings(domains=("example.org",)))
    db.commit()
    own = runtime.build(config, resolver=ZoneResolver({}))
    made = Engines(own, alice)
    hosted = domains.ensure_mailbox(own, db, alice)
    assert hosted.name == "alice"
    yield made
    made.stop()
    close_storage(own)
    own.dispose()


def start(engines, account, *names):
    with engines.parts.public.session() as db:
        service.start(engines.parts, db, db.get_one(MailAccount, account.id), names, is_apart=False)


def state_of(engines, account):
    with engines.parts.public.session() as db:
        return find_progress(db, account.id)


def has_come(engines, messages):
    return len(here(engines, "INBOX")) >= messages


def is_done(engines, account):
    return state_of(engines, account).imported.state is ImportState.DONE


def here(engines, name):
    storage = open_storage(engines.parts, Settings(storage_engine=StorageKind.FILES))
    folder = storage.find_folder("alice", name)
    if folder is None:
        return []
    rows = list(storage.rows(folder.id, (Column.UID, Column.FLAGS, Column.INTERNAL_DATE)))
    found = []
    for uid, flags, at in rows:
        with storage.open_message(folder.id, uid) as message:
            found.append((message.read(0, message.size_octets), frozenset(flags.split()), at))
    return found


def there(server, name):
    box = server.get(name)
    return [
        (one.raw, frozenset(one.flags), int(one.received_at.timestamp())) for _uid, one in sorted(box.messages.items())
    ]


def test_an_import_goes_on_in_the_next_engine(engines):
    server = FakeServer()
    for name in FOLDERS:
        server.deliver_many(MESSAGES if name == "INBOX" else 3, name)
    first = engines.start_engine()
    account = engines.synced(server)
    start(engines, account, *FOLDERS)
    wait_for(lambda: len(here(engines, "INBOX")) >= 100, "the first messages")
    engines.stop_engine(first)
    assert not is_done(engines, account)
    engines.start_engine()
    wait_for(lambda: is_done(engines, account), "the rest")
    for name in FOLDERS:
        assert here(engines, name) == there(server, name)
    assert server.most_at_once <= 3


def test_connections_that_break_again_and_again(engines):
    server = FakeServer()
    server.deliver_many(MESSAGES)
    engines.start_engine()
    account = engines.synced(server)
    start(engines, account, "INBOX")
    for least in (1, 150, 300):
        wait_for(partial(has_come, engines, least), "messages")
        server.break_connections()
    wait_for(lambda: is_done(engines, account), "all of it")
    assert here(engines, "INBOX") == there(server, "INBOX")


def test_of_gmail_each_message_comes_once(engines):
    server = GmailServer(["Travel", "Work"])
    server.deliver_labelled("new", "\\Inbox", "Travel", flags=["\\Seen"])
    server.deliver_labelled("sent", "\\Sent")
    server.deliver_labelled("trip", "Travel")
    server.deliver_labelled("both", "Travel", "Work")
    server.deliver_labelled("done")
    engines.start_engine()
    account = engines.add(server)
    wait_for(lambda: len(engines.messages(account.id, ALL_MAIL)) == 5, "the first sync")
    start(engines, account, ALL_MAIL)
    wait_for(lambda: is_done(engines, account), "the import")
    raw = {one.raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode(): one.raw for one in server.all_mail.values()}
    places = {"INBOX": ["new"], "Sent": ["sent"], "Travel": ["trip"], "Archive": ["both", "done"], "Work": []}
    assert {name: [one[0] for one in here(engines, name)] for name in places} == {
        name: [raw[subject] for subject in subjects] for name, subjects in places.items()
    }
    assert here(engines, "INBOX")[0][1] == {"\\Seen"}
