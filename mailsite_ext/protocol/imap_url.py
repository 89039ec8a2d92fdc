"""URLs of messages and their parts, as CATENATE names them (RFC 5092, RFC 4469 §3).  Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mailsite_ext.protocol.fetch_grammar import section_item
from mailsite_ext.protocol.folder_names import decode_name
from mailsite_ext.protocol.imap_commands import SectionItem
from mailsite_ext.protocol.imap_limits import BadCommand
from mailsite_ext.protocol.sequence_sets import LARGEST

NUMBER = rb"[1-9][0-9]{0,9}"
ENCODED = rb"(?:[A-Za-z0-9._~!$'()*+,&=:@/-]|%[0-9A-Fa-f]{2})"  # RFC 5092 §11, bchar
MESSAGE = re.compile(
    rb"/(?!/)(?P<folder>" + ENCODED + rb"+?)(?:;UIDVALIDITY=(?P<uidvalidity>" + NUMBER + rb"))?/;UID=(?P<uid>" + NUMBER
    + rb")(?:/;SECTION=(?P<section>" + ENCODED + rb"+?))?"
    rb"(?:/;PARTIAL=(?P<first>[0-9]{1,10})(?:\.(?P<octets>" + NUMBER + rb"))?)?",
    re.IGNORECASE,
)  # fmt: skip
UNSHOWN = re.compile(rb'[^!-~]|["\\\]]')


@dataclass(frozen=True, slots=True)
class MessageUrl:
    folder: str
    uidvalidity: int | None  # None: whatever it is
    uid: int
    item: SectionItem  # the message, or what of it


def parse_message_url(url: bytes) -> MessageUrl:
    """An absolute-path reference, `/folder;UIDVALIDITY=9/;UID=20/;SECTION=1.2/;PARTIAL=0.1024`.

    URLs with a scheme or a server name mail that may be elsewhere (RFC 4469 §3), and relative paths nobody may take
    (RFC 5092 §7.2).  Raises ValueError for these, and for what is no URL.
    """
    match = MESSAGE.fullmatch(url)
    if match is None or int(match["uid"]) > LARGEST:
        raise ValueError("not a message of this mailbox")
    folder = decode_name(unquote_to_bytes(match["folder"]), utf8=True)  # RFC 5092 §8
    validity = match["uidvalidity"]
    return MessageUrl(folder, int(validity) if validity else None, int(match["uid"]), _item(match))


def _item(match: re.Match[bytes]) -> SectionItem:
    partial = (int(match["first"]), int(match["octets"] or LARGEST)) if match["first"] else None
    try:
        return section_item(unquote_to_bytes(match["section"] or b""), partial)
    except BadCommand as error:
        raise ValueError("not a section") from error


def shown(url: bytes) -> str:
    """The URL as it may stand in a response code (RFC 4469 §5, `url-resp-text`)."""
    return UNSHOWN.sub(lambda octet: b"%%%02X" % octet[0][0], url).decode("ascii")
