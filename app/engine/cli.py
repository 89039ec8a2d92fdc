"""`flask engine run`: the mail engine as a process of its own."""

from __future__ import annotations

import os
import signal
import threading

import click
from flask import Flask
from flask.cli import AppGroup

from app import logs
from app.engine.engine import MailEngine
from app.runtime import runtime

engine_commands = AppGroup("engine", help="The mail engine.")


@engine_commands.command("run")
@click.option("--parent", type=int, help="End when the process with this number is not the parent, or no longer.")
def run_command(parent: int | None) -> None:
    """Sync mail, carry out what people do, and send, until SIGTERM or Ctrl-C."""
    parts = runtime()
    logs.set_up(parts.config)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())

    def goes_on() -> bool:
        return not ending.is_set() and parent in (None, os.getppid())

    MailEngine(parts).run(goes_on)


def init_app(app: Flask) -> None:
    app.cli.add_command(engine_commands)
