"""How many files a listener may have open: each connection is one, and brings others."""

from __future__ import annotations

import logging
import resource
from dataclasses import replace

from mailsite_ext.limits import Limits

log = logging.getLogger(__name__)

FILES_PER_CONNECTION = 4  # its socket, a spooled message, files of the storage it reads
OTHER_FILES = 512  # the database, logs, indexes of text, what threads have open


def files_needed(limits: Limits) -> int:
    """Open files of a process with as many connections as there may be."""
    return limits.connections * FILES_PER_CONNECTION + OTHER_FILES


def soft_limit(needed: int, soft: int, hard: int) -> int:
    """The limit to ask for: never lower than `soft`, never higher than `hard`; both may be RLIM_INFINITY."""
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return soft
    return needed if hard == resource.RLIM_INFINITY else min(needed, hard)


def fitting(limits: Limits, files: int) -> Limits:
    """With as many connections as that many open files allow, and never more than they were; one at the least."""
    if files == resource.RLIM_INFINITY or files >= files_needed(limits):
        return limits
    return replace(limits, connections=max(1, (files - OTHER_FILES) // FILES_PER_CONNECTION))


def limits_here(limits: Limits) -> Limits:
    """What this process can keep of `limits`: its soft limit of open files is raised as far as it has to be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = soft_limit(files_needed(limits), soft, hard)
    if wanted != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return fitting(limits, wanted)


def find_shortage(limits: Limits) -> str:
    """What a process that is started as this one was cannot keep of `limits`, and what to do; empty: it keeps all."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    found = fitting(limits, hard)
    if found == limits:
        return ""
    return (
        f"{hard} files may be open, so there is room for {found.connections} connections instead of"
        f" {limits.connections}. Raise LimitNOFILE of the service (ulimit -Hn) to {files_needed(limits)}."
    )
