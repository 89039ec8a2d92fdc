"""What people type into To, Cc and Bcc, read as addresses; pure.

Accepted as typed or pasted: `Ines <ines@example.org>, "Holt, Maren" <maren@…>; Choir: a@…, b@…;` with comments,
groups, line breaks and Unicode in names, local parts and domains (RFC 5322 §3.4, RFC 6531 §3.3).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import idna
from email_validator import EmailNotValidError, validate_email

MAX_TYPED = 65_536  # characters in one field
MAX_ADDRESSES = 1_000
MAX_NAME = 200  # characters
LONGEST_ADDRESS = 254  # octets, RFC 5321 §4.5.3.1.3 less the angle brackets
ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ .-]+")
QUOTED = r'"(?:[^"\\]|\\.)*+"'
ANGLED = re.compile(rf'(?P<name>(?:{QUOTED}|[^"<])*+)<(?P<address>(?:{QUOTED}|[^<>"])*+)>', re.DOTALL)
COMMENT = re.compile(r"\(([^()]*)\)\s*\Z")


class Fault(StrEnum):
    """Why something typed is no address; `words` in forms.py say it to people."""

    NO_AT = "no-at"
    NO_ENDING = "no-ending"  # a single label: no such name is public
    NOT_AN_ADDRESS = "not-an-address"
    TOO_LONG = "too-long"
    TOO_MANY = "too-many"


@dataclass(frozen=True, slots=True)
class Address:
    """A name, perhaps empty, and an address in its Unicode form: `ines@münchen.example`."""

    name: str
    address: str

    @property
    def key(self) -> str:
        """The same for two spellings of one mailbox, as nearly as a stranger can tell."""
        return self.address.casefold()

    @property
    def wire(self) -> str:
        """The address as it crosses the wire: the domain as A-labels, the local part as it is (RFC 6531 §3.2)."""
        local, _, domain = self.address.rpartition("@")
        return f"{_local_part(local)}@{ascii_domain(domain)}"

    @property
    def needs_smtputf8(self) -> bool:
        return not self.address.rpartition("@")[0].isascii()

    def __str__(self) -> str:
        return f"{quote_name(self.name)} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, slots=True)
class Bad:
    """Something typed that cannot be used, and why."""

    text: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Typed:
    """What a field holds: the addresses in order, each once, and what is none."""

    addresses: tuple[Address, ...] = ()
    bad: tuple[Bad, ...] = ()


def one_line(text: str) -> str:
    """`text` without controls, line ends and runs of space: nothing in it can begin a header line of its own."""
    return " ".join("".join(" " if _breaks(char) else char for char in text).split())


def _breaks(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs")


def parse_addresses(text: str, decode_name: Callable[[str], str] = one_line) -> Typed:
    """Read a field.  Nothing is dropped silently: what is not an address comes back in `bad`.

    `decode_name` reads the names of a received header, which may hold encoded words (RFC 2047).
    """
    if len(text) > MAX_TYPED:
        return Typed(bad=(Bad(text[:40] + "…", Fault.TOO_MANY),))
    found = [_read(item, decode_name) for item in split_list(text)]
    addresses = {address.key: address for address in reversed(found) if isinstance(address, Address)}
    bad = [item for item in found if isinstance(item, Bad)]
    if len(addresses) > MAX_ADDRESSES:
        bad.append(Bad(str(len(addresses)), Fault.TOO_MANY))
    return Typed(tuple(reversed(addresses.values())), tuple(bad))


def format_addresses(addresses: Iterable[Address]) -> str:
    """A field's text that `parse_addresses` reads back as it was."""
    return ", ".join(str(address) for address in addresses)


def quote_name(name: str) -> str:
    """`name` as a phrase: bare atoms, else a quoted string (RFC 5322 §3.2.4).  Unicode stays as it is."""
    if ATOMS.fullmatch("".join(char if char.isascii() else "a" for char in name)) and "." not in name:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def split_list(text: str) -> Iterator[str]:
    """The items between commas, semicolons and line ends that stand outside quotes, angles and comments.

    A group's name, `Choir:`, is dropped: its members are items like any other.
    """
    item: list[str] = []
    closers: list[str] = []
    escaped = has_at = False
    for char in text:
        if not closers and char in ",;\r\n":
            yield from _non_empty(item)
            item.clear()
            has_at = False
            continue
        if not closers and char == ":" and not has_at:
            item.clear()
            continue
        item.append(char)
        has_at = has_at or char == "@"
        if escaped:
            escaped = False
        elif char == "\\" and closers:
            escaped = True
        else:
            _nest(closers, char)
    yield from _non_empty(item)


CLOSER = {'"': '"', "<": ">", "(": ")"}
MAY_OPEN = {"": '"<(', ">": '"', ")": "(", '"': ""}  # inside what is closed by the key
MAX_NESTING = 20


def _nest(closers: list[str], char: str) -> None:
    """Keep the stack of what is open, by its closers; inside quotes only the closing quote means anything."""
    if closers and char == closers[-1]:
        closers.pop()
    elif char in MAY_OPEN[closers[-1] if closers else ""] and len(closers) < MAX_NESTING:
        closers.append(CLOSER[char])


def _non_empty(item: list[str]) -> Iterator[str]:
    text = "".join(item).strip()
    if text:
        yield text


def _read(item: str, decode_name: Callable[[str], str]) -> Address | Bad:
    name, address = _name_and_address(item)
    shown = one_line(item)[:100]
    if "@" not in address:
        return Bad(shown, Fault.NO_AT)
    if len(address.encode(errors="replace")) > LONGEST_ADDRESS:
        return Bad(shown, Fault.TOO_LONG)
    local, _, domain = address.rpartition("@")
    try:
        whole = f"{_local_part(local)}@{idna.decode(ascii_domain(domain))}"
    except ValueError:
        return Bad(shown, Fault.NOT_AN_ADDRESS)
    if "." not in domain:
        return Bad(shown, Fault.NO_ENDING)
    return Address(one_line(decode_name(name[: 10 * MAX_NAME]))[:MAX_NAME].strip(), whole)


def ascii_domain(domain: str) -> str:
    """The A-labels of a domain name (IDNA 2008, with the case and width mapping people expect; UTS 46).

    Raises ValueError for anything else, an address literal included.
    """
    return idna.encode(domain, uts46=True, std3_rules=True).decode()


def _local_part(local: str) -> str:
    """`local` in its normal form: NFC, quoted only where it must be.  Raises ValueError."""
    try:
        checked = validate_email(f"{local}@example.com", check_deliverability=False, allow_quoted_local=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return checked.local_part


def _name_and_address(item: str) -> tuple[str, str]:
    if match := ANGLED.fullmatch(item):
        return _unquote(match["name"]), match["address"].strip()
    if (match := COMMENT.search(item)) and not item.startswith('"'):
        return one_line(match[1]), item[: match.start()].strip()
    return "", item


def _unquote(phrase: str) -> str:
    phrase = phrase.strip()
    if len(phrase) >= 2 and phrase[0] == phrase[-1] == '"':
        phrase = re.sub(r"\\(.)", r"\1", phrase[1:-1], flags=re.DOTALL)
    return one_line(phrase)
