"""Which parts a reader sees, and which came along."""

from __future__ import annotations

from typing import Any

import pytest

from app.messages.parts import Part, attachments, find_part, inline_images, new_part, shown_text_sections, walk

Tree = tuple[Any, ...]


def build(tree: Tree, section: str = "") -> Part:
    """("mixed", child, …) or ("text/plain", {fields})."""
    kind, *rest = tree
    if "/" in kind and kind != "message/rfc822":
        return new_part(section or "1", kind, {}, **(rest[0] if rest else {}))
    children = tuple(build(child, f"{section}.{n}".lstrip(".")) for n, child in enumerate(rest, 1))
    media_type = kind if "/" in kind else f"multipart/{kind}"
    return new_part(section or "TEXT", media_type, {}, children=children)


def sections(parts: tuple[Part, ...]) -> list[str]:
    return [part.section for part in parts]


PLAIN: Tree = ("text/plain",)
HTML: Tree = ("text/html",)
INLINE: Tree = ("image/png", {"content_id": "<a@x>", "disposition": "inline"})
PDF: Tree = ("application/pdf", {"disposition": "attachment"})


@pytest.mark.parametrize(
    ("tree", "html", "plain", "attached"),
    [
        (PLAIN, ["1"], ["1"], []),
        (("alternative", PLAIN, HTML), ["2"], ["1"], []),
        (("alternative", HTML, PLAIN), ["1"], ["2"], []),  # the wrong way round
        (("mixed", ("alternative", PLAIN, HTML), PDF), ["1.2"], ["1.1"], ["2"]),
        (("alternative", PLAIN, ("related", HTML, INLINE)), ["2.1"], ["1"], []),
        (("related", ("alternative", PLAIN, HTML), INLINE), ["1.2"], ["1.1"], []),
        (("alternative", PLAIN, ("mixed", HTML, PDF, HTML)), ["2.1", "2.3"], ["1"], ["2.2"]),  # Apple Mail
        (("mixed", PLAIN, INLINE, PLAIN), ["1", "3"], ["1", "3"], ["2"]),
        (("mixed", PLAIN, ("text/plain", {"disposition": "attachment"})), ["1"], ["1"], ["2"]),
        (("signed", PLAIN, ("application/pgp-signature",)), ["1"], ["1"], []),
        (("encrypted", ("application/pgp-encrypted",), ("application/octet-stream",)), [], [], ["1", "2"]),
        (("report", PLAIN, ("message/delivery-status",), ("message/rfc822", PLAIN)), ["1"], ["1"], ["2", "3"]),
        (("alternative", PLAIN, ("text/calendar",)), ["1"], ["1"], ["2"]),
        (("mixed",), [], [], []),
        (("digest", ("message/rfc822", PLAIN), ("message/rfc822", HTML)), [], [], ["1", "2"]),
        (("mixed", PLAIN, ("text/x-python",)), ["1"], ["1"], ["2"]),
        (PDF, [], [], ["1"]),
    ],
)
def test_what_is_shown_and_what_is_attached(tree: Tree, html: list[str], plain: list[str], attached: list[str]) -> None:
    root = build(tree)
    assert sections(shown_text_sections(root)) == html
    assert sections(shown_text_sections(root, prefer="plain")) == plain
    assert sections(attachments(root)) == attached


def test_related_shows_the_part_its_start_names() -> None:
    first = new_part("1", "text/html", {}, content_id="<a>")
    second = new_part("2", "text/html", {}, content_id="<b>")
    root = new_part("TEXT", "multipart/related", {"start": "<b>"}, children=(first, second))
    assert sections(shown_text_sections(root)) == ["2"]


def test_parts_are_found_by_section_also_in_attached_messages() -> None:
    root = build(("mixed", PLAIN, ("message/rfc822", ("mixed", PLAIN, PDF))))
    assert [part.section for part in walk(root)] == ["TEXT", "1", "2", "2.1", "2.1.1", "2.1.2"]
    found = find_part(root, "2.1.2")
    assert found is not None
    assert found.media_type == "application/pdf"
    assert find_part(root, "9") is None


def test_inline_images_by_content_id_the_first_wins() -> None:
    root = build(("related", HTML, INLINE, INLINE))
    assert {cid: part.section for cid, part in inline_images(root).items()} == {"a@x": "2"}


def test_fields_of_the_peer_are_decoded_and_bounded() -> None:
    part = new_part(
        "1",
        "TEXT/Pl\0ain",
        {"NAME": "=?utf-8?q?caf=C3=A9?=", "Charset": "UTF-8"},
        content_id=" <a b@x> ",
        disposition="ODD",
        disposition_params={"filename*": "utf-8''..%2Fpasswd"},
        encoding=" BASE64",
        octets=-5,
    )
    assert (part.type, part.subtype, part.params["charset"]) == ("text", "plain", "UTF-8")
    assert (part.content_id, part.disposition, part.filename) == ("ab@x", "attachment", "_passwd")
    assert (part.encoding, part.octets) == ("base64", 0)
