"""vCards read (2.1, 3.0, 4.0) and written (4.0 and 3.0): what an address book needs of them, names and addresses.

Everything is bounded: what is longer or more than the limits is left out and counted, never refused as a whole.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MAX_OCTETS = 4_194_304
MAX_CARDS = 20_000
MAX_LINE_CHARS = 10_000  # unfolded; photographs are longer, and not read
MAX_ADDRESSES = 20  # a card
MAX_NAME_CHARS = 200
MAX_ADDRESS_CHARS = 254  # RFC 5321 §4.5.3.1.3, less the brackets

ESCAPED = re.compile(r"\\(.)")
CONTROLS = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+")
FOLDED_OCTETS = 75


@dataclass(frozen=True)
class Card:
    """Somebody: a name, which may be empty, and one address or more, the preferred first."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A content line (RFC 6350 §3.3) without its group: name and parameters in upper case."""

    name: str
    parameters: tuple[str, ...]
    value: str


def read_cards(data: bytes) -> tuple[list[Card], int]:
    """The cards of a file that have an address, and how many cards were left out."""
    cards: list[Card] = []
    left_out = 0
    for lines in _cards_of(_lines(decode(data[:MAX_OCTETS]))):
        card = _card(lines) if len(cards) < MAX_CARDS else None
        left_out += card is None
        cards += [card] if card else []
    return cards, left_out


def decode(data: bytes) -> str:
    """UTF-8 as RFC 6350 §3.1 wants it, UTF-16 where a mark says so, else what older programs wrote."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("windows-1252", "replace")


def _lines(text: str) -> Iterator[Line]:
    for raw in _unfolded(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
        head, colon, value = _split_head(raw)
        if colon:
            name, *parameters = head.upper().split(";")
            yield Line(name.rpartition(".")[2].strip(), tuple(parameters), value)


def _unfolded(lines: Iterable[str]) -> Iterator[str]:
    """Lines made whole: folded ones (RFC 6350 §3.2), and soft line ends of quoted-printable (vCard 2.1)."""
    whole: list[str] = []
    chars = 0
    is_soft = False
    for line in lines:
        goes_on = bool(whole) and (is_soft or line[:1] in (" ", "\t"))
        if not goes_on:
            yield "".join(whole)
            whole, chars = [], 0
        piece = line[1:] if goes_on and not is_soft else line
        is_soft = piece.endswith("=") and (is_soft or "QUOTED-PRINTABLE" in piece[:200].upper())
        chars += len(piece)
        if chars <= MAX_LINE_CHARS:
            whole.append(piece[:-1] + "=\n" if is_soft else piece)
    yield "".join(whole)


def _split_head(raw: str) -> tuple[str, str, str]:
    """A line at its first colon outside double quotes (RFC 6350 §3.3)."""
    is_quoted = False
    for position, char in enumerate(raw[:MAX_LINE_CHARS]):
        is_quoted ^= char == '"'
        if char == ":" and not is_quoted:
            return raw[:position], ":", raw[position + 1 :]
    return raw, "", ""


def _cards_of(lines: Iterable[Line]) -> Iterator[list[Line]]:
    card: list[Line] | None = None
    for line in lines:
        mark = (line.name, line.value.strip().upper())
        if mark == ("BEGIN", "VCARD"):
            card = []
        elif mark == ("END", "VCARD") and card is not None:
            yield card
            card = None
        elif card is not None and line.name in ("FN", "N", "EMAIL", "ORG"):
            card.append(line)


def _card(lines: Sequence[Line]) -> Card | None:
    mails = [line for line in lines if line.name == "EMAIL"]
    mails.sort(key=_is_preferred, reverse=True)
    found = dict.fromkeys(filter(None, (_address(_text(line)) for line in mails)))
    addresses = tuple(found)[:MAX_ADDRESSES]
    return Card(_name(lines), addresses) if addresses else None


def _is_preferred(line: Line) -> bool:
    """PREF=1 (RFC 6350 §5.3), TYPE=PREF (RFC 2426 §3.3.2) or PREF alone (2.1)."""
    return any(parameter in ("PREF", "PREF=1") or "PREF" in _types(parameter) for parameter in line.parameters)


def _types(parameter: str) -> list[str]:
    name, _, values = parameter.partition("=")
    return values.strip('"').split(",") if name == "TYPE" else []


def _address(value: str) -> str:
    """An address that may be written to, or nothing; what is no address at all is not kept."""
    address = value.strip().removeprefix("mailto:")
    local, at, domain = address.rpartition("@")
    is_whole = bool(local and at and domain) and len(address) <= MAX_ADDRESS_CHARS
    return "" if not is_whole or re.search(r"[\s<>,;:\x00-\x1f\x7f]", address) else address


def _name(lines: Sequence[Line]) -> str:
    """FN, which every card shall have (RFC 6350 §6.2.1); else what N has, given name first; else ORG."""
    texts: dict[str, str] = {}
    for line in lines:
        texts.setdefault(line.name, _given_first(line) if line.name == "N" else _text(line))
    return next(filter(None, (clean_name(texts.get(name, "")) for name in ("FN", "N", "ORG"))), "")


def _given_first(line: Line) -> str:
    """Family;Given;Additional;Prefixes;Suffixes (RFC 6350 §6.2.2) in the order they are said."""
    pieces = [_unescaped(piece) for piece in re.split(r"(?<!\\);", _octets_read(line))] + [""] * 5
    family, given, additional, prefix, suffix = pieces[:5]
    return " ".join(filter(None, (prefix, given, additional, family, suffix)))


def clean_name(text: str) -> str:
    """A name on one line, without marks that turn other text round."""
    return " ".join(CONTROLS.sub(" ", text).split())[:MAX_NAME_CHARS]


def _text(line: Line) -> str:
    return _unescaped(_octets_read(line))


def _unescaped(value: str) -> str:
    return ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)  # RFC 6350 §3.4


def _octets_read(line: Line) -> str:
    if not any("QUOTED-PRINTABLE" in parameter for parameter in line.parameters):
        return line.value
    return decode(quopri.decodestring(line.value.encode("latin-1", "replace")))


def write_cards(cards: Iterable[Card], version: str = "4.0") -> str:
    """A file of cards, lines folded at 75 octets and ended by CRLF (RFC 6350 §3.2)."""
    return "".join(f"{folded(line)}\r\n" for card in cards for line in _written(card, version))


def _written(card: Card, version: str) -> Iterator[str]:
    name = escaped(card.name or card.addresses[0])
    yield from ("BEGIN:VCARD", f"VERSION:{version}", f"FN:{name}")
    if version == "3.0":
        yield f"N:{name};;;;"  # RFC 2426 §3.1.2 demands it
    yield from (f"EMAIL:{escaped(address)}" for address in card.addresses)
    yield "END:VCARD"


def escaped(value: str) -> str:
    return re.sub(r"([\\,;])", r"\\\1", value).replace("\n", "\\n")  # RFC 6350 §3.4


def folded(line: str) -> str:
    """A line in pieces of at most 75 octets, no character torn apart."""
    pieces, octets = [""], 0
    for char in line:
        width = len(char.encode("utf-8", "replace"))
        if octets + width > FOLDED_OCTETS:
            pieces, octets = [*pieces, ""], 1  # the space that begins the next
        pieces[-1] += char
        octets += width
    return "\r\n ".join(pieces)
