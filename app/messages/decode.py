"""From octets to text: encoded words, parameters, charsets and transfer encodings, as they come in real mail.

Pure, and nothing here raises for any input: what cannot be decoded stays readable with replacement characters.
"""

from __future__ import annotations

import binascii
import codecs
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import cchardet

MAX_HEADER_OCTETS = 65_536
MAX_LINE_OCTETS = 65_536
MAX_PARAMS = 100
MAX_PARAM_CHARS = 2_000
MAX_FILENAME_CHARS = 180
GUESSED_OCTETS = 65_536
"""How much of a text the charset is guessed from."""

# What mail says, and what browsers take it to mean (WHATWG Encoding §4.2): supersets that decode the same and more.
SUPERSETS = {
    "ascii": "ascii", "iso8859-1": "cp1252", "latin-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030",
    "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932", "big5": "big5hkscs", "tis-620": "cp874",
    "iso8859-11": "cp874",
}  # fmt: skip
ALIASES = {
    "ks_c_5601-1987": "cp949", "x-sjis": "cp932", "x-gbk": "gb18030", "x-unknown": "", "unknown-8bit": "",
    "iso-8859-8-i": "iso8859-8", "unicode": "utf-16", "windows-31j": "cp932", "cp-850": "cp850",
    "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "windows-874": "cp874",
}  # fmt: skip
# Codecs that are no charsets: they transform, look names up, or interpret escapes.
NOT_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})

ENCODED_WORD = re.compile(r"=\?([^\s?*]{1,60})(?:\*[^\s?]{0,30})?\?([bBqQ])\?([^?]{0,8000})\?=")  # RFC 2047 §2, lenient
ENCODED_WORDS = re.compile(f"(?:{ENCODED_WORD.pattern})+")
BETWEEN_WORDS = re.compile(r"(\?=)\s+(?==\?[^\s?]{1,90}\?[bBqQ]\?)")  # white space there is not shown (§6.2)
TRAILING_SPACE = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")  # RFC 2045 §6.7 rule 3
CONTINUED = re.compile(r"([^*]{1,60})\*(\d{1,3})(\*?)")  # RFC 2231 §3: name*0, name*1*
NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
UNSAFE_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


@lru_cache(256)
def codec_of(charset: str) -> str:
    """The name of Python's codec for a charset, its superset where browsers use one; empty if there is none."""
    name = ALIASES.get(charset.strip().strip("\"'").lower(), charset.strip().strip("\"'"))
    if not name or len(name) > 60 or not name.isascii() or "\0" in name:
        return ""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return ""
    if not codec._is_text_encoding or codec.name.replace("-", "_") in NOT_CHARSETS:
        return ""
    return SUPERSETS.get(codec.name, codec.name)


def text(octets: bytes, charset: str = "") -> str:
    """`octets` as text: the declared charset, strict UTF-8, a guess, Windows-1252; the first that fits wins."""
    for codec in (codec_of(charset), "utf-8"):
        decoded = _decode_strictly(octets, codec)
        if decoded is not None:
            return decoded
    guessed = codec_of(cchardet.detect(octets[:GUESSED_OCTETS])["encoding"] or "")
    decoded = _decode_strictly(octets, guessed)
    return octets.decode("cp1252", "replace") if decoded is None else decoded


def _decode_strictly(octets: bytes, codec: str) -> str | None:
    """None if `octets` are not in `codec`.  A text cut short (by a size limit) may end within a character."""
    if not codec:
        return None
    try:
        return octets.decode(codec)
    except UnicodeDecodeError as error:
        cut_short = codec == "utf-8" and error.reason == "unexpected end of data" and error.start > 3
        return octets[: error.start].decode(codec) if cut_short else None
    except UnicodeError:
        return None


def header(raw: bytes | str) -> str:
    """A header field's value for people: unfolded, encoded words decoded (RFC 2047), no control characters."""
    value = text(raw[:MAX_HEADER_OCTETS]) if isinstance(raw, bytes) else raw[:MAX_HEADER_OCTETS]
    unfolded = BETWEEN_WORDS.sub(r"\1", value.replace("\r\n", "").replace("\n", ""))
    return printable(ENCODED_WORDS.sub(_decode_words, unfolded)).strip()


def _decode_words(run: re.Match[str]) -> str:
    """Encoded words side by side; those of one charset are joined first, as a character may be cut in two."""
    words = [(word[1].lower(), _octets_of_word(word)) for word in ENCODED_WORD.finditer(run[0])]
    by_charset = itertools.groupby(words, key=lambda word: word[0])
    return "".join(text(b"".join(octets for _, octets in same), charset) for charset, same in by_charset)


def _octets_of_word(word: re.Match[str]) -> bytes:
    payload = word[3].encode("utf-8", "replace")
    return base64(payload) if word[2] in "bB" else binascii.a2b_qp(payload, header=True)


def printable(value: str) -> str:
    """`value` in one line: control characters and lone surrogates become spaces."""
    if value.isprintable():
        return value
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in value)


def token(value: str, longest: int = 80) -> str:
    """`value` without spaces, controls and anything not ASCII, cut to `longest` characters."""
    return "".join(char for char in value[:longest] if "!" <= char <= "~")


