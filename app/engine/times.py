"""How often the engine does what; one value, so that tests can be quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EngineTimes:
    """All in seconds."""

    tick_s: float = 1.0  # longest wait between two looks at what is due
    heartbeat_s: float = 5.0  # heartbeat, leases, and work whose bell was lost
    dead_after_s: float = 20.0  # an engine silent for this long has lost its accounts
    sweep_s: float = 60.0  # orphans and old requests
    inbox_poll_s: float = 60.0  # INBOX, where the server has no IDLE
    idle_renew_s: float = 540.0  # RFC 2177 allows 29 minutes; Gmail and many routers forget a silent line after 10
    tree_s: float = 150.0  # STATUS of every folder
    keep_warm_s: float = 240.0  # NOOP on the interactive session (RFC 9051 §5.4: servers may log out after 30 minutes)
    close_bulk_s: float = 60.0  # a bulk session with nothing to do is closed
    request_kept_s: float = 600.0  # a body request nobody waits for any more
    bulk_gap_s: float = 0.02  # SQLite: between two bulk commits, so that the web's writes get their turn
