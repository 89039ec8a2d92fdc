"""`flask engine run`: the mail engine as a process of its own."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading

import click
from flask import Flask
from flask.cli import AppGroup

from app import logs
from app.engine.engine import MailEngine
from app.engine.times import EngineTimes
from app.machines.orders import StandingOrders
from app.runtime import runtime

COLLECTED_EVERY = 20_000
"""New objects between two looks for garbage: a batch of headers is some 10,000, and leaves no cycles behind."""

engine_commands = AppGroup("engine", help="The mail engine.")


@engine_commands.command("run")
@click.option("--parent", type=int, help="End when the process with this number is not the parent, or no longer.")
@click.option("--tell", type=int, help="A descriptor to write to once this installation hosts mail.")
def run_command(parent: int | None, tell: int | None) -> None:
    """Sync mail, carry out what people do, and send, until SIGTERM or Ctrl-C."""
    parts = runtime()
    logs.set_up(parts.config)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    orders = StandingOrders(parts)
    gc.freeze()  # what was imported stays: no use in looking through it again and again
    gc.set_threshold(COLLECTED_EVERY)

    def goes_on() -> bool:
        tell_once(tell, orders)
        return not ending.is_set() and parent in (None, os.getppid()) and not orders.wants_another()

    while goes_on():
        if orders.wants_work():
            MailEngine(parts).run(lambda: goes_on() and orders.wants_work())
        else:  # then no engine is seen: no row, no heartbeat, no account
            ending.wait(EngineTimes().tick_s)
    if orders.wants_another():
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606  as this process was started, with the code as it is now


def tell_once(descriptor: int | None, orders: StandingOrders) -> None:
    """Say on `descriptor` that mail is hosted here, as soon as it is."""
    if descriptor is not None and orders.hosts_mail and not orders.has_told:
        os.write(descriptor, b"1")
        orders.has_told = True


def init_app(app: Flask) -> None:
    app.cli.add_command(engine_commands)
