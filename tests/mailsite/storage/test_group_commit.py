"""Those who come while a commit runs share the next, and none pays for another."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.errors import MailError
from mailsite_ext.errors import MailboxFull, StorageFull
from mailsite_ext.storage.group_commit import GroupCommit, Threads


def test_what_waits_during_a_commit_shares_the_next():
    batches, running, go_on = [], threading.Event(), threading.Event()

    def commit(jobs):
        batches.append(list(jobs))
        running.set()
        assert go_on.wait(10)
        return [[job] for job in jobs]

    commits: Any = GroupCommit(commit, "test")
    first = commits.submit("first")
    assert running.wait(10)
    rest = [commits.submit(n) for n in range(5)]
    go_on.set()
    assert first.result(10) == ["first"]
    assert [one.result(10) for one in rest] == [[n] for n in range(5)]
    assert batches == [["first"], [0, 1, 2, 3, 4]]
    commits.close()


def test_a_fault_of_a_whole_commit_is_only_his_who_brought_it():
    ready = threading.Event()

    def commit(jobs):
        assert ready.wait(10)
        if "bad" in jobs:
            raise StorageFull("too much for the disk")
        return [MailboxFull("bob") if job == "full" else [job] for job in jobs]

    commits: Any = GroupCommit(commit, "test")
    asked = {job: commits.submit(job) for job in ("lone", "good", "bad", "full", "fine")}
    ready.set()
    commits.close()  # what waits is still done
    assert [type(asked[job].exception()) for job in ("bad", "full")] == [StorageFull, MailboxFull]
    assert [asked[job].result() for job in ("lone", "good", "fine")] == [["lone"], ["good"], ["fine"]]
    with pytest.raises(MailError):
        commits.submit("late")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 11])
def test_threads_keep_the_order(count):
    def work(number):
        if number % 3 == 2:
            raise StorageFull(str(number))
        return number

    threads = Threads("test")
    results = threads.run(work, range(count))
    assert [str(one) for one in results] == [str(n) for n in range(count)]
    assert [isinstance(one, StorageFull) for one in results] == [n % 3 == 2 for n in range(count)]
    threads.close()
