"""Real processes: the engine alone, or gunicorn with the engine it keeps; on an installation in a temporary folder.

with run_gunicorn(config, port) as web:      # web.url answers; web.engine_pids(db) are the engines beside it
with run_engine(config) as engine:           # engine.process
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from app.config import Config

ROOT = Path(__file__).parent.parent.parent
DEADLINE_S = 30.0


def environment(config: Config, **more: str) -> dict[str, str]:
    """The environment that makes a process belong to this installation."""
    return os.environ | {
        "WORK_DIRECTORY": str(config.work_directory),
        "DATABASE_URL": config.database_url,
        "PRIVATE_DATABASE_URL": config.private_database_url,
        "TLS_CA_FILE": config.tls_ca_file,
        "NAME_SERVER": config.name_server,
        "LOG_LEVEL": "info",
        "EXTENSIONS": "",
        **more,
    }


def wait_for(condition: Callable[[], object], what: str, log: Path | None = None) -> None:
    """Until `condition` holds; the test fails, with the process's last words, if it does not."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-4_000:] if log else ""
            raise AssertionError(f"waited in vain for {what}\n{said}")
        time.sleep(0.05)


@contextmanager
def run_process(command: list[str], config: Config, log: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this installation, ended by SIGTERM; what it says goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(config, **environ), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def run_engine(config: Config) -> Iterator[subprocess.Popen[bytes]]:
    """`flask engine run` by itself."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "engine", "run"]
    with run_process(command, config, config.work_directory / "engine.log") as process:
        yield process


@contextmanager
def run_gunicorn(config: Config, port: int, *, workers: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """`gunicorn wsgi:app`, as make run starts it; yields when it answers."""
    log = config.work_directory / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", "wsgi:app"]
    settings = {"BIND": f"127.0.0.1:{port}", "WEB_WORKERS": str(workers), "WEB_THREADS": "8"}
    with run_process(command, config, log, **settings) as process:
        wait_for(lambda: answers(port), "gunicorn", log)
        yield process


def answers(port: int) -> bool:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with closing(link), suppress(OSError, http.client.HTTPException):
        link.request("GET", "/healthz")
        return link.getresponse().status < 500
    return False


def is_running(pid: int) -> bool:
    """Whether a process lives; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
