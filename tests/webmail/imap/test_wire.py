"""The octets of a connection: bounded in time, both ways."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress
from itertools import count

import pytest

from app.errors import TimedOut
from app.imap import wire


def test_octets_that_drip_are_cut_off(monkeypatch):
    """However often a few octets come, a turn ends: time grows with what was received, not with how often."""
    monkeypatch.setattr(wire, "SLOWEST_OCTETS_PER_S", 1e9)
    left, right = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            right.send(b"*")

    thread = threading.Thread(target=drip)
    thread.start()
    with left, right:
        line = wire.Wire(left, "localhost", 0.3)
        with pytest.raises(TimedOut):
            line.readline()
        stop.set()
        thread.join()


def dripping(steps_s: float, octets: bytes, total: int) -> tuple[socket.socket, wire.Wire]:
    """A server whose octets are all there, and a clock on which each reading of `len(octets)` took `steps_s`."""
    left, right = socket.socketpair(type=socket.SOCK_SEQPACKET)  # a packet is what one reading gets
    threading.Thread(target=send_packets, args=(right, octets, total), daemon=True).start()
    now = count(0.0, steps_s)
    return right, wire.Wire(left, "localhost", 20, now_s=lambda: next(now))


def send_packets(link: socket.socket, octets: bytes, number: int) -> None:
    with suppress(OSError):
        for _ in range(number):
            link.send(octets)


@pytest.mark.parametrize(("expected_octets", "seconds", "ends"), [
    (0, 150, True),
    (0, 250, False),  # steady, above SLOWEST_OCTETS_PER_S, and yet too long for a turn of no particular size
    (10_000_000, 250, True),  # what is large may take longer
    (10_000_000, 400, False),  # but not for ever
])  # fmt: skip
def test_no_turn_drips_longer_than_what_was_asked_for_may_take(expected_octets, seconds, ends):
    server, line = dripping(1.0, b"x" * 5_000, seconds)
    with server, closing(line):
        line.begin_turn(100_000_000, expected_octets)
        if ends:
            assert len(line.read(5_000 * (seconds - 10))) == 5_000 * (seconds - 10)
        else:
            with pytest.raises(TimedOut):
                line.read(5_000 * seconds)


def taking(steps_s: float, wire_timeout_s: float = 20) -> tuple[socket.socket, wire.Wire]:
    """A peer that reads nothing yet, and a clock on which each look takes `steps_s`."""
    left, right = socket.socketpair()
    now = count(0.0, steps_s)
    return right, wire.Wire(left, "localhost", wire_timeout_s, now_s=lambda: next(now))


def read_all(link: socket.socket, heard: list[int]) -> None:
    while octets := link.recv(65_536):
        heard.append(len(octets))


@pytest.mark.parametrize(("octets", "a_piece_takes_s", "ends"), [
    (1_000, 19, True),
    (5_000_000, 2, True),  # 160 s: far longer than the time-out, each piece within it
    (20_000_000, 1.5, True),  # what is large may take longer: 460 s
    (20_000_000, 3, False),  # but not for ever
])  # fmt: skip
def test_what_is_large_is_sent_over_a_slow_line(octets, a_piece_takes_s, ends):
    server, line = taking(a_piece_takes_s)
    heard: list[int] = []
    reader = threading.Thread(target=read_all, args=(server, heard))
    reader.start()
    with server:
        with closing(line):
            if ends:
                line.send(b"x" * octets)
            else:
                with pytest.raises(TimedOut):
                    line.send(b"x" * octets)
        reader.join()
    assert (sum(heard) == octets) is ends


def test_a_peer_that_takes_nothing_is_given_up():
    server, line = taking(0.001, wire_timeout_s=0.2)
    with server, closing(line), pytest.raises(TimedOut):
        line.send(b"x" * 5_000_000)


@pytest.mark.parametrize(("sent", "step_s", "ends"), [(10, 15, True), (10, 30, False), (1_000_000, 30, True)])
def test_the_answer_waits_for_what_lies_in_buffers(sent, step_s, ends):
    """What was sent has to get there before it is answered: 30 s for a megabyte."""
    server, line = taking(0.0)
    reader = threading.Thread(target=lambda: server.recv(sent, socket.MSG_WAITALL))
    reader.start()
    with server, closing(line):
        line.send(b"x" * sent)
        reader.join()
        server.sendall(b"+ OK\r\n")
        line._now_s = lambda: 0.0
        line.begin_turn(1_000)
        line._now_s = lambda: step_s
        if ends:
            assert line.readline() == b"+ OK\r\n"
        else:
            with pytest.raises(TimedOut):
                line.readline()
