"""What every storage engine promises (mailsite_ext/storage/engine.py), tried on each: folders, counters, quota."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.bus import Bell, Topic
from app.errors import NoSuchFolder
from app.sources import Role
from mailsite_ext.errors import (
    BadFolderName,
    FolderExists,
    FolderNotEmptied,
    MailboxFull,
    NoSuchMailbox,
    TooManyFolders,
)
from mailsite_ext.storage import catalogue_folders
from mailsite_ext.storage.values import FIRST_FOLDERS, Delivery, Placement, Quota
from tests.mailsite.storage.engines import NOON, add, content, deliver, flag, inbox_of, mail, read


def names(storage, mailbox="alice"):
    return [folder.name for folder in storage.folders(mailbox)]


# Mailboxes
def test_a_mailbox_begins_with_its_first_folders(storage):
    found = storage.folders("alice")
    assert [folder.name for folder in found] == ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]
    assert {(folder.name, folder.role) for folder in found} == set(FIRST_FOLDERS)
    assert all(folder.subscribed and folder.selectable and folder.uidnext == 1 for folder in found)
    assert len({folder.object_id for folder in found}) == 6


def test_a_mailbox_that_is_there_stays_as_it_is(storage):
    add(storage, inbox_of(storage), "kept")
    storage.create_mailbox("alice")
    assert inbox_of(storage).messages == 1
    assert set(storage.mailboxes()) == {"alice", "bob"}


def test_a_removed_mailbox_leaves_nothing_and_its_uidvalidity_never_comes_back(storage):
    before = inbox_of(storage)
    add(storage, before, "gone")
    storage.remove_mailbox("alice")
    storage.remove_mailbox("alice")  # nothing happens
    with pytest.raises(NoSuchMailbox):
        storage.folders("alice")
    with pytest.raises(NoSuchFolder):
        storage.get_folder(before.id)
    storage.create_mailbox("alice")
    after = inbox_of(storage)
    assert after.uidvalidity > before.uidvalidity
    assert after.id != before.id
    assert (after.messages, storage.quota("alice")) == (0, Quota(0, 0))


def test_a_mailbox_nobody_has(storage):
    for ask in (storage.folders, storage.quota):
        with pytest.raises(NoSuchMailbox):
            ask("nobody")
    assert storage.find_folder("nobody", "INBOX") is None
    with pytest.raises(NoSuchMailbox):
        storage.create_folder("nobody", "x")
    with pytest.raises(NoSuchMailbox):
        storage.set_quota("nobody", 1)
    with pytest.raises(NoSuchMailbox):
        deliver(storage, mail(), "nobody")


# Folders
def test_inbox_is_found_in_any_case(storage):
    assert storage.find_folder("alice", "inBox") == inbox_of(storage)
    assert storage.find_folder("alice", "drafts") is None  # others are not
    made = storage.create_folder("alice", "inbox/Lists")
    assert made.name == "INBOX/Lists"


def test_a_new_folder_comes_with_the_names_above_it(storage):
    made = storage.create_folder("alice", "Work/2026/Ärger")
    assert made == storage.find_folder("alice", "Work/2026/Ärger")
    assert (made.uidnext, made.messages, made.role) == (1, 0, None)
    assert names(storage)[-3:] == ["Work", "Work/2026", "Work/2026/Ärger"]
    assert len({folder.uidvalidity for folder in storage.folders("alice")}) == 9
    with pytest.raises(FolderExists):
        storage.create_folder("alice", "Work/2026")


@pytest.mark.parametrize(
    "name",
    ["", "/", "a//b", "a/", "/a", "a\nb", "a\x00", "\x7f", "x" * 241, "é" * 121, "a/" * 32 + "a",
     "/".join(["x" * 200] * 6), "\ud800", "gpj\u202eexe", "In\u200dbox", "a/\u2067b", "soft\u00adhyphen", " ",
     "a/\u3164", "\ufeffTrash", "Tr\ufe0fash"],
)  # fmt: skip
def test_names_no_folder_can_have(storage, name):
    with pytest.raises(BadFolderName):
        storage.create_folder("alice", name)
    folder = storage.create_folder("alice", "fine")
    with pytest.raises(BadFolderName):
        storage.rename_folder(folder.id, name)


@pytest.mark.parametrize("name", ["..", ".", "../../etc/passwd", "a\\b", "~", "con", ".hidden", "%2e%2e", "a:b*?", "é"])
def test_names_that_would_like_to_leave_the_storage_are_only_names(storage, place, name):
    folder = storage.create_folder("alice", name)
    uid = add(storage, folder, "in there")[0]
    assert read(storage, folder.id, uid) == mail("in there")
    assert name in names(storage)
    assert {path.name for path in place.folder.iterdir()} <= {"mail", "bytes", "var"}


@pytest.mark.parametrize(
    "name", ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "👩\u200d🔬", "1\ufe0f\u20e3", "a b", "日本語"]
)
def test_names_of_many_scripts(storage, name):
    assert storage.create_folder("alice", name).name == name


def test_a_folder_named_so_before_is_used_like_any_other(storage, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(catalogue_folders, "is_readable", lambda _name: True)
        folder = storage.create_folder("alice", "a/gpj\u202eexe")
    deliver(storage, mail("to it"), Placement("alice", folder.name))
    storage.rename_folder(storage.find_folder("alice", "a").id, "b")
    assert storage.get_folder(folder.id).name == "b/gpj\u202eexe"
    assert storage.get_folder(folder.id).messages == 1
    storage.rename_folder(folder.id, "b/c")


def test_a_mailbox_has_so_many_folders_and_no_more(storage, monkeypatch):
    monkeypatch.setattr(catalogue_folders, "MOST_FOLDERS", len(names(storage)) + 2)
    one = storage.create_folder("alice", "a/b")
    for made in ("c", "a/c"):
        with pytest.raises(TooManyFolders):
            storage.create_folder("alice", made)
    with pytest.raises(TooManyFolders):
        storage.rename_folder(one.id, "new/b")
    with pytest.raises(TooManyFolders):
        storage.rename_folder(storage.find_folder("alice", "INBOX").id, "old mail")
    storage.rename_folder(one.id, "a/d")
    assert storage.create_folder("bob", "his").name == "his"
    deliver(storage, mail("nothing is lost"), Placement("alice", "Elsewhere"))
    assert storage.find_folder("alice", "Elsewhere").messages == 1


def test_one_role_one_folder(storage):
    with pytest.raises(BadFolderName):
        storage.create_folder("alice", "More trash", Role.TRASH)
    assert storage.create_folder("alice", "Everything", Role.ALL).role is Role.ALL


def test_renaming_takes_the_folders_below_along(storage):
    old = storage.create_folder("alice", "a")
    below = storage.create_folder("alice", "a/b/c")
    beside = storage.create_folder("alice", "ab")
    uid = add(storage, below, "moved along")[0]
    storage.rename_folder(old.id, "x/y")
    assert [name for name in names(storage) if name[0] in "ax"] == ["ab", "x", "x/y", "x/y/b", "x/y/b/c"]
    kept = storage.get_folder(below.id)
    assert (kept.object_id, kept.uidvalidity, kept.messages) == (below.object_id, below.uidvalidity, 1)
    assert read(storage, below.id, uid) == mail("moved along")
    assert storage.get_folder(beside.id) == beside


def test_renames_that_cannot_be(storage):
    folder = storage.create_folder("alice", "a")
    with pytest.raises(FolderExists):
        storage.rename_folder(folder.id, "Sent")
    with pytest.raises(BadFolderName):
        storage.rename_folder(folder.id, "a/b")
    deep = storage.create_folder("alice", "a/" + "/".join(["d" * 200] * 4))
    with pytest.raises(BadFolderName):  # that one would have too long a name
        storage.rename_folder(folder.id, "n" * 230)
    assert storage.get_folder(deep.id).name == deep.name
    with pytest.raises(NoSuchFolder):
        storage.rename_folder(10**9, "b")


def test_renaming_inbox_empties_it(storage):
    inbox = inbox_of(storage)
    below = storage.create_folder("alice", "INBOX/below")
    add(storage, inbox, "one", "two", flags="\\Seen")
    storage.rename_folder(inbox.id, "Old/mail")
    after, target = storage.get_folder(inbox.id), storage.find_folder("alice", "Old/mail")
    assert (after.name, after.messages, after.uidnext, target.messages) == ("INBOX", 0, 3, 2)
    assert after.uidvalidity == inbox.uidvalidity
    assert list(storage.changes(inbox.id, inbox.highestmodseq).vanished) == [1, 2]
    assert storage.get_folder(below.id).name == "INBOX/below"
    assert (target.unseen, storage.quota("alice").messages) == (0, 2)
    assert [read(storage, target.id, uid) for uid in storage.uids(target.id)] == [mail("one"), mail("two")]


def test_a_deleted_folder_is_gone_and_its_name_begins_anew(storage):
    folder = storage.create_folder("alice", "a")
    add(storage, folder, "one", "two")
    storage.delete_folder(folder.id)
    assert storage.find_folder("alice", "a") is None
    assert storage.quota("alice") == Quota(0, 0)
    again = storage.create_folder("alice", "a")
    assert again.uidvalidity > folder.uidvalidity
    assert (again.id != folder.id, again.object_id != folder.object_id) == (True, True)
    assert list(storage.uids(again.id)) == []


def test_a_folder_with_others_below_it_leaves_its_name(storage):
    """RFC 9051 §6.3.5"""
    folder = storage.create_folder("alice", "a")
    below = storage.create_folder("alice", "a/b")
    add(storage, folder, "one")
    storage.delete_folder(folder.id)
    left = storage.find_folder("alice", "a")
    assert (left.selectable, left.messages) == (False, 0)
    with pytest.raises(FolderNotEmptied):
        storage.delete_folder(left.id)
    with pytest.raises(NoSuchFolder):
        storage.append(left.id, [(content(mail()), frozenset(), NOON)]).result(30)
    with pytest.raises(NoSuchFolder):
        storage.copy(inbox_of(storage).id, [], left.id)
    again = storage.create_folder("alice", "a")
    assert again.selectable
    assert again.uidvalidity > folder.uidvalidity
    storage.delete_folder(again.id)
    storage.delete_folder(below.id)
    assert not [name for name in names(storage) if name.startswith("a")]  # the name had no other reason to be


def test_a_name_left_for_a_folder_goes_when_that_is_renamed_away(storage):
    folder = storage.create_folder("alice", "a")
    below = storage.create_folder("alice", "a/b")
    storage.delete_folder(folder.id)
    storage.rename_folder(below.id, "elsewhere")
    assert storage.find_folder("alice", "a") is None


def test_inbox_stays(storage):
    with pytest.raises(FolderNotEmptied):
        storage.delete_folder(inbox_of(storage).id)


def test_subscriptions(storage):
    folder = storage.create_folder("alice", "a")
    assert not folder.subscribed
    storage.subscribe("alice", "a", subscribed=True)
    storage.subscribe("alice", "a", subscribed=True)
    assert storage.get_folder(folder.id).subscribed
    storage.subscribe("alice", "a", subscribed=False)
    storage.subscribe("alice", "never", subscribed=False)
    assert not storage.get_folder(folder.id).subscribed
    with pytest.raises(NoSuchFolder):
        storage.subscribe("alice", "never", subscribed=True)
    with pytest.raises(NoSuchMailbox):
        storage.subscribe("nobody", "INBOX", subscribed=True)
    with pytest.raises(NoSuchMailbox):
        storage.subscriptions("nobody")


FIRST = {name for name, _role in FIRST_FOLDERS}


def test_a_subscription_outlives_its_folder(storage):
    """RFC 9051 §6.3.7: a server must not remove it by itself."""
    folder = storage.create_folder("alice", "Lists/garden")
    for name in ("Lists/garden", "inbox", "Lists"):
        storage.subscribe("alice", name, subscribed=True)
    storage.delete_folder(folder.id)
    storage.delete_folder(storage.find_folder("alice", "Lists").id)
    storage.subscribe("alice", "Lists", subscribed=True)
    assert set(storage.subscriptions("alice")) == FIRST | {"Lists", "Lists/garden"}
    assert set(storage.subscriptions("bob")) == FIRST
    assert storage.create_folder("alice", "Lists/garden").subscribed
    assert storage.find_folder("alice", "Lists").subscribed
    storage.delete_folder(storage.find_folder("alice", "Lists/garden").id)
    storage.subscribe("alice", "Lists/garden", subscribed=False)
    assert set(storage.subscriptions("alice")) == FIRST | {"Lists"}
    assert not storage.create_folder("alice", "Lists/garden").subscribed


def test_a_subscription_stays_with_the_name_when_a_folder_gets_another(storage):
    folder = storage.create_folder("alice", "old")
    storage.create_folder("alice", "old/below")
    storage.subscribe("alice", "old/below", subscribed=True)
    storage.rename_folder(folder.id, "new")
    assert set(storage.subscriptions("alice")) == FIRST | {"old/below"}
    assert not storage.find_folder("alice", "new/below").subscribed
    storage.rename_folder(folder.id, "old")
    assert storage.find_folder("alice", "old/below").subscribed


def test_a_folder_made_by_a_delivery_is_subscribed_if_its_name_is(storage):
    storage.delete_folder(storage.find_folder("alice", "Junk").id)
    deliver(storage, mail(), Placement("alice", "Junk"))
    assert storage.find_folder("alice", "Junk").subscribed


def test_subscriptions_of_a_mailbox_end_with_it(storage):
    storage.remove_mailbox("alice")
    storage.create_mailbox("alice")
    assert set(storage.subscriptions("alice")) == FIRST


def test_there_are_only_so_many_subscriptions(storage, monkeypatch):
    monkeypatch.setattr("mailsite_ext.storage.catalogue_subscriptions.MOST_SUBSCRIPTIONS", len(FIRST) + 1)
    for name in ("a", "b"):
        storage.create_folder("alice", name)
    storage.subscribe("alice", "a", subscribed=True)
    with pytest.raises(TooManyFolders):
        storage.subscribe("alice", "b", subscribed=True)


# Quota
def test_quota_counts_heads_and_bodies(storage):
    head = b"Delivered-To: alice\r\n"
    deliver(storage, mail(), Placement("alice", head=head))
    assert storage.quota("alice") == Quota(len(head) + len(mail()), 1)
    assert inbox_of(storage).octets == len(head) + len(mail())


def test_a_full_mailbox_takes_nothing_and_no_recipient_gets_it(storage):
    storage.set_quota("bob", len(mail()))
    deliver(storage, mail(), "alice", "bob")
    with pytest.raises(MailboxFull):
        deliver(storage, mail("two"), "alice", "bob")
    assert (inbox_of(storage).messages, inbox_of(storage, "bob").messages) == (1, 1)
    assert storage.quota("bob") == Quota(len(mail()), 1, len(mail()))
    storage.set_quota("bob", None)
    deliver(storage, mail("two"), "alice", "bob")
    assert inbox_of(storage, "bob").messages == 2


def test_two_copies_for_one_mailbox_count_twice(storage):
    storage.set_quota("alice", len(mail()) + 5)
    with pytest.raises(MailboxFull):
        deliver(storage, mail(), "alice", Placement("alice", "Sent"))
    assert storage.quota("alice").messages == 0


def test_copying_needs_room_and_moving_none(storage):
    inbox, sent = inbox_of(storage), storage.find_folder("alice", "Sent")
    add(storage, inbox, "one", "two")
    storage.set_quota("alice", storage.quota("alice").used_octets)
    with pytest.raises(MailboxFull):
        storage.copy(inbox.id, [1, 2], sent.id)
    with pytest.raises(MailboxFull):
        add(storage, sent, "three")
    assert storage.get_folder(sent.id).uidnext == 1
    assert list(storage.move(inbox.id, [1, 2], sent.id).target) == [1, 2]
    assert storage.quota("alice").messages == 2


def test_one_refused_delivery_fails_no_other_that_shares_its_commit(storage):
    storage.set_quota("bob", 1)
    asked = [
        storage.deliver(Delivery(content(mail(str(n))), [Placement(who)], NOON))
        for n, who in enumerate(["alice", "bob", "nobody", "alice", "bob", "alice"])
    ]
    came = [type(error).__name__ if (error := one.exception(30)) else "stored" for one in asked]
    assert came == ["stored", "MailboxFull", "NoSuchMailbox", "stored", "MailboxFull", "stored"]
    assert list(storage.uids(inbox_of(storage).id)) == [1, 2, 3]


def test_deliveries_of_one_commit_each_get_their_own(storage):
    """Held up behind another step they share a commit: to one folder, another, a mailbox with a limit, nobody."""
    storage.set_quota("bob", 10_000)
    places = [Placement("alice"), Placement("nobody"), Placement("alice", "Lists"), Placement("bob")] * 3
    full = mail("too much", "x" * 20_000)
    with storage.write():
        asked = [
            storage.deliver(Delivery(content(mail(f"{number}")), [place], NOON)) for number, place in enumerate(places)
        ]
        refused = storage.deliver(Delivery(content(full), [Placement("bob")], NOON))
    for number, (place, done) in enumerate(zip(places, asked, strict=True)):
        if place.mailbox == "nobody":
            with pytest.raises(NoSuchMailbox):
                done.result(30)
            continue
        [stored] = done.result(30)
        assert stored.folder_id == storage.find_folder(place.mailbox, place.folder).id
        assert read(storage, stored.folder_id, stored.uid) == mail(f"{number}")
    with pytest.raises(MailboxFull):
        refused.result(30)
    for mailbox, folder in (("alice", "INBOX"), ("alice", "Lists"), ("bob", "INBOX")):
        found = storage.find_folder(mailbox, folder)
        assert (found.messages, found.unseen, list(storage.uids(found.id))) == (3, 3, [1, 2, 3])
    assert not list(storage.verify())


# Bells
class Bells:
    """A bus that notes what was rung."""

    def __init__(self, rung):
        self._rung = rung

    def ring(self, *bells):
        self._rung.extend(bells)


def test_every_committed_change_rings_its_folders(place):
    rung: list[Bell] = []
    storage = place.open(bus=Bells(rung))
    inbox, sent = inbox_of(storage), storage.find_folder("alice", "Sent")
    for change, folders in (
        (lambda: add(storage, inbox, "one", "two"), {inbox.id}),
        (lambda: flag(storage, inbox, [1], "\\Seen"), {inbox.id}),
        (lambda: flag(storage, inbox, [1], "\\Seen"), set()),  # nothing changed
        (lambda: storage.copy(inbox.id, [1], sent.id), {sent.id}),
        (lambda: storage.move(inbox.id, [1], sent.id), {inbox.id, sent.id}),
        (lambda: storage.expunge(sent.id, only_deleted=False), {sent.id}),
        (lambda: storage.delete_folder(sent.id), {sent.id}),
    ):
        rung.clear()
        change()
        assert {bell.subject for bell in rung if bell.topic is Topic.STORAGE} == folders


class BrokenBells(Bells):
    """A bus without a descriptor left."""

    def ring(self, *bells):
        raise OSError(24, "Too many open files")


def test_a_bell_that_cannot_ring_does_not_store_a_message_twice(place):
    """Who is told of a fault sends again; together in a commit, the storage itself did."""
    storage = place.open(bus=BrokenBells([]))
    inbox = inbox_of(storage)
    asked = [storage.append(inbox.id, [(content(mail(str(n))), frozenset(), None)]) for n in range(20)]
    assert sorted(stored.uid for one in asked for stored in one.result(10)) == list(range(1, 21))
    assert list(storage.uids(inbox.id)) == list(range(1, 21))


def test_the_mailbox_whose_tree_changed_is_rung(place):
    rung: list[Bell] = []
    storage = place.open(bus=Bells(rung))
    inbox = inbox_of(storage)
    for change, is_told in (
        (lambda: add(storage, inbox, "one"), False),
        (lambda: storage.create_folder("alice", "Travel"), True),
        (lambda: storage.rename_folder(storage.find_folder("alice", "Travel").id, "Journeys"), True),
        (lambda: storage.subscribe("alice", "Journeys", subscribed=True), True),
        (lambda: storage.delete_folder(storage.find_folder("alice", "Journeys").id), True),
    ):
        rung.clear()
        change()
        told = {bell.subject for bell in rung if bell.topic is Topic.STORAGE_TREE}
        assert told == ({inbox.mailbox_id} if is_told else set())


# Recent (RFC 3501 §2.3.2)
def test_what_is_recent_is_so_to_one(storage):
    inbox = inbox_of(storage)
    assert inbox.recent_from == 1
    assert storage.claim_recent(inbox.id, 1) == 1  # there is nothing
    for subject in ("one", "two"):
        add(storage, inbox, subject)
    before = storage.get_folder(inbox.id)
    assert storage.claim_recent(inbox.id, 3) == 1
    assert storage.claim_recent(inbox.id, 3) == 3
    assert storage.claim_recent(inbox.id, 2) == 3  # somebody who was told less, later
    after = storage.get_folder(inbox.id)
    assert after == replace(before, recent_from=3)  # no MODSEQ, nothing else
    with pytest.raises(NoSuchFolder):
        storage.claim_recent(10**6, 3)


def test_everybody_claims_at_once(place):
    """As many as there are processes: every UID is claimed, by one."""
    inbox = inbox_of(place.opened[0])
    storages = [place.opened[0], place.open(), place.open()]

    def claim(at: int) -> range:
        uidnext = 2 + at % 20
        return range(storages[at % 3].claim_recent(inbox.id, uidnext), uidnext)

    with ThreadPoolExecutor(6) as threads:
        claimed = [uid for found in threads.map(claim, range(60)) for uid in found]
    assert sorted(claimed) == list(range(1, 21))
