"""Who this machine is: an id per host name and one for the work directory, kept as files in the work directory.

Machines that share a work directory read the same id of it, and have each their own folder in it.
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import UUID, uuid4

from app.config import Config

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FAR = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))  # addresses of nobody; nothing is sent


@dataclass(frozen=True, slots=True)
class Here:
    """This machine; `folder` holds its locks and records."""

    name: str
    uuid: str
    work_uuid: str
    work_directory: Path
    folder: Path


def this_machine(config: Config) -> Here:
    """Who this machine is; the ids are drawn the first time."""
    name, work = socket.gethostname(), config.work_directory.absolute()
    folder = work / "machines" / file_name(name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Here(name, _kept_uuid(folder / "uuid"), _kept_uuid(work / "machines" / "work-directory.uuid"), work, folder)


def file_name(host: str) -> str:
    """A host name as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", host)[:100] or "_"


def _kept_uuid(path: Path) -> str:
    """The id in a file; whoever comes first draws it, and it appears whole."""
    if not path.exists():
        drawn = path.with_name(f"{path.name}.{uuid4().hex}")
        drawn.write_text(f"{uuid4()}\n")
        with suppress(FileExistsError):
            os.link(drawn, path)
        drawn.unlink()
    return str(UUID(path.read_text().strip()))


def boot_id() -> str:
    """Names the run of this system: after a restart it is another.  Empty where the system does not tell."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def own_addresses() -> list[str]:
    """The addresses from which this machine would speak to the world."""
    return [address for far, family in FAR if (address := _source_address(far, family))]


def _source_address(far: str, family: socket.AddressFamily) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            return str(probe.getsockname()[0])
    except OSError:  # no route, or no such protocol here
        return ""


def own_version() -> str:
    """The version of this installation; empty for a checkout that was not installed."""
    try:
        return version("satchel")
    except PackageNotFoundError:
        return ""
