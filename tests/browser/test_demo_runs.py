"""`python -m demo` as a stranger starts it: a living mailbox within a minute, Ctrl-C, and again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from demo import dovecot
from demo.__main__ import PERSON
from tests.browser.walk import FIRST_MAIL_MS, Person, sign_in
from tests.servers.engine import ROOT, answers, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.servers, pytest.mark.timeout(110)]

LIVING_WITHIN_S = 60.0
SMALL = {"WEB_WORKERS": "1"}  # where the demo itself is not the point


@dataclass(frozen=True)
class Demo:
    """A demo that runs; `pid` leads the process group that a terminal would interrupt."""

    work: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        return (self.work / "said").read_text(errors="replace")

    def interrupt(self) -> int:
        """Ctrl-C; what it ended with."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def work() -> Iterator[Path]:
    """A folder that Dovecot can serve: its name is short, for sockets lie below it, and everybody may pass."""
    with tempfile.TemporaryDirectory(prefix="satchel-demo-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(params=["Dovecot", "the sample server"])
def search_path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """PATH, with Dovecot or without anything."""
    if request.param == "the sample server":
        return str(tmp_path)
    if shutil.which("dovecot") is None:
        pytest.skip("Dovecot is not installed: the demo was tried with its sample server only")
    return os.environ["PATH"]


@contextmanager
def run_demo(work: Path, port: int, search_path: str, **settings: str) -> Iterator[Demo]:
    """Start it as from a terminal of its own; whatever is left of it in the end is killed."""
    work.mkdir(exist_ok=True)
    own = {"WORK_DIRECTORY": str(work), "BIND": f"127.0.0.1:{port}", "PATH": search_path, **settings}
    environment = {**os.environ, **own}
    with (work / "said").open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=hear_interrupts,
        )
    try:
        yield Demo(work, port, process)
    finally:
        for pid in left_of(work):
            os.kill(pid, signal.SIGKILL)
        process.wait(10)


def hear_interrupts() -> None:
    """As a terminal's programs do, also where this run was started in the background, which ignores them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def left_of(work: Path) -> list[int]:
    """Processes that were told of this work directory: in their environment or on their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            is_dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if str(work).encode() + b"\0" in told or str(work).encode() + b"/" in told:
            found += [] if is_dead else [int(folder.name)]
    return found


def wait_until_up(demo: Demo) -> None:
    wait_for(lambda: demo.process.poll() is not None or answers(demo.port), "the demo", demo.work / "said")
    assert demo.process.poll() is None, demo.said


@pytest.fixture
def look(make_context: Callable[..., BrowserContext]) -> Callable[[Demo], None]:
    """Sign in as the demo's person, and see mail."""

    def look(demo: Demo) -> None:
        page = make_context().new_page()
        sign_in(page, demo.url, Person(PERSON.email, PERSON.password))
        expect(page.locator(".row").nth(40)).to_be_attached(timeout=FIRST_MAIL_MS)
        wait_for(lambda: opens_first(page), "an open message", demo.work / "said")

    return look


def opens_first(page: Page) -> bool:
    """Click the first row; a mailbox that was made anew, as the sample server's is, may replace it in that moment."""
    page.locator(".row .row-link").first.click()
    try:
        expect(page.locator("#message .message-body, #message iframe").first).to_be_visible(timeout=5_000)
    except AssertionError:
        return False
    return True


def test_a_stranger_sees_a_living_mailbox_and_may_stop_and_start_it(
    work: Path, search_path: str, free_port: Callable[[], int], look: Callable[[Demo], None]
) -> None:
    port, began = free_port(), time.monotonic()
    with run_demo(work, port, search_path) as demo:
        wait_until_up(demo)
        look(demo)
        took_s = time.monotonic() - began
        print(f"the demo showed mail after {took_s:.1f} s")
        assert took_s < LIVING_WITHIN_S
        assert PERSON.password in demo.said
        assert demo.interrupt() == 0
        wait_for(lambda: left_of(work) == [], "its processes to end")
    with run_demo(work, port, search_path) as again:
        wait_until_up(again)
        look(again)
        assert again.interrupt() == 0
        wait_for(lambda: left_of(work) == [], "its processes to end")
        assert "Traceback" not in again.said
        assert "SIGKILL" not in again.said  # the page is still open; nothing waits for it


def test_two_at_the_same_time(
    work: Path, search_path: str, free_port: Callable[[], int], look: Callable[[Demo], None]
) -> None:
    with ExitStack() as stack:
        demos = [stack.enter_context(run_demo(work / name, free_port(), search_path, **SMALL)) for name in "ab"]
        for demo in demos:
            wait_until_up(demo)
        for demo in demos:
            look(demo)
        assert demos[0].interrupt() == 0
        look(demos[1])


def test_the_same_one_twice_says_so_and_leaves_the_first_alone(
    work: Path, search_path: str, free_port: Callable[[], int], look: Callable[[Demo], None]
) -> None:
    with run_demo(work, free_port(), search_path, **SMALL) as first:
        wait_until_up(first)
        second = start_once_more(work, first.port, search_path)
        assert (second.returncode, "already" in second.stderr) == (1, True), second.stderr
        look(first)


def test_a_port_that_is_taken_is_named(work: Path, search_path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = start_once_more(work, taken.getsockname()[1], search_path)
        assert (done.returncode, "BIND" in done.stderr) == (1, True), done.stderr
        assert "Traceback" not in done.stderr


def start_once_more(work: Path, port: int, search_path: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to end by itself."""
    environment = {**os.environ, "WORK_DIRECTORY": str(work), "BIND": f"127.0.0.1:{port}", "PATH": search_path}
    command = [sys.executable, "-m", "demo"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_where_dovecot_cannot_serve_it_says_why(tmp_path: Path) -> None:
    if shutil.which("dovecot") is None:
        pytest.skip("Dovecot is not installed")
    with pytest.raises(dovecot.NotUsable, match="too long"):
        dovecot.require_usable(tmp_path / ("x" * 80) / "dovecot")
