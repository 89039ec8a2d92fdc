"""The agent with real processes, on both databases."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from app.machines import logs
from app.machines.agent import AgentRunsAlready
from app.machines.logs import log_file, tail
from app.machines.models import Desired, Machine, MailHome
from app.machines.processes import handed_sockets, locked_slots
from app.machines.rows import Ousted
from app.mail_services.modes import Mode
from tests.conftest import START
from tests.servers.engine import is_running, wait_for
from tests.webmail.machines.conftest import TIMES
from tests.webmail.machines.dummies import CHATTY, CRASHING, GRACEFUL, SPEAKING, STUBBORN, kind


def pid(hand, name="dummy"):
    return int(hand.row(name).pids)


def log_of(hand, name="dummy"):
    return tail(log_file(hand.agent.parts.config, name))


def test_what_is_wanted_runs_and_tells_where_it_listens(make_agent):
    hand = make_agent(kind(settings_fingerprint=lambda _db: {"Port": "25"}))
    assert hand.row().desired is Desired.STOPPED
    hand.want()
    hand.until(lambda: hand.is_in("running"))
    row = hand.row()
    assert (row.addresses, row.settings, row.error) == ("127.0.0.1:2525", {"Port": "25"}, "")
    assert is_running(pid(hand))
    assert row.since is not None
    hand.want(desired=Desired.STOPPED)
    was = pid(hand)
    hand.until(lambda: hand.is_in("stopped"))
    assert not is_running(was)
    assert (hand.row().pids, hand.row().addresses, hand.row().settings) == ("", "", None)


def test_the_machine_says_who_it_is(make_agent):
    hand = make_agent(kind())
    hand.agent.turn([])
    machine = hand.machine()
    assert machine.name == os.uname().nodename
    assert machine.agent == hand.agent.token
    before = machine.heartbeat_at
    hand.until(lambda: hand.machine().heartbeat_at > before, "a heartbeat")


def test_a_restart_is_another_process(make_agent):
    hand = make_agent(kind())
    hand.want()
    hand.until(lambda: hand.is_in("running"))
    was = pid(hand)
    hand.want(again=True)
    hand.until(lambda: hand.is_in("running") and pid(hand) != was, "another process")
    assert not is_running(was)


def test_as_many_processes_as_the_kind_wants(make_agent):
    wanted = [2]
    hand = make_agent(kind(processes=lambda _db: wanted[0]))
    hand.want(again=True)
    hand.until(lambda: hand.is_in("running"))
    pids = [int(one) for one in hand.row().pids.split(", ")]
    assert len(set(pids)) == 2
    assert all(map(is_running, pids))
    wanted[0] = 3
    beat = hand.machine().heartbeat_at
    hand.until(lambda: hand.machine().heartbeat_at > beat, "another look")
    assert hand.row().pids == ", ".join(map(str, pids))  # as it was started
    hand.want(again=True)
    hand.until(lambda: hand.row().pids.count(",") == 2 and hand.is_in("running"), "three")


@pytest.mark.parametrize(("script", "status", "words"), [
    (CRASHING, 1, "Traceback of sorts\nthe socket is on fire"),
    (SPEAKING, 1, "Port 25 is taken by another program."),  # what it told goes before what it printed
    ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, ""),
])  # fmt: skip
def test_one_that_dies_is_tried_again_with_growing_waits_and_its_last_words_are_kept(make_agent, script, status, words):
    hand = make_agent(kind(script=script))
    hand.want()
    hand.until(lambda: hand.is_in("failed"))
    row = hand.row()
    assert (row.error, row.exit_status, row.restarts) == (words, status, 1)
    first = row.retry_at - row.error_at
    hand.until(lambda: hand.is_in("failed") and hand.row().restarts == 2, "a second death")
    row = hand.row()
    assert (first, row.retry_at - row.error_at) == (timedelta(seconds=1), timedelta(seconds=2))


def test_a_killed_one_comes_back(make_agent):
    hand = make_agent(kind())
    hand.want()
    hand.until(lambda: hand.is_in("running"))
    was = pid(hand)
    os.kill(was, signal.SIGKILL)
    hand.until(lambda: hand.is_in("running") and pid(hand) != was, "another process")
    assert (hand.row().exit_status, hand.row().restarts) == (-9, 1)


def test_start_does_not_wait_for_the_next_try(make_agent):
    hand = make_agent(kind(script=CRASHING))
    hand.want()
    hand.until(lambda: hand.row().restarts == 3, "three deaths")
    hand.want(again=True)
    hand.until(lambda: hand.is_in("failed") and hand.row().restarts == 1, "a try at once, and counted anew")


def test_a_program_that_is_not_there_is_a_death_too(make_agent):
    broken = kind()
    hand = make_agent(type(broken)(name="dummy", title=broken.title, runs=broken.runs, command=("/nowhere/at/all",)))
    hand.want()
    hand.until(lambda: hand.is_in("failed"))
    assert "/nowhere/at/all" in hand.row().error
    assert hand.row().exit_status is None


def test_stopping_lets_it_finish(make_agent):
    hand = make_agent(kind(script=GRACEFUL))
    hand.want()
    hand.until(lambda: hand.is_in("running"))
    hand.want(desired=Desired.STOPPED)
    hand.until(lambda: hand.is_in("stopped"))
    assert log_of(hand)[-1] == "transaction finished"
    assert hand.row().error == ""


def test_one_that_does_not_end_is_killed_when_patience_ends(make_agent):
    hand = make_agent(kind(script=STUBBORN), times=replace(TIMES, patience_s=0.3))
    hand.want()
    hand.until(lambda: hand.is_in("running"))
    was = pid(hand)
    hand.want(desired=Desired.STOPPED)
    hand.until(lambda: hand.is_in("stopped"))
    assert not is_running(was)


def test_modes_that_host_nothing_start_nothing_and_stop_nothing(make_agent, set_mode):
    hand = make_agent(kind(), kind("second"))
    hand.want()
    hand.until(lambda: hand.is_in("running"))
    set_mode(Mode.EXTERNAL)
    hand.want("second")
    beats = hand.machine().heartbeat_at
    hand.until(lambda: hand.machine().heartbeat_at > beats)
    hand.until(lambda: not hand.agent._wanted["dummy"].may_start)
    assert hand.is_in("running")
    assert hand.is_in("stopped", "second")
    os.kill(pid(hand), signal.SIGKILL)
    hand.until(lambda: hand.is_in("stopped"), "it stays away")


def test_the_end_of_the_agent_is_the_end_of_its_services(make_agent):
    hand = make_agent(kind(script=GRACEFUL))
    hand.want()
    hand.until(lambda: hand.is_in("running"))
    was = pid(hand)
    hand.agent.end()
    assert not is_running(was)
    assert log_of(hand)[-1] == "transaction finished"
    assert (hand.row().state, hand.row().desired) == ("stopped", "running")  # intent stays
    assert (hand.machine().agent, hand.machine().heartbeat_at) == ("", None)


def test_a_new_agent_ends_what_a_killed_one_left_behind(make_agent):
    """The first is not ended: it is as dead as after kill -9, and its process lives."""
    first = make_agent(kind())
    first.want()
    first.until(lambda: first.is_in("running"))
    was = pid(first)
    left = [seat.process for seat in first.agent.seats.values()]
    first.agent.seats.clear()
    second = make_agent(kind(), begin=False)
    assert [number for _lock, number in locked_slots(second.folder)] == [str(was)]
    second.agent.begin()
    wait_for(lambda: not is_running(was), "the orphan to end")
    second.until(lambda: second.is_in("running") and pid(second) != was, "its successor")
    for process in left:
        assert process.wait(5)
        process.close()


def test_two_agents_share_a_database(make_agent):
    """Each has its work directory and its row; one's wishes are not the other's."""
    one, two = make_agent(kind(), work="one"), make_agent(kind(), work="two")
    assert one.agent.machine_id != two.agent.machine_id
    one.want()
    one.until(lambda: one.is_in("running"))
    two.agent.turn([])
    assert two.is_in("stopped")
    assert {machine.agent for machine in (one.machine(), two.machine())} == {one.agent.token, two.agent.token}


def test_a_second_agent_on_a_machine_refuses(make_agent):
    first, second = make_agent(kind(), begin=False), make_agent(kind(), begin=False)
    with first.agent._alone(), pytest.raises(AgentRunsAlready):
        second.agent.run(lambda: False)
    assert second.agent.machine_id == 0


def test_a_copy_of_the_work_directory_elsewhere_refuses_while_the_first_lives(make_agent, monkeypatch):
    first = make_agent(kind())
    monkeypatch.setattr("app.machines.identity.boot_id", lambda: "another system")
    second = make_agent(kind(), begin=False)
    with pytest.raises(AgentRunsAlready):
        second.agent.begin()
    assert second.machine().agent == first.agent.token


def test_one_that_was_taken_for_dead_ends_its_services_and_writes_nothing(make_agent):
    first = make_agent(kind())
    first.want()
    first.until(lambda: first.is_in("running"))
    was = pid(first)
    machine = first.machine()
    machine.agent = "another"
    first.db.commit()
    with pytest.raises(Ousted):
        first.until(lambda: False)
    first.agent.end()
    assert not is_running(was)
    assert first.machine().agent == "another"
    assert first.is_in("running")  # the other one's to say


def test_a_forgotten_machine_appears_again(make_agent, db):
    hand = make_agent(kind())
    hand.agent.turn([])
    was = hand.agent.machine_id
    db.execute(delete(Machine).where(Machine.id == was))
    db.commit()
    hand.until(lambda: hand.agent.machine_id != was, "a new row")
    assert hand.machine().agent == hand.agent.token


def test_mail_that_is_kept_elsewhere_is_not_served_here(make_agent, db):
    hand = make_agent(kind(), kind("web-only", keeps_mail=False))
    db.add(MailHome(id=1, work_uuid="another", machine_name="mx-1", work_directory="/var", since=START))
    db.commit()
    hand.want()
    hand.want("web-only")
    hand.until(lambda: hand.is_in("running", "web-only"))
    assert hand.is_in("stopped")


def test_a_log_that_grows_stays_in_its_bounds(make_agent, monkeypatch):
    bound = logs.bound
    monkeypatch.setattr(logs, "bound", lambda path: bound(path, max_octets=20_000, kept=2))
    hand = make_agent(kind(script=CHATTY))
    path = log_file(hand.agent.parts.config, "dummy")
    hand.want()
    hand.until(lambda: path.with_name("dummy.log.2").exists(), "two older files")
    assert path.stat().st_size < 2_000_000
    assert not path.with_name("dummy.log.3").exists()


@pytest.mark.parametrize(("environ", "descriptors"), [
    ({}, []),
    ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, [3, 4]),
    ({"LISTEN_PID": "8", "LISTEN_FDS": "2"}, []),  # another process's
    ({"LISTEN_PID": "7", "LISTEN_FDS": "many"}, []),
])  # fmt: skip
def test_sockets_that_systemd_bound_are_handed_on(environ, descriptors):
    assert list(handed_sockets(environ, 7)) == descriptors


def test_a_kind_that_fails_to_tell_its_settings_runs_all_the_same(make_agent):
    hand = make_agent(kind(settings_fingerprint=lambda _db: {}["no such setting"]))
    hand.want()
    hand.until(lambda: hand.is_in("running"))
    assert hand.row().settings is None
