"""The parts of a message, as its structure tells them, and which of them a reader sees (RFC 2046, RFC 2387).

Pure.  BODYSTRUCTURE (`app/imap/bodystructure.py`) and whole messages (`parse.py`) give the same tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.messages import decode

MAX_DEPTH = 40
"""Most parts inside each other; deeper ones are left out by whoever builds the tree."""
MAX_PARTS = 1_000
"""Most parts of a message; the ones after are left out."""

BODY_SUBTYPES = frozenset({"plain", "html", "enriched"})
SIGNATURES = frozenset({"pgp-signature", "pkcs7-signature", "x-pkcs7-signature"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message.

    `section` is the address IMAP gives it (RFC 9051 §6.4.5.1): "1.2".  A message that is not multipart has the one
    part "1"; a multipart at the top is "TEXT"; the multipart inside the attached message "2" is "2.TEXT", and its
    parts are "2.1", "2.2".  Make one with `new_part`, which decodes and bounds what the peer wrote.
    """

    section: str
    type: str  # lower case, as are subtype, disposition, encoding and the names in params
    subtype: str
    params: Mapping[str, str] = field(default_factory=dict)  # of Content-Type, RFC 2231 decoded
    content_id: str = ""  # without angle brackets
    disposition: str = ""  # "inline", "attachment" or empty
    filename: str = ""  # decoded; safe to show and to save under
    encoding: str = "7bit"
    octets: int = 0  # as transferred, before decoding
    children: tuple[Part, ...] = ()

    @property
    def media_type(self) -> str:
        return f"{self.type}/{self.subtype}"

    @property
    def is_multipart(self) -> bool:
        return self.type == "multipart"

    @property
    def is_message(self) -> bool:
        return self.type == "message" and self.subtype in ("rfc822", "global")


def new_part(
    section: str,
    media_type: str,
    params: Mapping[str, str],
    *,
    content_id: str = "",
    disposition: str = "",
    disposition_params: Mapping[str, str] | None = None,
    encoding: str = "",
    octets: int = 0,
    children: tuple[Part, ...] = (),
) -> Part:
    """A Part from fields as the peer wrote them, the parameters split but not yet decoded."""
    kind, _, subtype = media_type.lower().partition("/")
    decoded = decode.params(params)
    named = decode.params(disposition_params or {})
    return Part(
        section=section,
        type=decode.token(kind) or "application",
        subtype=decode.token(subtype) or "octet-stream",
        params=decoded,
        content_id=decode.token(content_id.strip().strip("<>"), 250),
        disposition=_disposition(disposition),
        filename=decode.safe_filename(named.get("filename") or decoded.get("name") or ""),
        encoding=decode.token(encoding.lower()) or "7bit",
        octets=max(octets, 0),
        children=children,
    )


def _disposition(text: str) -> str:
    """RFC 2183 §2.8: an unknown disposition counts as attachment."""
    lowered = text.strip().lower()
    return lowered if lowered in ("", "inline", "attachment") else "attachment"


def walk(part: Part) -> Iterator[Part]:
    """`part` and everything inside it, also inside attached messages, in the order they are written."""
    yield part
    for child in part.children:
        yield from walk(child)


def find_part(part: Part, section: str) -> Part | None:
    """The part inside `part` that IMAP addresses as `section`."""
    return next((found for found in walk(part) if found.section == section), None)


def shown_text_sections(part: Part, *, prefer: str = "html") -> tuple[Part, ...]:
    """The text parts a reader sees, in order; where there is a choice, `prefer` ("html" or "plain") decides."""
    if part.is_multipart:
        return _shown_of_multipart(part, prefer)
    return (part,) if _is_body_text(part) else ()


def _is_body_text(part: Part) -> bool:
    return part.type == "text" and part.subtype in BODY_SUBTYPES and part.disposition != "attachment"


def _shown_of_multipart(part: Part, prefer: str) -> tuple[Part, ...]:
    shown = [shown_text_sections(child, prefer=prefer) for child in part.children]
    if part.subtype == "alternative":
        return _best_alternative(shown, prefer)
    if part.subtype == "related" and (root := _related_root(part, shown)):
        return root
    if part.subtype == "signed":  # RFC 1847 §2.1: the second part is the signature
        return shown[0] if shown else ()
    if part.subtype == "encrypted":
        return ()
    return tuple(text for texts in shown for text in texts)


def _best_alternative(shown: list[tuple[Part, ...]], prefer: str) -> tuple[Part, ...]:
    """The last one that has the preferred kind, else the last that has anything (RFC 2046 §5.1.4)."""
    usable = [texts for texts in shown if texts]
    wanted = [texts for texts in usable if any(text.subtype == prefer for text in texts)]
    return (wanted or usable or [()])[-1]


def _related_root(part: Part, shown: list[tuple[Part, ...]]) -> tuple[Part, ...]:
    """The root's text: the part `start` names, else the first (RFC 2387 §3.2)."""
    start = part.params.get("start", "").strip("<>")
    for child, texts in zip(part.children, shown, strict=True):
        if start and child.content_id == start:
            return texts
    return shown[0] if shown else ()


def inline_images(part: Part) -> dict[str, Part]:
    """Images a body may show by `cid:`, by their Content-ID; the first of several wins."""
    found: dict[str, Part] = {}
    for image in _leaves(part):
        if image.type == "image" and image.content_id:
            found.setdefault(image.content_id, image)
    return found


def attachments(part: Part) -> tuple[Part, ...]:
    """What came along: everything that is neither body text, nor an image meant for the body, nor a signature.

    An attached message is one attachment; its own parts are not listed.
    """
    if part.is_multipart:
        related = part.subtype == "related"
        inside = [found for child in part.children for found in attachments(child)]
        return tuple(found for found in inside if not (related and _belongs_to_body(found)))
    return () if _is_body_text(part) or part.subtype in SIGNATURES else (part,)


def _belongs_to_body(part: Part) -> bool:
    return part.type == "image" and bool(part.content_id) and part.disposition != "attachment"


def _leaves(part: Part) -> Iterator[Part]:
    if part.is_multipart:
        for child in part.children:
            yield from _leaves(child)
    else:
        yield part
