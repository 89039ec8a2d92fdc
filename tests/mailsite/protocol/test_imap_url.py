"""URLs of messages (RFC 5092 §6, §7, §11; RFC 4469 §3): what they name, and what is refused."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsite_ext.protocol.imap_commands import Of, Section, SectionItem
from mailsite_ext.protocol.imap_url import MessageUrl, parse_message_url, shown
from mailsite_ext.protocol.sequence_sets import LARGEST


def item(label: bytes, section: Section = Section(), partial: tuple[int, int] | None = None) -> SectionItem:  # noqa: B008
    return SectionItem(section, label, is_peek=True, partial=partial)


WHOLE = item(b"BODY[]")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (b"/INBOX/;UID=20", MessageUrl("INBOX", None, 20, WHOLE)),
        (b"/inbox/;uid=20", MessageUrl("INBOX", None, 20, WHOLE)),
        (b"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", MessageUrl(  # RFC 4469, example 1
            "Drafts", 385759045, 20, item(b"BODY[HEADER]", Section(of=Of.HEADER)))),
        (b"/a/b%20c/;UID=1/;SECTION=1.MIME", MessageUrl(
            "a/b c", None, 1, item(b"BODY[1.MIME]", Section((1,), Of.MIME)))),
        (b"/~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/;UID=1", MessageUrl("~peter/日本語", None, 1, WHOLE)),  # RFC 5092 §9
        (b"/a%3B%2Fb/;UID=1", MessageUrl("a;/b", None, 1, WHOLE)),
        (b"/&-/;UID=1", MessageUrl("&-", None, 1, WHOLE)),  # UTF-8, not UTF-7: RFC 5092 §8
        (b"/x/;UID=1/;PARTIAL=0.1024", MessageUrl("x", None, 1, item(b"BODY[]<0>", partial=(0, 1024)))),
        (b"/x/;UID=1/;PARTIAL=7", MessageUrl("x", None, 1, item(b"BODY[]<7>", partial=(7, LARGEST)))),
        (b"/x/;UID=1/;SECTION=HEADER.FIELDS%20(Date%20From)/;PARTIAL=1.2", MessageUrl("x", None, 1, item(
            b"BODY[HEADER.FIELDS (Date From)]<1>", Section(of=Of.FIELDS, fields=(b"Date", b"From")), (1, 2)))),
    ],
)  # fmt: skip
def test_a_message_and_what_of_it(url, expected):
    assert parse_message_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        b"", b"/", b"x", b"/INBOX", b"/INBOX/", b"/INBOX;UIDVALIDITY=1", b"/INBOX/;UID=", b"/;UID=1", b"//;UID=1",
        b"//host/INBOX/;UID=1", b"imap://bob@host/INBOX/;UID=1", b"INBOX/;UID=1", b";UID=1", b"/INBOX/;UID=0",
        b"/INBOX/;UID=01", b"/INBOX/;UID=4294967296", b"/INBOX/;UID=99999999999", b"/INBOX;UIDVALIDITY=0/;UID=1",
        b"/INBOX/;UID=1/;SECTION=", b"/INBOX/;UID=1/;SECTION=MIME", b"/INBOX/;UID=1/;SECTION=1]",
        b"/INBOX/;UID=1/;SECTION=1%5D", b"/INBOX/;UID=1/;SECTION=%7B3%7D%0D%0A", b"/INBOX/;UID=1/;SECTION=0",
        b"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(%7B3%7D%0D%0A)", b"/INBOX/;UID=1/;PARTIAL=1.0",
        b"/INBOX/;UID=1;URLAUTH=anonymous", b"/INBOX/;UID=1?SUBJECT%20x", b"/INBOX/;UID=1#x", b"/INBOX/;UID=1\r\n",
        b"/IN BOX/;UID=1", b"/IN%00BOX/;UID=1", b"/IN%FFBOX/;UID=1", b"/IN%GGBOX/;UID=1", "/é/;UID=1".encode(),
        b"/INBOX/;UID=1/..", b"/INBOX/;UID=1/;SECTION=" + b"1." * 200 + b"1",
    ],
)  # fmt: skip
def test_what_names_no_message_here(url):
    with pytest.raises(ValueError):
        parse_message_url(url)


@given(
    st.one_of(st.binary(max_size=60), st.from_regex(rb"/[a-z%0-9A-F;/]{0,9}/;UID=[0-9]{1,11}(/;[A-Z]{1,8}=.{0,9})?"))
)
@settings(derandomize=True, max_examples=600, deadline=None)
def test_nothing_but_value_error_is_raised_and_it_can_always_be_shown(url):
    code = shown(url)
    assert code.isascii()
    assert code.isprintable()
    assert not set(code) & set(' "\\]')
    with suppress(ValueError):
        assert parse_message_url(url).uid


def test_long_ones_cost_little():
    start = time.process_time()
    for url in (b"/" + b"a/;UID=" * 1_100, b"/" + b"%41" * 2_600, b"/x/;UID=1/;SECTION=" + b"1/;PARTIAL=" * 700):
        with pytest.raises(ValueError):
            parse_message_url(url + b"!")
    assert time.process_time() - start < 0.5
