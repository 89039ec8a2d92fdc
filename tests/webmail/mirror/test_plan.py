"""Deltas over the mirror: the outcome is the server's state with what was done here laid over it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.mirror.flags import normalise
from app.mirror.plan import Change, Known, Overlay, overlay_of, plan_changes
from app.sources import Delta, FlagState, FolderState, StoreFlags
from tests.factories import remote_message

STATE = FolderState(1, 100, 50)
UIDS = st.integers(1, 12)
FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Flagged", "$Forwarded", "later"]))
MAILBOXES = st.dictionaries(UIDS, FLAGS)
CHANGES = st.lists(st.tuples(st.frozensets(UIDS, min_size=1), FLAGS, FLAGS), max_size=4)


def row_of(uid):
    return 1_000 + uid


def known_of(mailbox):
    return {uid: Known(row_of(uid), flags) for uid, flags in mailbox.items()}


def delta_between(old, new):
    """What a source would say; it tells all flags, changed or not."""
    return Delta(
        STATE,
        messages=len(new),
        unseen=None,
        flags={uid: FlagState(flags) for uid, flags in new.items() if uid in old},
        vanished=frozenset(old.keys() - new.keys()),
        new=[remote_message(uid, flags=flags) for uid, flags in new.items() if uid not in old],
    )


def carried_out(mirror, plan, overlay):
    rows = {row_of(uid): uid for uid in mirror}
    after = dict(mirror)
    for row_id in plan.delete:
        del after[rows[row_id]]
    for row_id, flags in plan.flags.items():
        after[rows[row_id]] = flags
    for message in plan.insert:
        after[message.uid] = overlay.flags_over(message.uid, message.flags)
    return after


def overlay_from(changes, hidden):
    done = [StoreFlags("INBOX", tuple(uids), add - remove, remove) for uids, add, remove in changes]
    return overlay_of(done, hidden)


@given(MAILBOXES, MAILBOXES, CHANGES, st.frozensets(UIDS))
def test_the_outcome_is_the_servers_state_under_what_was_done_here(old, new, changes, hidden):
    overlay = overlay_from(changes, hidden)
    mirror = {uid: overlay.flags_over(uid, flags) for uid, flags in old.items() if uid not in hidden}
    delta = delta_between({uid: flags for uid, flags in old.items() if uid in mirror}, new)
    outcome = carried_out(mirror, plan_changes(known_of(mirror), delta, overlay), overlay)
    assert outcome == {uid: overlay.flags_over(uid, flags) for uid, flags in new.items() if uid not in hidden}


@given(MAILBOXES, MAILBOXES, CHANGES, st.frozensets(UIDS))
def test_a_delta_twice_changes_nothing_more(old, new, changes, hidden):
    overlay = overlay_from(changes, hidden)
    mirror = {uid: flags for uid, flags in old.items() if uid not in hidden}
    delta = delta_between(mirror, new)
    once = carried_out(mirror, plan_changes(known_of(mirror), delta, overlay), overlay)
    again = plan_changes(known_of(once), delta, overlay)
    assert not again.changes_something


@given(st.lists(st.tuples(FLAGS, FLAGS), max_size=5), FLAGS)
def test_changes_add_up_as_if_done_one_by_one(steps, flags):
    whole, one_by_one = Change(), flags
    for add, remove in steps:
        whole = whole.then(add - remove, remove)
        one_by_one = (one_by_one - remove) | (add - remove)
    assert whole.over(flags) == one_by_one


def test_an_older_answer_than_the_one_known_is_passed_over():
    known = {1: Known(row_of(1), frozenset({"\\Seen"}), modseq=9)}
    late = Delta(STATE, 1, None, flags={1: FlagState(frozenset(), modseq=8)})
    assert not plan_changes(known, late, Overlay()).changes_something
    news = replace(late, flags={1: FlagState(frozenset(), modseq=10)})
    assert plan_changes(known, news, Overlay()).flags == {row_of(1): frozenset()}


def test_a_message_moved_away_does_not_reappear():
    delta = Delta(STATE, 1, None, new=[remote_message(4)])
    assert plan_changes({}, delta, Overlay(hidden=frozenset({4}))).insert == []


def test_flags_are_spelled_one_way():
    assert normalise(["\\SEEN", "\\Recent", "$FORWARDED", "Work"]) == {"\\Seen", "$Forwarded", "Work"}
