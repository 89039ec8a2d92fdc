"""`flask machine run`: the agent of this machine as a process of its own."""

from __future__ import annotations

import os
import signal
import threading

import click
from flask import Flask
from flask.cli import AppGroup

from app import logs
from app.extensions import registry
from app.machines.agent import Agent, AgentRunsAlready
from app.machines.identity import own_addresses, this_machine
from app.runtime import runtime

machine_commands = AppGroup("machine", help="What runs on this machine.")


@machine_commands.command("run")
@click.option("--parent", type=int, help="End when the process with this number is not the parent, or no longer.")
def run_command(parent: int | None) -> None:
    """Start and stop services as Manage Machines says, until SIGTERM or Ctrl-C; they end with it."""
    parts = runtime()
    logs.set_up(parts.config)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())

    def goes_on() -> bool:
        return not ending.is_set() and parent in (None, os.getppid())

    try:
        here = this_machine(parts.config)
        Agent(parts, registry().services, here, own_addresses=own_addresses).run(goes_on)
    except AgentRunsAlready as error:
        raise click.ClickException(f"Another agent runs on this machine: {error.detail}.") from None


def init_app(app: Flask) -> None:
    app.cli.add_command(machine_commands)
