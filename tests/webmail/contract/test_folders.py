"""Folders, watching, and servers that go away: so with every MailSource."""

from __future__ import annotations

import ssl
from contextlib import closing

import pytest

from app.errors import (
    ActionRefused,
    BadInput,
    ConnectionLost,
    ServerUnreachable,
)
from app.sources import (
    Copy,
    Role,
    StoreFlags,
)
from tests.servers.certificates import Authority
from tests.servers.dovecot import serve
from tests.webmail.contract.accounts import message, use_until_lost, wait_for_news
from tests.webmail.imap.sessions import source_of

pytestmark = pytest.mark.servers


def test_folders_come_with_roles_counts_and_subscriptions(account):
    account.deliver(2)
    found = {folder.name: folder for folder in account.source.folders()}
    roles = {name: folder.role for name, folder in found.items()}
    assert roles == {
        "INBOX": Role.INBOX, "Drafts": Role.DRAFTS, "Sent": Role.SENT, "Archive": Role.ARCHIVE, "Junk": Role.JUNK,
        "Trash": Role.TRASH,
    }  # fmt: skip
    assert found["INBOX"].status.messages == 2
    assert found["INBOX"].status.uidnext == 3
    assert found["INBOX"].delimiter == "/"
    assert all(folder.subscribed and folder.selectable for folder in found.values())
    assert all(folder.label is None for folder in found.values())


ODD_NAMES = [
    "Reisen/Österreich", 'He said "no"', "back\\slash", "star*", "per%cent", "amp & and", "&", "日本語", "mail 📬",
    "(paren)", "{5}", "a]b", " leading", "tilde~", "NIL", "'quote'",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_go_there_and_back(account, name):
    account.deliver(1)
    account.source.create_folder(name)
    assert account.folder(name).subscribed
    account.source.apply(Copy("INBOX", (1,), name))
    assert account.sync(name).messages == 1
    account.source.rename_folder(name, name + " 2")
    assert account.folder(name + " 2").subscribed
    account.source.delete_folder(name + " 2")
    assert account.folder(name + " 2") is None


@pytest.mark.parametrize("name", ["", "two\r\nlines", "nul\0", "tab\t", "x" * 1001, "\x7f", "half\ud800pair"])
def test_names_that_would_break_the_protocol_are_refused(account, name):
    for act in (account.source.create_folder, account.source.delete_folder):
        with pytest.raises(BadInput):
            act(name)
    with pytest.raises(BadInput):
        account.sync(name)
    account.source.noop()


def test_what_the_server_refuses_comes_in_its_own_words(account):
    account.source.create_folder("Twice")
    with pytest.raises(ActionRefused, match=r"(?i)exists"):
        account.source.create_folder("Twice")


def test_unsubscribing(account):
    account.source.create_folder("Lists")
    account.source.subscribe("Lists", subscribed=False)
    assert not account.folder("Lists").subscribed
    account.source.subscribe("Lists", subscribed=True)
    assert account.folder("Lists").subscribed


# Watching, and a server that goes away


def test_new_mail_is_noticed_while_watching(account):
    descriptor = account.source.start_watching("INBOX")
    assert not account.source.has_news()
    account.deliver(1)
    assert wait_for_news(account.source, descriptor)
    account.source.stop_watching()
    assert account.sync().messages == 1


def test_flags_changed_elsewhere_are_noticed_while_watching(account):
    account.deliver(1)
    descriptor = account.source.start_watching("INBOX")
    account.other.apply(StoreFlags("INBOX", (1,), add=frozenset({"\\Seen"})))
    assert wait_for_news(account.source, descriptor)
    account.source.stop_watching()


def test_a_connection_cut_by_the_server_is_lost(account):
    account.server.kick(account.user)
    with pytest.raises(ConnectionLost):
        use_until_lost(account.source)
    assert account.open().folders()


def test_a_connection_cut_while_watching_is_lost(account):
    descriptor = account.source.start_watching("INBOX")
    account.server.kick(account.user)
    with pytest.raises(ConnectionLost):
        wait_for_news(account.source, descriptor)


def test_a_server_started_anew_loses_nothing(authority: Authority, context: ssl.SSLContext):
    with serve(authority) as server:
        user = server.add_user()
        with closing(source_of(server, user, context)) as before:
            for number in (1, 2):
                server.deliver(user, message(f"Message {number}"))
            first = before.changes("INBOX", None, ())
            server.kill()
            with pytest.raises(ServerUnreachable):
                before.noop()
        server.start()
        server.deliver(user, message("Message 3"))
        with closing(source_of(server, user, context)) as after:
            delta = after.changes("INBOX", first.state, [1, 2])
        assert ([one.uid for one in delta.new], delta.reset) == ([3], False)
