"""What verify sees in a mail tree, and mends; the commands of the command line."""

from __future__ import annotations

import pytest

from mailsite_ext.settings.service import load_settings, store_settings
from mailsite_ext.settings.values import StorageKind
from mailsite_ext.storage.file_mail_storage import FileMailStorage
from mailsite_ext.storage.open import close_storage, new_storage, open_storage
from tests.mailsite.storage.engines import add, inbox_of, mail, read


@pytest.fixture
def tree_storage(tmp_path, clock):
    storage = FileMailStorage(tmp_path, clock, machine="here")
    storage.create_mailbox("alice")
    add(storage, inbox_of(storage), "one", "two", "three", flags="\\Seen")
    yield storage
    storage.close()


def lose_a_file(storage):
    next(storage.tree.directory("alice", "INBOX").rglob("000002.eml")).unlink()


def add_a_stray(storage):
    directory = next(storage.tree.directory("alice", "INBOX").rglob("000002.eml")).parent
    (directory / "000099.eml").write_bytes(mail("never promised"))


def cut_a_file(storage):
    next(storage.tree.directory("alice", "INBOX").rglob("000002.eml")).write_bytes(b"cut")


def damage_a_line(storage):
    storage.tree.log.checkpoint(at_octets=1)
    journal = storage.tree.journal("alice", "INBOX")
    data = bytearray(journal.read_bytes())
    data[data.index(b"000001.eml")] ^= 1
    with journal.open("r+b") as file:
        file.write(data)


def forge(statement):
    def run(storage):
        with storage.read() as link:
            link.run(statement)
            link.commit()

    return run


@pytest.mark.parametrize(
    ("damage", "kinds", "left"),
    [
        (lose_a_file, {"message file missing"}, 2),
        (add_a_stray, {"file of no message"}, 3),
        (cut_a_file, {"size of a message file changed"}, 3),
        (damage_a_line, {"journal damaged", "journal and index differ"}, 3),
        (
            forge("UPDATE mailsite_folder SET messages = 7 WHERE name = 'INBOX'"),
            {"messages counted wrong", "quota counted wrong"},
            3,
        ),
        (forge("UPDATE mailsite_flag SET flags = '' WHERE id & 4294967295 = 2"), {"journal and index differ"}, 3),
        (
            forge("UPDATE mailsite_folder SET uidnext = 2 WHERE name = 'INBOX'"),
            {"UID not below UIDNEXT", "UIDNEXT too low"},
            3,
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_wrong_is_seen_and_mended(tree_storage, damage, kinds, left):
    assert list(tree_storage.verify()) == []
    damage(tree_storage)
    assert {found.kind for found in tree_storage.verify()} <= kinds
    found = list(tree_storage.verify(fix=True))
    assert found
    assert all(one.mended for one in found)
    assert list(tree_storage.verify()) == []
    inbox = inbox_of(tree_storage)
    assert inbox.messages == len(tree_storage.uids(inbox.id)) == left
    assert add(tree_storage, inbox, "next")[0] > 3
    assert read(tree_storage, inbox.id, 3) == mail("three")


def test_a_stray_file_is_put_aside_not_deleted(tree_storage):
    add_a_stray(tree_storage)
    list(tree_storage.verify(fix=True))
    (aside,) = tree_storage.tree.quarantine.iterdir()
    assert aside.read_bytes() == mail("never promised")


# Commands


@pytest.fixture
def run(app):
    def invoke(*words):
        return app.test_cli_runner().invoke(args=["mailsite", *map(str, words)])

    return invoke


@pytest.fixture
def hosted(parts):
    storage = new_storage(parts, StorageKind.FILES)
    storage.create_mailbox("alice")
    storage.create_mailbox("bob")
    add(storage, inbox_of(storage), "one", "two")
    yield storage
    storage.close()


def test_the_commands_of_an_installation(run, hosted, parts, tmp_path):
    assert run("verify").output == "All is well.\n"
    assert run("recount").output == "All is well.\n"
    assert "messages are indexed" in run("reindex").output
    assert run("export", "alice", tmp_path / "out").exit_code == 0
    assert "INBOX: 2" in run("import", "bob", tmp_path / "out").output
    assert "files" in run("backup", tmp_path / "backups").output
    assert len(list((tmp_path / "backups").rglob("*.eml"))) == 4
    assert run("rebuild").output == "2 mailboxes are read anew.\n"
    assert inbox_of(hosted, "bob").messages == 2


def test_a_wrong_thing_is_an_exit_status(run, hosted):
    lose_a_file(hosted)
    assert run("verify").exit_code == 1
    assert run("verify", "--fix").exit_code == 0
    assert run("verify").exit_code == 0


def test_mail_is_converted_and_the_setting_follows(run, hosted, parts):
    hosted.close()
    assert run("convert", "sql").exit_code == 0
    with parts.public.session() as db:
        assert load_settings(db).storage_engine is StorageKind.SQL
    assert run("verify").output == "All is well.\n"
    assert "kept so already" in run("convert", "sql").output
    assert "move it away first" in run("convert", "files").output


def test_nothing_is_converted_while_somebody_has_it_open(run, hosted, parts):
    with parts.public.session() as db:
        settings = load_settings(db)
        assert open_storage(parts, settings) is open_storage(parts, settings)
        try:
            answer = run("convert", "sql")
        finally:
            close_storage(parts)
        assert answer.exit_code == 1
        assert "Stop the listeners" in answer.output
        store_settings(db, settings)
    assert run("convert", "sql").exit_code == 0


@pytest.mark.parametrize("words", [("export", "nobody", "out"), ("import", "nobody", "nowhere")])
def test_who_is_not_here_is_told(run, hosted, tmp_path, words):
    command, mailbox, folder = words
    answer = run(command, mailbox, tmp_path / folder)
    assert answer.exit_code == 1
    assert "NoSuchMailbox" in answer.output
