"""Small services for the agent to run, and an extension that brings them: EXTENSIONS=tests.webmail.machines.dummies.

They write into the pipe as app.machines.child does, without importing the whole application.
"""

from __future__ import annotations

import sys

from app.extension_api import Host, ServiceKind

BEGIN = """
import json, os, signal, sys, time
def tell(**words): os.write(int(os.environ["SATCHEL_STATUS_FD"]), json.dumps(words).encode() + b"\\n")
"""
STEADY = 'tell(ready=["127.0.0.1:2525"])\nprint("I listen", flush=True)\nsignal.pause()\n'
CRASHING = 'print("Traceback of sorts", flush=True)\nsys.exit("the socket is on fire")\n'
SPEAKING = 'tell(error="Port 25 is taken by another program.")\nsys.exit(1)\n'
GRACEFUL = """
def finish(*_):
    time.sleep(0.3)
    print("transaction finished", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, finish)
tell(ready=[])
while True: signal.pause()
"""
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntell(ready=[])\nwhile True: signal.pause()\n"
CHATTY = 'tell(ready=[])\nwhile True:\n    print("x" * 1000, flush=True)\n    time.sleep(0.001)\n'


def kind(name: str = "dummy", script: str = STEADY, **more) -> ServiceKind:
    """A hosting service made of a script."""
    words = {"title": name.title, "runs": lambda switches: switches.hosting, **more}
    return ServiceKind(name=name, command=(sys.executable, "-c", BEGIN + script), **words)


def register(host: Host) -> None:
    host.add_service(kind("dummy"))
    host.add_service(kind("graceful", GRACEFUL))
