"""Zones of the test suites as a Resolver: CNAMEs are followed, what times out is silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from app.resolver import Answer, Outcome
from tests.conftest import CORPORA


def corpus(path: str) -> str:
    """A file of the corpora; skips, naming it, where they are absent."""
    file = CORPORA / path
    if not file.exists():
        pytest.skip(f"corpora/{path} is not here")
    return file.read_text("utf-8")


class SuiteZone:
    """The zonedata of the RFC 7208 suite: SPF stands for TXT unless there is TXT, and "NONE" for nothing at all."""

    def __init__(self, zone: Mapping[str, Sequence[Any]]) -> None:
        self.zone = {name.lower(): list(entries) for name, entries in zone.items()}
        self.asked: list[tuple[str, str]] = []

    def lookup(self, name: str, record_type: str, *, timeout_s: float = 5.0) -> Answer:
        self.asked.append((name, record_type))
        return self._answer(name.lower(), record_type, hops=0)

    def _answer(self, name: str, record_type: str, hops: int) -> Answer:
        if name not in self.zone:
            return Answer(Outcome.NO_NAME)
        entries = self.zone[name]
        records = [text(value) for kind, value in self._pairs(entries, record_type) if kind == record_type]
        if records and "TIMEOUT" not in records:
            return Answer(Outcome.FOUND, records)
        aliases = [value for kind, value in self._pairs(entries, "CNAME") if kind == "CNAME"]
        if "TIMEOUT" in entries or records or hops > 8:
            return Answer(Outcome.NO_ANSWER)
        if aliases:
            return self._answer(aliases[0].rstrip(".").lower(), record_type, hops + 1)
        return Answer(Outcome.NO_RECORD)

    def _pairs(self, entries: Sequence[Any], record_type: str) -> list[tuple[str, Any]]:
        pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
        if record_type == "TXT" and not any(kind == "TXT" for kind, _ in pairs):
            pairs = [("TXT" if kind == "SPF" else kind, value) for kind, value in pairs]
        return [(kind, value) for kind, value in pairs if value != "NONE"]


def text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(part) for part in value) if value and isinstance(value[0], int) else "".join(value)
    return str(value)
