"""A domain's signing keys and where each is in its life: coming → signing → aging → retired.  Pure.

A key is in DNS before it signs, and stays there until what it signed has been delivered: nothing that left is ever
without its key (RFC 6376 §3.6.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any

from mailsite_ext.errors import KeyAlreadyComing, NoSuchSigningKey, SigningKeyInUse

AGES = timedelta(days=14)
"""Retries go on for five days; others hold mail before they verify it, or forward it later."""


class KeyState(StrEnum):
    COMING = "coming"  # to be published, not yet used
    SIGNING = "signing"
    AGING = "aging"  # signs no more, and is still published
    RETIRED = "retired"  # no key any more: its record may go


@dataclass(frozen=True, slots=True)
class KeyEntry:
    selector: str  # never given twice
    state: KeyState
    public: str  # p= of its record
    made_at: datetime
    since: datetime  # it is in this state


Keys = Sequence[KeyEntry]


def find_signing(keys: Keys) -> KeyEntry | None:
    return next((key for key in keys if key.state is KeyState.SIGNING), None)


def find_coming(keys: Keys) -> KeyEntry | None:
    return next((key for key in keys if key.state is KeyState.COMING), None)


def new_selector(keys: Keys, now: datetime) -> str:
    """s20261124, then s20261124-2 and so on: what a resolver still remembers of a selector stays true."""
    day = f"s{now:%Y%m%d}"
    taken = {key.selector for key in keys}
    return next(name for n in count(1) if (name := day if n == 1 else f"{day}-{n}") not in taken)


def with_new(keys: Keys, selector: str, public: str, now: datetime) -> Keys:
    """One more: the first signs at once, for nobody misses what was never signed; others wait for their record.

    Raises KeyAlreadyComing.
    """
    if find_coming(keys):
        raise KeyAlreadyComing
    state = KeyState.COMING if find_signing(keys) else KeyState.SIGNING
    return [*keys, KeyEntry(selector, state, public, now, now)]


def switched(keys: Keys, now: datetime) -> Keys:
    """The coming key signs, the one that did ages.  Raises NoSuchSigningKey where none is coming."""
    if not find_coming(keys):
        raise NoSuchSigningKey
    after = {KeyState.COMING: KeyState.SIGNING, KeyState.SIGNING: KeyState.AGING}
    return [replace(key, state=after[key.state], since=now) if key.state in after else key for key in keys]


def retired(keys: Keys, selector: str, now: datetime) -> Keys:
    """Raises NoSuchSigningKey; SigningKeyInUse for the one that signs: switch to another first."""
    key = next((key for key in keys if key.selector == selector and key.state is not KeyState.RETIRED), None)
    if key is None:
        raise NoSuchSigningKey
    if key.state is KeyState.SIGNING:
        raise SigningKeyInUse
    return [replace(one, state=KeyState.RETIRED, since=now) if one is key else one for one in keys]


def old_selectors(keys: Keys, now: datetime) -> Sequence[str]:
    """Keys that have aged long enough to retire."""
    return [key.selector for key in keys if key.state is KeyState.AGING and key.since + AGES <= now]


def record_of(key: KeyEntry) -> str:
    """The TXT record at <selector>._domainkey.<domain> (RFC 6376 §3.6.1, D2)."""
    return f"v=DKIM1; k=rsa; p={key.public}"


def to_rows(keys: Keys) -> list[dict[str, str]]:
    """For JSON."""
    return [{name: _text(value) for name, value in asdict(key).items()} for key in keys]


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def from_rows(rows: Sequence[Mapping[str, str]]) -> Keys:
    """Raises KeyError, ValueError where they are not what `to_rows` gives."""
    return [
        KeyEntry(
            row["selector"],
            KeyState(row["state"]),
            row["public"],
            datetime.fromisoformat(row["made_at"]),
            datetime.fromisoformat(row["since"]),
        )
        for row in rows
    ]
