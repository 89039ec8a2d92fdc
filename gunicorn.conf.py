"""gunicorn reads this by itself: `gunicorn wsgi:app` in this folder is a working installation.

What differs between installations comes from the environment (docs/deploy.md); the rest is reasoned here.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import Any

from app.config import Config
from app.logs import logging_settings

_config = Config.from_env()

bind = _config.bind
workers = _config.web_workers

# Threads, because a page waits for SQL and sometimes for a body; each open page holds one for its event stream.
worker_class = "gthread"
threads = _config.web_threads

# A request of ours ends within 20 s (a body the engine fetches) or 15 s (an account being tested), and downloads
# stream; a worker silent for longer hangs.
timeout = 60
graceful_timeout = 15

# Browsers keep a connection for a while; a proxy in front keeps its own longer and must not see it closed first.
keepalive = 75

# Headers and request lines of ours are short.
limit_request_line = 4094
limit_request_fields = 60

# Every worker builds its own application: database connections and threads do not survive a fork.
preload_app = False

# Worker heartbeats are files written each second: not on a disk that may be slow.
worker_tmp_dir = "/dev/shm" if sys.platform == "linux" else None  # noqa: S108

# gunicorn's control socket would lie in the home directory, shared by every gunicorn of the user; nothing here uses it.
control_socket_disable = True

logconfig_dict = logging_settings(_config)
accesslog = None  # addresses hold nothing secret, but a proxy in front writes them already

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
STEADY_S = 60.0
ENDING_S = 20.0


class EngineKeeper:
    """Runs one `flask engine run` beside the web processes, and starts it again when it dies.

    The waits between starts grow to 30 s while it dies quickly.  The engine also ends by itself when its parent is
    gone, so a master killed with SIGKILL leaves nothing behind; several gunicorns on one database share accounts by
    leases, each with its own engine.
    """

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._engine: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="engine-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _keep(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._ending.is_set():
            command = [sys.executable, "-m", "flask", "--app", "wsgi", "engine", "run", "--until-parent-ends"]
            self._engine = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  words of our own
            started_s = time.monotonic()
            self._engine.wait()
            lived_s = time.monotonic() - started_s
            wait_s = FIRST_WAIT_S if lived_s >= STEADY_S else min(wait_s * 2, LONGEST_WAIT_S)
            self._ending.wait(wait_s)

    def stop(self) -> None:
        self._ending.set()
        engine = self._engine
        if engine is None or engine.poll() is not None:
            return
        engine.terminate()
        try:
            engine.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            engine.kill()


_keeper = EngineKeeper()


def when_ready(_server: Any) -> None:
    if _config.run_engine:
        _keeper.start()


def on_exit(_server: Any) -> None:
    _keeper.stop()
