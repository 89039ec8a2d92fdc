"""The Sender Rewriting Scheme: a forwarded message leaves with an address of ours as its sender, so that SPF holds, and
its bounces find their way back.  Pure.

SRS0=<hash>=<day>=<domain>=<local part>@ours       the sender's own address
SRS1=<hash>=<domain>=<the rest of SRS0>@ours       an address that another forwarder rewrote: bounces go to that one

The hash proves that we made the address: nobody else can have mail carried through us.  It is taken over the text in
lower case, since some servers fold local parts.
"""

from __future__ import annotations

import base64
import hmac
import re
from datetime import datetime, timedelta

from mailsite_ext.errors import AddressTooLong, NoSuchMailbox
from mailsite_ext.protocol.smtp_address import LONGEST_PATH_OCTETS, Address, canonical_domain, parse_address

VALID_FOR = timedelta(days=14)  # others try for five days, and tell then
HASH_LETTERS = 8  # 40 bits: guessing takes longer than an address lives
DAYS = 1_024  # two letters of 5 bits
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_FLAGS = re.ASCII | re.IGNORECASE | re.DOTALL
_SRS0 = re.compile(rf"SRS0[=+-]([a-z2-7]{{{HASH_LETTERS}}})=([a-z2-7]{{2}})=([^=]+)=(.+)", _FLAGS)
_SRS1 = re.compile(rf"SRS1[=+-]([a-z2-7]{{{HASH_LETTERS}}})=([^=]+)=([=+-].+)", _FLAGS)
_FOREIGN_0 = re.compile(r"SRS0([=+-].+)", _FLAGS)
_FOREIGN_1 = re.compile(r"SRS1[=+-][^=]+=([^=]+)=([=+-].+)", _FLAGS)


def is_rewritten(local: str) -> bool:
    """Does it look like an address of this scheme, ours or forged?"""
    return local[:5].lower() in ("srs0=", "srs0+", "srs0-", "srs1=", "srs1+", "srs1-")


def rewrite(sender: Address, domain: str, key: bytes, now: datetime) -> Address:
    """The sender a message is forwarded with, at our `domain`.  Raises AddressTooLong."""
    made = Address(_local(sender, key, now), domain)
    if len(str(made).encode()) > LONGEST_PATH_OCTETS:
        raise AddressTooLong
    return made


def _local(sender: Address, key: bytes, now: datetime) -> str:
    if found := _FOREIGN_1.fullmatch(sender.local):
        return _srs1(found[1], found[2], key)
    if found := _FOREIGN_0.fullmatch(sender.local):
        return _srs1(sender.domain, found[1], key)
    rest = f"{_day(now)}={sender.domain}={sender.local}"
    return f"SRS0={_hash(rest, key)}={rest}"


def _srs1(domain: str, rest: str, key: bytes) -> str:
    text = f"{domain}={rest}"
    return f"SRS1={_hash(text, key)}={text}"


def reverse(local: str, key: bytes, now: datetime) -> Address:
    """Where mail to a rewritten address goes.  Raises NoSuchMailbox: forged, expired, or no such address at all."""
    if found := _SRS0.fullmatch(local):
        hashed, day, domain, original = found.groups()
        _require(_is_hash_of(hashed, f"{day}={domain}={original}", key) and _is_fresh(day, now))
        return _address(original, domain)
    if found := _SRS1.fullmatch(local):
        hashed, domain, rest = found.groups()
        _require(_is_hash_of(hashed, f"{domain}={rest}", key))
        return _address(f"SRS0{rest}", domain)
    raise NoSuchMailbox


def _address(local: str, domain: str) -> Address:
    return parse_address(str(Address(local, canonical_domain(domain))), utf8=True)


def _require(holds: bool) -> None:
    if not holds:
        raise NoSuchMailbox


def _hash(text: str, key: bytes) -> str:
    return base64.b32encode(hmac.digest(key, text.lower().encode(), "sha256")).decode()[:HASH_LETTERS].lower()


def _is_hash_of(hashed: str, text: str, key: bytes) -> bool:
    return hmac.compare_digest(hashed.lower().encode(), _hash(text, key).encode())


def _day(now: datetime) -> str:
    day = int(now.timestamp()) // 86_400 % DAYS
    return _LETTERS[day // 32] + _LETTERS[day % 32]


def _is_fresh(day: str, now: datetime) -> bool:
    """Days go round after 1,024: an address older than that is taken for a fresh one, but its hash is still ours."""
    made = _LETTERS.index(day[0].lower()) * 32 + _LETTERS.index(day[1].lower())
    age = (int(now.timestamp()) // 86_400 - made) % DAYS
    return age <= VALID_FOR.days
