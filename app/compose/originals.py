"""The message that is answered, forwarded or taken up again: fetched through the mirror, turned into a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Identity
from app.compose import attachments, service
from app.compose import html as written_html
from app.compose.addresses import format_addresses
from app.compose.models import Draft, DraftAttachment, DraftKind, FiledDraft
from app.compose.reply import (
    Original,
    choose_sender,
    forward_html,
    forward_subject,
    forward_text,
    read_original,
    reply_html,
    reply_recipients,
    reply_subject,
    reply_text,
)
from app.compose.service import Answers, Values
from app.errors import BadInput, MailError, ProtocolError
from app.messages import content, decode
from app.messages import parts as message_parts
from app.messages.downloads import name_of, octets_of
from app.messages.parse import Parsed, parse
from app.messages.parts import Part
from app.mirror.models import Folder, Message
from app.mirror.wanted import get_sections
from app.runtime import Runtime
from app.web.filters import long_date

MAX_BODY_PARTS = 50


@dataclass(frozen=True, slots=True)
class Body:
    """What a message says; `html` is empty for plain text."""

    text: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """An attachment of the original that may go along."""

    section: str
    name: str
    octets: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A draft that exists only on the page yet.  `trouble`: why the original's text is not in it."""

    values: Values
    answers: Answers = field(default_factory=Answers)
    files: Sequence[File] = ()
    trouble: MailError | None = None


def begin_new(identities: Sequence[Identity], values: Values) -> Begun:
    """A new message from the first identity, with its signature."""
    first = identities[0] if identities else None
    signature = signature_of(first)
    text = values.text + (f"\n\n-- \n{signature}\n" if signature else "")
    return Begun(Values(first.id if first else None, values.to, values.cc, values.bcc, values.subject, text))


def signature_of(identity: Identity | None) -> str:
    return written_html.to_text(identity.signature_html) if identity and identity.signature_html else ""


def begin_reply(
    parts: Runtime, db: Session, message: Message, identities: Sequence[Identity], kind: DraftKind, before: str = ""
) -> Begun:
    """An answer, or a forward, of `message`; `before` is text already written above what is quoted."""
    original = read_original(message.header)
    identity = _sender(original, message, identities)
    trouble: MailError | None = None
    body, files = Body(), list[File]()
    try:
        body, files = load_body(parts, db, message)
    except MailError as error:
        trouble = error
    is_forward = kind is DraftKind.FORWARD
    text, html = _quoted(message, original, body, signature_of(identity), forward=is_forward)
    people = reply_recipients(
        original, [own.address.casefold() for own in identities], to_all=kind is DraftKind.REPLY_ALL
    )
    return Begun(
        Values(
            identity_id=identity.id if identity else None,
            to="" if is_forward else people.to,
            cc="" if is_forward else people.cc,
            subject=forward_subject(original.subject) if is_forward else reply_subject(original.subject),
            text=before + text,
            html="" if before else html,
        ),
        Answers(kind, message.id, "" if is_forward else original.message_id, " ".join(original.references)),
        files if is_forward else (),
        trouble,
    )


def _sender(original: Original, message: Message, identities: Sequence[Identity]) -> Identity | None:
    """The identity it came to; else one of the account it lies in."""
    ours = sorted(identities, key=lambda identity: identity.account_id != message.account_id)
    chosen = choose_sender(original, [(identity.id, identity.address) for identity in ours])
    return next((identity for identity in ours if identity.id == chosen), None)


def _quoted(message: Message, original: Original, body: Body, signature: str, *, forward: bool) -> tuple[str, str]:
    """Text and HTML below which people write."""
    when = long_date(message.sent_at or message.received_at)
    if not forward:
        who = message.from_name or message.from_address
        attribution = _("On %(date)s, %(name)s wrote:", date=when, name=who)
        html = reply_html(attribution, body.html, signature) if body.html else ""
        return reply_text(attribution, body.text, signature), html
    fields = [
        (_("From"), format_addresses(original.sender.addresses)),
        (_("Date"), when),
        (_("Subject"), original.subject),
        (_("To"), format_addresses(original.to.addresses)),
        (_("Cc"), format_addresses(original.cc.addresses)),
    ]
    heading = _("Forwarded message")
    html = forward_html(heading, fields, body.html, signature) if body.html else ""
    return forward_text(heading, fields, body.text, signature), html


def load_body(parts: Runtime, db: Session, message: Message) -> tuple[Body, list[File]]:
    """What a message says, and the files it carries.  Raises what fetching raises."""
    root = content.find_structure(message)
    if root is None:
        loaded = content.load_content(parts, db, message)
        return body_of(loaded.root, loaded.sections), files_of(loaded.root)
    texts = {part.section for prefer in ("html", "plain") for part in _texts(root, prefer)}
    return body_of(root, get_sections(parts, db, message, sorted(texts)) if texts else {}), files_of(root)


def _texts(root: Part, prefer: str) -> Sequence[Part]:
    return message_parts.shown_text_sections(root, prefer=prefer)[:MAX_BODY_PARTS]


def body_of(root: Part, sections: Mapping[str, bytes]) -> Body:
    """The body in both forms; a message without HTML has none here either."""
    shown = [(part, _decoded(part, sections)) for part in _texts(root, "html")]
    plain = [(part, _decoded(part, sections)) for part in _texts(root, "plain")]
    has_html = any(part.subtype == "html" for part, _text in shown)
    html = "\n".join(text if part.subtype == "html" else written_html.from_text(text) for part, text in shown)
    text = "\n".join(written_html.to_text(text) if part.subtype == "html" else text for part, text in plain)
    return Body(text, html if has_html else "")


