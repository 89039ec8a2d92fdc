"""gunicorn reads this by itself: `gunicorn wsgi:app` in this folder is a working installation.

What differs between installations comes from the environment (docs/deploy.md); the rest is reasoned here.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from app.config import Config
from app.engine.keeper import keeper
from app.logs import logging_settings
from app.web.bells import watch_for_the_end

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

# No access log: one-time links stand in request lines, and a proxy in front keeps its own.
logconfig_dict = logging_settings(_config)
logconfig_dict["loggers"]["gunicorn.access"] = {"level": "CRITICAL", "propagate": False, "handlers": []}


def when_ready(_server: Any) -> None:
    """One mail engine per machine, beside the web processes (RUN_ENGINE=0: it runs elsewhere); once mail is hosted, the
    agent of this machine too."""
    if _config.run_engine:
        keeper.start()


def post_worker_init(worker: Any) -> None:
    """Told to end, a worker waits for its requests; event streams would last for as long as it lets them.

    What was loaded stays for good: left out of Python's search for cycles, which would stop all requests for 50 ms.
    """
    watch_for_the_end(lambda: not worker.alive)
    gc.collect()
    gc.freeze()


def on_reload(_server: Any) -> None:
    keeper.restart()


def on_exit(_server: Any) -> None:
    keeper.stop()
