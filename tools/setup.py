"""Make this checkout ready: the Python environment, the front-end files and, for tests, Debian packages.

Needs nothing but Python's own library: `make` runs it first, again and again; what is in place is not done twice.

    python3 tools/setup.py          what running needs
    python3 tools/setup.py tests    what the tests need as well
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST_PYTHON = (3, 11)

# Debian package → a program that shows it is there.
FOR_TESTS = {
    "dovecot-imapd": "/usr/lib/dovecot/imap",
    "dovecot-lmtpd": "/usr/lib/dovecot/lmtp",
    "dovecot-submissiond": "/usr/lib/dovecot/submission",
    "postgresql": "/usr/lib/postgresql",
    "chromium": "/usr/bin/chromium",
    "curl": "/usr/bin/curl",
    "swaks": "/usr/bin/swaks",
    "libnet-ssleay-perl": "/usr/share/doc/libnet-ssleay-perl",  # swaks with TLS
    "msmtp": "/usr/bin/msmtp",
    "isync": "/usr/bin/mbsync",
    "neomutt": "/usr/bin/neomutt",
    "pebble": "/usr/bin/pebble",
}


def main(wanted: Sequence[str]) -> None:
    """Set up what running needs, and with `tests` what the tests need."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            f"Satchel needs Python {'.'.join(map(str, OLDEST_PYTHON))} or newer; this is {sys.version.split()[0]}."
        )
    for_tests = "tests" in wanted
    make_environment()
    install_locked(HERE / "requirements" / ("dev.lock" if for_tests else "run.lock"))
    vendor_front_end(for_tests=for_tests)
    if for_tests:
        install_debian([package for package, sign in FOR_TESTS.items() if not Path(sign).exists()])


def make_environment() -> None:
    """A virtual environment with pip in it; Debian keeps ensurepip in a package of its own."""
    if (VENV / "bin" / "pip").exists():
        return
    if subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode:
        install_debian(["python3-venv"], required=True)
    say("Creating the Python environment in .venv")
    run(sys.executable, "-m", "venv", "--clear", VENV)


def install_locked(lock: Path) -> None:
    """Install exactly what the lock file names, each file checked against its hash; the tests' lock holds it all."""
    if stamp_of(HERE / "requirements" / "dev.lock").exists() or stamp_of(lock).exists():
        return
    say(f"Installing Python packages from {lock.relative_to(HERE)}")
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", lock)
    stamp_of(lock).touch()


def stamp_of(file: Path) -> Path:
    """The mark that `file`, with exactly its present content, has been installed."""
    return VENV / f"installed-{file.stem}-{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"


def vendor_front_end(*, for_tests: bool) -> None:
    """Lay the browser's files (the editor, the cleaner of what is pasted) into static/vendor, as npm brings them.

    The tests' packages (mail clients, the accessibility checker) come along only for them.
    """
    lock = HERE / "package-lock.json"
    whole = stamp_of(lock).with_name(f"{stamp_of(lock).name}-tests")
    stamp = whole if for_tests else stamp_of(lock)
    if (whole.exists() or stamp.exists()) and (HERE / "static" / "vendor").is_dir():
        return
    if not shutil.which("npm"):
        install_debian(["npm"], required=True)
    say("Fetching the browser's files into static/vendor")
    run(PYTHON, HERE / "tools" / "vendor.py", *(["tests"] if for_tests else []))
    stamp.touch()


def install_debian(packages: Sequence[str], *, required: bool = False) -> None:
    """Install Debian packages as root; otherwise say what to type, and go on unless they are `required`."""
    if not packages:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        words = f"Not installed: {' '.join(packages)}. As root: apt-get install {' '.join(packages)}"
        sys.exit(words) if required else say(words)
        return
    say(f"Installing Debian packages: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", env=environment)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=environment)


def run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    """Run a program; its failure ends the set-up with its own words."""
    done = subprocess.run([str(word) for word in command], cwd=HERE, env=env, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"This failed: {' '.join(map(str, command))}")


def say(words: str) -> None:
    print(f"· {words}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
