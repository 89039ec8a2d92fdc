"""What a junk filter reads: messages, and its own field on top of them."""

from __future__ import annotations

from mailsite_ext.junk.explained import field_of, read_field
from mailsite_ext.junk.score import STRONGEST
from mailsite_ext.junk.words import LONGEST_WORD, MOST_WORDS, words_of

FIELDS = (b"0.997;\r\n\tclick%20here=0.98,\r\n\tfrom:a@x.org=0.02", b"0.5;", b"1.000; \xe7\x84\xa1=0.9")
FIELD_WORDS = (b";", b"=", b"%00", b",", b"0.", b"%ff")


def words(octets: bytes) -> None:
    """Words that any database stores, and so many of them."""
    found = words_of(octets)
    assert len(found) <= MOST_WORDS
    for word in found:
        assert 0 < len(word) <= LONGEST_WORD
        assert "\0" not in word
        word.encode()


def field(octets: bytes) -> None:
    """What is read of a field can be written again, in ASCII and in lines that begin as its lines do."""
    judged = read_field(octets.decode("utf-8", "replace"))
    if judged is not None:
        assert len(judged.strongest) <= STRONGEST
        written = field_of(judged)
        assert written.isascii()
        assert all(line.startswith("\t") for line in written.split("\r\n")[1:])
