"""Seeds for tests: accounts, folders and messages as the mirror holds them, with believable defaults."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Identity, MailAccount
from app.mirror import flags as mail_flags
from app.mirror.conversations import id_hash
from app.mirror.models import ConversationLink, Folder, Message
from app.sources import RemoteMessage, Role
from app.users.models import User
from app.vault.secretbox import Vault, new_key
from tests.conftest import START

_numbers = itertools.count(1)

BODYSTRUCTURE = b'("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 1152 23 NIL NIL NIL NIL)'


def make_account(
    db: Session, owner: User, *, address: str = "", vault: Vault | None = None, **columns: Any
) -> MailAccount:
    """An account of `owner` with one identity; with a vault its data key really opens."""
    number = next(_numbers)
    address = address or f"{owner.name.lower()}{number}@example.net"
    account = MailAccount(
        owner_id=owner.id,
        address=address,
        label=columns.pop("label", address),
        imap_host="imap.example.net",
        imap_username=address,
        smtp_host="smtp.example.net",
        smtp_username=address,
        sealed_data_key=b"",
        **{"position": number, **columns},
    )
    db.add(account)
    db.flush()
    if vault is not None:
        account.sealed_data_key = vault.seal(f"mail_account.data_key:{account.uuid}", new_key())
    db.add(Identity(account_id=account.id, name=owner.name, address=address))
    db.commit()
    return account


def make_folder(
    db: Session, account: MailAccount, name: str = "INBOX", role: Role | None = None, **columns: Any
) -> Folder:
    """A folder that has been synced and is empty."""
    if role is None and name == "INBOX":
        role = Role.INBOX
    values = {"delimiter": "/", "uidvalidity": 1, "uidnext": 1, "complete": True, **columns}
    folder = Folder(account_id=account.id, name=name, role=role, **values)
    db.add(folder)
    db.commit()
    return folder


def make_message(
    db: Session,
    folder: Folder,
    *,
    uid: int | None = None,
    flags: Iterable[str] = (),
    answers: Message | None = None,
    received_at: datetime | None = None,
    **columns: Any,
) -> Message:
    """A message in the mirror, newer than all made before; `answers` puts it into that one's conversation.

    Counters and `leads` are kept as the mirror keeps them.
    """
    number = next(_numbers)
    message_id = columns.pop("message_id", f"{number}@example.net")
    own = id_hash(message_id)
    marks = mail_flags.to_columns(flags)
    values: dict[str, Any] = {
        "size_octets": 2_048,
        "from_name": "Maren Holt",
        "from_address": "maren@example.com",
        "recipients": "Alice",
        "subject": f"Subject {number}",
        "preview": f"Preview {number}",
        "has_attachments": False,
        "header": f"Message-ID: <{message_id}>\r\nSubject: Subject {number}\r\n".encode(),
        "bodystructure": BODYSTRUCTURE,
        "conversation_id": answers.conversation_id if answers else own,
        "leads": True,
        "sent_at": received_at or START + timedelta(seconds=number),
        **columns,
    }
    message = Message(
        account_id=folder.account_id,
        folder_id=folder.id,
        uid=uid or folder.uidnext,
        received_at=received_at or START + timedelta(seconds=number),
        message_id=message_id,
        message_id_hash=own,
        seen=marks.seen,
        flagged=marks.flagged,
        answered=marks.answered,
        forwarded=marks.forwarded,
        draft=marks.draft,
        keywords=marks.keywords,
        **values,
    )
    db.add(message)
    db.merge(ConversationLink(account_id=folder.account_id, id_hash=own, conversation_id=message.conversation_id))
    folder.uidnext = max(folder.uidnext, message.uid + 1)
    folder.total += 1
    folder.unread += not message.seen
    db.flush()
    _crown(db, message)
    db.commit()
    return message


def _crown(db: Session, message: Message) -> None:
    """Only the newest of a conversation in a folder leads."""
    same = select(Message).where(
        Message.folder_id == message.folder_id, Message.conversation_id == message.conversation_id
    )
    newest_first = db.scalars(same.order_by(Message.received_at.desc(), Message.uid.desc())).all()
    for place, member in enumerate(newest_first):
        member.leads = place == 0


def remote_message(
    uid: int,
    *,
    flags: Iterable[str] = (),
    subject: str = "",
    message_id: str = "",
    references: str = "",
    received_at: datetime | None = None,
    **fields: Any,
) -> RemoteMessage:
    """A message as a source hands it over."""
    header = (
        f"Date: Tue, 24 Nov 2026 09:00:00 +0100\r\nFrom: Maren Holt <maren@example.com>\r\nTo: alice@example.net\r\n"
        f"Subject: {subject or f'Subject {uid}'}\r\nMessage-ID: <{message_id or f'{uid}@remote.example'}>\r\n"
        + (f"References: {references}\r\n" if references else "")
    )
    values: dict[str, Any] = {"size_octets": 2_048, "bodystructure": BODYSTRUCTURE, **fields}
    return RemoteMessage(
        uid=uid,
        flags=frozenset(flags),
        received_at=received_at or START + timedelta(minutes=uid),
        header=values.pop("header", header.encode()),
        **values,
    )
