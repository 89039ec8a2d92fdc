"""Which names lead here, as DNS says: an authority would fetch its challenge from nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from app.extension_api import Resolver

AT_ONCE = 12
ONE_ANSWER_S = 4.0


def leading_here(resolver: Resolver, host: str, names: Sequence[str]) -> Sequence[str]:
    """Those of `names` that have an address of `host`, the web pages' own."""
    with ThreadPoolExecutor(AT_ONCE, "names") as threads:
        wanted = list(dict.fromkeys([host, *names]))
        found = dict(zip(wanted, threads.map(lambda name: _addresses(resolver, name), wanted), strict=True))
    return [name for name in names if found[name] & found[host]]


def _addresses(resolver: Resolver, name: str) -> set[str]:
    answers = [resolver.lookup(name, kind, timeout_s=ONE_ANSWER_S) for kind in ("A", "AAAA")]
    return {text for answer in answers for text in answer.records}