def _decoded(part: Part, sections: Mapping[str, bytes]) -> str:
    octets = decode.transfer(sections.get(part.section, b""), part.encoding)
    return decode.text(octets, part.params.get("charset", ""))


def files_of(root: Part) -> list[File]:
    return [File(part.section, name_of(part), octets_of(part)) for part in message_parts.attachments(root)]


def attach_original(parts: Runtime, db: Session, draft: Draft, message: Message, sections: Sequence[str]) -> None:
    """Copy attachments of `message` to `draft`, each once however often this is asked.

    Raises what fetching raises, or BadInput if they do not fit; those copied so far stay.
    """
    mine = select(DraftAttachment.origin).where(DraftAttachment.draft_id == draft.id, DraftAttachment.complete)
    copied = set(db.scalars(mine))
    for section in sections[: attachments.MAX_ATTACHMENTS]:
        origin = f"{message.id}/{section}"[:120]
        if origin in copied:
            continue
        part, octets = content.open_part(parts, db, message, section)
        room = attachments.room_octets(db, draft, parts.config.max_message_mib)
        now = parts.clock.now()
        attachments.attach(db, draft, name_of(part), part.media_type, octets, room_octets=room, now=now, origin=origin)


def take_up(
    parts: Runtime, db: Session, user_id: int, message: Message, identities: Sequence[Identity], uuid: str
) -> Draft:
    """The draft that `message`, in a Drafts folder, is a copy of; one begun elsewhere becomes a draft here.

    Raises BadInput for a message that is no draft, or what fetching raises.
    """
    folder = db.get_one(Folder, message.folder_id)
    known = _find_filed(db, user_id, message, folder)
    if known is not None:
        return known
    if not message.draft and folder.role != "drafts":
        raise BadInput("message", _("Only drafts can be edited."))
    if message.size_octets > parts.config.max_message_mib * 1_048_576:
        raise BadInput("message", _("This draft is too large to be edited here."))
    return _import(parts, db, user_id, message, folder, identities, uuid)


def _find_filed(db: Session, user_id: int, message: Message, folder: Folder) -> Draft | None:
    """A draft of ours that this message is the copy of."""
    mine = select(Draft).join(FiledDraft, FiledDraft.draft_id == Draft.id).where(Draft.user_id == user_id)
    here = mine.where(FiledDraft.account_id == message.account_id)
    if message.message_id:
        return db.scalar(here.where(FiledDraft.message_id == message.message_id).limit(1))
    same = here.where(FiledDraft.folder_id == folder.id, FiledDraft.uid == message.uid)
    return db.scalar(same.where(FiledDraft.uidvalidity == folder.uidvalidity).limit(1))


def _import(
    parts: Runtime,
    db: Session,
    user_id: int,
    message: Message,
    folder: Folder,
    identities: Sequence[Identity],
    uuid: str,
) -> Draft:
    raw = get_sections(parts, db, message, [""]).get("")
    if raw is None:
        raise ProtocolError(_("the server did not send it"))
    parsed = parse(raw)
    now = parts.clock.now()
    draft = service.save(
        db, user_id, uuid, _values_of(parsed, message, identities), version=0, now=now, answers=_answers_of(parsed)
    )
    _copy_files(parts, db, draft, parsed, now)
    db.add(
        FiledDraft(
            account_id=message.account_id,
            folder_id=folder.id,
            draft_id=draft.id,
            version=draft.version,
            message_id=message.message_id,
            uid=message.uid,
            uidvalidity=folder.uidvalidity,
        )
    )
    service.call_filed(db, draft)
    return draft


def _values_of(parsed: Parsed, message: Message, identities: Sequence[Identity]) -> Values:
    original, body = read_original(parsed.header), body_of(parsed.root, parsed.sections)
    identity = _writer(original, message, identities)
    fields = {"to": original.to, "cc": original.cc, "bcc": original.bcc}
    typed = {
        name: ", ".join(filter(None, [format_addresses(people.addresses), *(bad.text for bad in people.bad)]))
        for name, people in fields.items()
    }
    return Values(identity.id if identity else None, subject=original.subject, text=body.text, html=body.html, **typed)


def _writer(original: Original, message: Message, identities: Sequence[Identity]) -> Identity | None:
    """The identity a draft names as its sender; else the first of the account it lies in."""
    wrote = {address.key for address in original.sender.addresses}
    ours = sorted(identities, key=lambda identity: identity.account_id != message.account_id)
    return next((own for own in ours if own.address.casefold() in wrote), ours[0] if ours else None)


def _answers_of(parsed: Parsed) -> Answers:
    original = read_original(parsed.header)
    references = [reference for reference in original.references if reference != original.message_id]
    kind = DraftKind.REPLY if original.in_reply_to else DraftKind.NEW
    return Answers(kind, None, original.in_reply_to, " ".join(references))


def _copy_files(parts: Runtime, db: Session, draft: Draft, parsed: Parsed, now: datetime) -> None:
    inline = message_parts.inline_images(parsed.root)
    shown = written_html.content_ids(draft.html)
    files = {part.section: (part, "") for part in message_parts.attachments(parsed.root)}
    files |= {part.section: (part, cid) for cid, part in inline.items() if cid in shown}
    for part, content_id in files.values():
        octets = decode.transfer(parsed.sections.get(part.section, b""), part.encoding)
        room = attachments.room_octets(db, draft, parts.config.max_message_mib)
        attachments.attach(
            db,
            draft,
            name_of(part),
            part.media_type,
            [octets],
            room_octets=room,
            now=now,
            content_id=content_id,
        )
