"""One of everything of Alice's, and mail of Mallory's, for the tests of whose is what."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import quote
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.accounts.models import Identity
from app.actions import bulk
from app.actions import service as actions
from app.actions.deeds import Doer
from app.compose import attachments
from app.folders.models import FolderChange, FolderDeed
from app.machines.models import Machine, MachineService
from app.mail_services.models import OAuthClient
from app.mail_services.modes import Mode
from app.messages import signing
from app.mirror import bodies
from app.mirror.queries import ListFilter
from app.outbox.models import Outgoing
from app.search import service as searching
from app.sources import Role
from app.users.models import UserSession
from mailsite_ext.delivery import suppression
from mailsite_ext.delivery.models import BouncedAddress
from mailsite_ext.domains import service as hosting
from mailsite_ext.domains.models import AppPassword
from mailsite_ext.importing import service as importing
from mailsite_ext.replies import Reply
from mailsite_ext.trusted_senders import service as trusted_senders
from mailsite_ext.trusted_senders.models import TrustedSender
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message
from tests.webmail.possessions import HTML, SECRET, make_draft


@pytest.fixture
def alices(app, parts, db, alice, browser_of, clock, set_mode):
    """One of everything, all of it Alice's."""
    set_mode(Mode.BOTH)
    account = make_account(db, alice, address="alice@example.net", vault=parts.vault)
    gmail = make_account(db, alice, provider="gmail")
    account.sealed_imap_password = parts.vault.seal(f"mail_account.imap_password:{account.uuid}", "a password")
    db.add(OAuthClient(provider="google", client_id="satchel"))
    machine = Machine(uuid=str(uuid4()), name="mx-1", work_uuid=str(uuid4()))
    db.add(machine)
    db.flush()
    service = MachineService(machine_id=machine.id, kind="engine")
    db.add(service)
    db.commit()
    folder, trash = make_folder(db, account), make_folder(db, account, "Trash", Role.TRASH)
    make_folder(db, account, "Archive", Role.ARCHIVE)
    plain = make_folder(db, account, "Plain")
    change = FolderChange(account_id=account.id, deed=FolderDeed.CREATE, name=SECRET, refused=True, created_at=START)
    db.add(change)
    written_in = make_folder(db, account, "Drafts", Role.DRAFTS)
    message = make_message(db, folder, bodystructure=HTML, subject=SECRET, preview=SECRET)
    make_message(db, folder, answers=message)
    written = make_message(db, written_in, flags=["\\Draft"], subject=SECRET)
    for row in (message, written):
        for section in ("1", "HEADER", ""):
            octets = f"Subject: {SECRET}\r\n\r\n<p>{SECRET}".encode()
            bodies.store_section(db, parts.vault, account, row.id, section, [octets], clock.now())
    action = actions.flag(db, alice.id, [message.id], {"\\Flagged"}, set(), clock, parts.bus)
    doer = Doer(db, alice.id, clock, parts.bus)
    deed = bulk.start(doer, written_in, "read", "", ListFilter.ALL, conversations=False)
    searching.save(db, alice.id, SECRET, SECRET)
    draft = make_draft(db, account, SECRET)
    file = attachments.attach(db, draft, f"{SECRET}.txt", "text/plain", [SECRET.encode()], room_octets=9_999, now=START)
    sent = make_draft(db, account, "On its way")
    outgoing = Outgoing(user_id=alice.id, account_id=account.id, draft_id=sent.id, mail_from=account.address,
                        recipients=["bob@example.org"], subject=SECRET, message_id="1@example.net", message=b"",
                        created_at=START, not_before=START)  # fmt: skip
    db.add(outgoing)
    db.commit()
    mailbox = hosting.ensure_mailbox(parts, db, alice)
    suppression.remember(db, mailbox.name, f"{SECRET}@there.example", Reply(550, "5.1.1 no such user"), clock.now())
    trusted_senders.trust(db, alice.id, f"{SECRET}@there.example", clock.now())
    importing.start(parts, db, account, ["INBOX"], is_apart=False)
    hosting.add_app_password(parts, db, mailbox, SECRET)
    browser = browser_of(alice)
    url = "http://images.example/a.png"
    return SimpleNamespace(
        browser=browser,
        message_row=message,
        ids={
            "account": account.id, "gmail": gmail.id, "folder": folder.id, "trash": trash.id, "message": message.id,
            "written": written.id, "action": action.id, "draft": draft.uuid, "attachment": file.uuid,
            "outgoing": outgoing.uuid, "identity": account.identities[0].id, "user": alice.id, "url": quote(url),
            "session": db.scalars(select(UserSession.id).where(UserSession.user_id == alice.id)).first(),
            "machine": machine.id, "service": service.id,
            "image_key": signing.image_key(parts.private, alice.id, url),
            "plain": plain.id, "folder_change": change.id, "bulk": deed.id,
            "saved": searching.list_saved(db, alice.id)[0].id,
            "relay": 1,
            "bounced": db.scalar(select(BouncedAddress.id)),
            "trusted": db.scalar(select(TrustedSender.id)),
            "mailbox": mailbox.id, "app_password": db.scalar(select(AppPassword.id)),
            "hosted_identity": db.scalar(select(Identity.id).where(Identity.address == "alice@localhost")),
            "mailbox_address": hosting.add_address(db, mailbox.id, "al", "").id,
        },
    )  # fmt: skip


@pytest.fixture
def mallorys(parts, db, mallory, browser_of, alices):
    """Mallory has mail too, so that nothing is refused for want of an account."""
    hosting.ensure_mailbox(parts, db, mallory)
    account = make_account(db, mallory, vault=parts.vault)
    folder = make_folder(db, account)
    trash = make_folder(db, account, "Trash", Role.TRASH)
    message = make_message(db, folder, bodystructure=HTML)
    return SimpleNamespace(
        browser=browser_of(mallory),
        account=account,
        ids={"account": account.id, "folder": folder.id, "trash": trash.id, "message": message.id,
             "identity": account.identities[0].id},
    )  # fmt: skip