def params(raw: Mapping[str, str]) -> dict[str, str]:
    """Parameters of a field, decoded: continuations and charsets (RFC 2231), and encoded words, which many send."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in list(raw.items())[:MAX_PARAMS]:
        lowered, shortened = name.lower().strip(), value[:MAX_PARAM_CHARS]
        if match := CONTINUED.fullmatch(lowered):
            pieces.setdefault(match[1], {})[int(match[2])] = (shortened, bool(match[3]))
        elif lowered.endswith("*"):
            pieces.setdefault(lowered[:-1], {})[0] = (shortened, True)
        else:
            plain[token(lowered)] = header(shortened)
    return plain | {token(name): _joined(numbered) for name, numbered in pieces.items()}


def _joined(numbered: Mapping[int, tuple[str, bool]]) -> str:
    """The pieces of one parameter in order; the first may name the charset: utf-8'en'na%C3%AFve."""
    charset, octets = "", b""
    for position, number in enumerate(sorted(numbered)):
        piece, is_encoded = numbered[number]
        if is_encoded and position == 0 and piece.count("'") >= 2:
            charset, _, piece = piece.split("'", 2)
        octets += unquote_to_bytes(piece) if is_encoded else piece.encode("utf-8", "replace")
    return printable(text(octets, charset))[:MAX_PARAM_CHARS]


def split_params(value: str) -> tuple[str, dict[str, str]]:
    """A field such as Content-Type, split: its first word, and its parameters not yet decoded (RFC 2045 §5.1)."""
    first, *rest = _split_unquoted(value[: MAX_PARAMS * 400])
    found: dict[str, str] = {}
    for piece in rest:
        name, equals, content = piece.partition("=")
        if equals and len(found) < MAX_PARAMS:
            found.setdefault(name.strip().lower(), _unquoted(content.strip()))
    return first.strip(), found


def _split_unquoted(value: str) -> list[str]:
    """`value` cut at the semicolons outside quotes; a quote never closed is taken as a plain character."""
    pieces, start, position, quoted = [], 0, 0, False
    while position < len(value):
        char = value[position]
        if char == "\\" and quoted:
            position += 1
        elif char == '"':
            quoted = not quoted and value.find('"', position + 1) > 0
        elif char == ";" and not quoted:
            pieces.append(value[start:position])
            start = position + 1
        position += 1
    return [*pieces, value[start:]]


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    return value


def safe_filename(name: str) -> str:
    """A name that is only a name: no folders, no controls or text-direction marks, at most MAX_FILENAME_CHARS."""
    name = "".join(char for char in name if unicodedata.category(char) not in ("Cf", "Cs", "Cn", "Co"))
    name = UNSAFE_IN_NAMES.sub("_", name).strip(" .")
    stem, dot, ending = name.rpartition(".")
    if dot and len(ending) <= 20:
        return f"{stem[: MAX_FILENAME_CHARS - len(ending) - 1]}.{ending}"
    return name[:MAX_FILENAME_CHARS]


def transfer(octets: bytes, encoding: str) -> bytes:
    """`octets` without their Content-Transfer-Encoding; an unknown one counts as none (RFC 2045 §6)."""
    return b"".join(transfer_stream([octets], encoding))


def transfer_stream(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Like `transfer`, piece by piece, holding no more than a chunk and a line."""
    match encoding:
        case "base64":
            return _base64_stream(chunks)
        case "quoted-printable":
            return _line_stream(chunks, quoted_printable)
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return _line_stream(chunks, uuencoded)
        case _:
            return iter(chunks)


def _base64_stream(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Up to three digits wait for the next chunk, so that each piece ends with a whole group or with padding."""
    rest = b""
    for chunk in chunks:
        digits = rest + chunk.translate(None, NOT_BASE64)
        unpadded = len(digits) - (digits.rfind(b"=") + 1)
        cut = len(digits) - unpadded % 4
        yield base64(digits[:cut])
        rest = digits[cut:]
    yield base64(rest)


def _line_stream(chunks: Iterable[bytes], decoder: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """An unfinished line waits for the next chunk, unless it is longer than any real one."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        cut = rest.rfind(b"\n") + 1 or (_last_escape(rest) if len(rest) > MAX_LINE_OCTETS else 0)
        yield decoder(rest[:cut])
        rest = rest[cut:]
    yield decoder(rest)


def _last_escape(line: bytes) -> int:
    """Where a line without an end may be cut: before an escape (=C3) that is not whole yet, else at its end."""
    found = line.rfind(b"=", len(line) - 2)
    return found if found >= 0 else len(line)


def base64(octets: bytes) -> bytes:
    """Lenient base64: foreign characters are skipped, padding may be missing or stand in the middle."""
    digits = octets.translate(None, NOT_BASE64)
    if b"=" not in digits.rstrip(b"="):
        return _base64_block(digits.rstrip(b"="))
    return b"".join(_base64_block(block) for block in digits.split(b"=") if block)


def _base64_block(digits: bytes) -> bytes:
    """A run of base64 digits without padding; one digit too many says nothing and is dropped."""
    usable = digits[: len(digits) - (len(digits) % 4 == 1)]
    return binascii.a2b_base64(usable + b"=" * (-len(usable) % 4))


def quoted_printable(octets: bytes) -> bytes:
    return binascii.a2b_qp(TRAILING_SPACE.sub(b"", octets))


def uuencoded(octets: bytes) -> bytes:
    """The lines of a uuencoded file; its begin and end lines, and broken ones, are left out."""
    lines = (line for line in octets.splitlines() if not line.startswith((b"begin ", b"end")))
    return b"".join(map(_uu_line, lines))


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line[:200])
    except binascii.Error:  # trailing garbage: the first character tells how long the line should be
        length = ((line[0] - 32) & 63) * 4 // 3 + 4 if line else 0
        try:
            return binascii.a2b_uu(line[: 1 + length])
        except binascii.Error:
            return b""
