"""Every address with an id, asked by Mallory with Alice's ids: what nobody has and what is Alice's look the same.

The table names each route that has an id, so a new route without its line here fails.  Each line is asked three times:
by Mallory with Alice's ids, by Mallory with ids nobody has, and by Alice, for whom it must work, or the line shows
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from app.accounts.models import Identity, MailAccount
from app.actions import service as actions
from app.actions.views import DEEDS
from app.bus import Bell, Topic
from app.compose import attachments
from app.compose import service as drafts
from app.compose.models import Draft, DraftAttachment
from app.compose.service import Values
from app.db import Base
from app.machines.models import Machine, MachineService
from app.mail_services.models import OAuthClient
from app.mail_services.modes import Mode
from app.messages import signing
from app.mirror import bodies
from app.mirror.models import Message
from app.outbox.models import Outgoing
from app.sources import Role
from app.users.models import UserSession
from app.web.events import Owners, is_for
from mailsite_ext.domains import service as hosting
from mailsite_ext.domains.models import AppPassword
from mailsite_ext.importing import service as importing
from tests.conftest import START
from tests.factories import make_account, make_folder, make_message

HTML = b'("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "8BIT" 1152 23 NIL NIL NIL NIL)'
SECRET = "quarterly-figures"
TOKENS = re.compile(r'name="csrf[-_]token" (?:value|content)="[^"]*"|/sign-in\?[^"]*')


@dataclass(frozen=True)
class Case:
    """One request; `{name}` in address and form stands for an id.  `status` is what a stranger must get."""

    method: str
    rule: str
    address: str
    form: dict[str, Any] = field(default_factory=dict)
    status: int = 404
    owner_may: bool = True  # the owner gets something else than that status

    def __str__(self) -> str:
        return f"{self.method} {self.address} {' '.join(self.form)}".strip()


def _account(rule: str, method: str = "POST", **form: str) -> Case:
    return Case(method, f"/mail/accounts/<int:account_id>{rule}", f"/mail/accounts/{{account}}{rule}", form)


def _message(rule: str, method: str = "GET", **form: str) -> Case:
    return Case(method, f"/mail/message/<int:message_id>{rule}", f"/mail/message/{{message}}{rule}", form)


def _outbox(rule: str) -> Case:
    return Case("POST", f"/mail/outbox/<uuid>/{rule}", f"/mail/outbox/{{outgoing}}/{rule}")


def _admin(rule: str, address: str, method: str = "POST") -> Case:
    return Case(method, f"/admin/{rule}", f"/admin/{address}", status=403, owner_may=False)


IDENTITY = "/mail/accounts/<int:account_id>/identities/<int:identity_id>"
ATTACHMENT = "/mail/draft/<uuid>/attachments/<file>"
OWN_IDENTITY = "/settings/identities/<int:identity_id>"
IMPORT = "/settings/import/<int:account_id>"
SERVICE = "machines/service/<int:service_id>/<any(start, restart, stop):deed>"
WHOLE_ACCOUNT = {
    "address": "alice@example.net", "imap_host": "imap.example.net", "imap_port": "993", "imap_tls": "implicit",
    "smtp_host": "smtp.example.net", "smtp_port": "465", "smtp_tls": "implicit", "label": "Taken", "color": "lagoon",
}  # fmt: skip

CASES = [
    Case("GET", "/mail/folder/<int:folder_id>", "/mail/folder/{folder}"),
    Case("GET", "/mail/folder/<int:folder_id>", "/mail/folder/{folder}?fragment=rows&view=messages&filter=unread"),
    Case(
        "GET",
        "/mail/folder/<int:folder_id>/message/<int:message_id>",
        "/mail/folder/{folder}/message/{message}?fragment=message",
    ),
    Case("GET", "/mail/folder/<int:folder_id>/message/<int:message_id>", "/mail/folder/{folder}/message/{message}"),
    _message(""),
    _message("/body"),
    _message("/headers"),
    _message("/source"),
    Case("GET", "/mail/message/<int:message_id>/part/<section>", "/mail/message/{message}/part/1"),
    Case("GET", "/mail/message/<int:message_id>/part/<section>", "/mail/message/{message}/part/1?download=1"),
    _message("/images", "POST", images="address"),
    _message("/images", "POST", images="none"),
    _message("/reply"),
    _message("/reply", "POST", text="Hello", do="edit"),
    _message("/reply", "POST", text="Hello", all="1"),
    _message("/reply-all"),
    _message("/forward"),
    Case("GET", "/mail/message/<int:message_id>/edit", "/mail/message/{written}/edit"),
    Case("POST", "/mail/actions/<int:action_id>/undo", "/mail/actions/{action}/undo"),
    Case("GET", "/mail/draft/<uuid>", "/mail/draft/{draft}"),
    Case("POST", "/mail/draft/<uuid>", "/mail/draft/{draft}", {"version": "1", "text": "Mine now", "do": "save"}),
    Case("POST", "/mail/draft/<uuid>", "/mail/draft/{draft}", {"version": "1", "text": "Mine now", "do": "discard"}),
    Case("PUT", "/mail/draft/<uuid>", "/mail/draft/{draft}", {"version": "1", "text": "Mine now", "do": "close"}),
    Case("POST", "/mail/draft/<uuid>/attachments", "/mail/draft/{draft}/attachments", {"files": "file"}),
    Case("GET", ATTACHMENT, "/mail/draft/{draft}/attachments/{attachment}"),
    Case("POST", ATTACHMENT + "/remove", "/mail/draft/{draft}/attachments/{attachment}/remove"),
    *(_outbox(rule) for rule in ("undo", "again", "sent", "dismiss")),
    _account("", "GET"),
    _account("", "POST", **WHOLE_ACCOUNT),
    _account("/doctor", "GET"),
    _account("/doctor"),
    _account("/sign-in", password="a new password"),
    _account("/pause", paused="1"),
    _account("/move", to="up"),
    _account("/remove", "GET"),
    _account("/remove"),
    _account("/identities", "GET"),
    _account("/identities", name="Mallory", address="mallory@example.org"),
    Case("GET", IDENTITY, "/mail/accounts/{account}/identities/{identity}"),
    Case(
        "POST",
        IDENTITY,
        "/mail/accounts/{account}/identities/{identity}",
        {"name": "Mallory", "address": "mallory@example.org"},
    ),
    Case("POST", IDENTITY + "/remove", "/mail/accounts/{account}/identities/{identity}/remove"),
    Case("POST", "/settings/security/sessions/<int:session_id>/end", "/settings/security/sessions/{session}/end"),
    Case(
        "POST",
        "/settings/mail-clients/passwords/<int:password_id>/revoke",
        "/settings/mail-clients/passwords/{app_password}/revoke",
    ),
    Case("GET", OWN_IDENTITY, "/settings/identities/{hosted_identity}"),
    Case("POST", OWN_IDENTITY, "/settings/identities/{hosted_identity}", {"name": "M", "address": "al@example.org"}),
    Case("POST", OWN_IDENTITY + "/first", "/settings/identities/{hosted_identity}/first"),
    Case("POST", OWN_IDENTITY + "/remove", "/settings/identities/{hosted_identity}/remove"),
    Case("GET", IMPORT, "/settings/import/{account}"),
    Case("POST", IMPORT, "/settings/import/{gmail}", {"folder": "INBOX"}),
    *(
        Case("POST", IMPORT + "/<any(pause, resume, stop):deed>", f"/settings/import/{{account}}/{deed}")
        for deed in ("pause", "resume", "stop")
    ),
    Case("POST", IMPORT + "/try-again", "/settings/import/{account}/try-again"),
    _admin("mailboxes/<int:mailbox_id>", "mailboxes/{mailbox}", "GET"),
    _admin("mailboxes/<int:mailbox_id>", "mailboxes/{mailbox}"),
    _admin("mailboxes/of/<int:user_id>", "mailboxes/of/{user}"),
    _admin("mailboxes/<int:mailbox_id>/<any(open, closed):state>", "mailboxes/{mailbox}/closed"),
    _admin("mailboxes/<int:mailbox_id>/addresses", "mailboxes/{mailbox}/addresses"),
    _admin(
        "mailboxes/<int:mailbox_id>/addresses/<int:address_id>/remove",
        "mailboxes/{mailbox}/addresses/{mailbox_address}/remove",
    ),
    _admin("mailboxes/<int:mailbox_id>/release", "mailboxes/{mailbox}/release"),
    _admin("failed-sign-ins/<int:failure_id>/lift", "failed-sign-ins/{user}/lift"),
    _admin("credentials/<int:account_id>/revoke", "credentials/{account}/revoke"),
    _admin("users/<int:user_id>/delete", "users/{user}/delete", "GET"),
    _admin("users/<int:user_id>/role/<any(user, admin):role>", "users/{user}/role/admin"),
    *(
        _admin(f"users/<int:user_id>/{deed}", f"users/{{user}}/{deed}")
        for deed in ("delete", "disable", "enable", "password-link", "second-step/reset")
    ),
    *(_admin(SERVICE, f"machines/service/{{service}}/{deed}") for deed in ("start", "restart", "stop")),
    _admin("machines/<int:machine_id>/restart-stale", "machines/{machine}/restart-stale"),
    _admin("machines/<int:machine_id>/forget", "machines/{machine}/forget"),
    # Ids that stand in the query or the body
    Case("GET", "/mail/oauth/<provider>/start", "/mail/oauth/google/start?account={gmail}&preset=gmail"),
    Case("GET", "/mail/image", "/mail/image?url={url}&key={image_key}", owner_may=False),
    *(
        Case("POST", "/mail/actions", "/mail/actions", {"do": deed, "message": "{message}", **extra})
        for deed in DEEDS
        for extra in ({"target": "{trash}"}, {"target": "{trash}", "view": "conversations"})
        if deed not in ("label", "unlabel", "not-junk", "unread", "unstar", "junk")
    ),
    Case("POST", "/mail/actions", "/mail/actions", {"do": "label:Work", "message": "{message}"}),
]
"""`owner_may=False` where the owner too is refused: an admin's page, or a fetch that no test makes."""

NO_ID = {
    "/static/<path:filename>": "files of the product, the same for everybody",
    "/static/v-<version>/<path:filename>": "files of the product, the same for everybody",
    "/setup/<token>": "the token is the right: tests/webmail/users/test_links.py",
    "/invite/<token>": "the token is the right: tests/webmail/users/test_links.py",
    "/activate/<token>": "the token is the right: tests/webmail/users/test_links.py",
    "/reset/<token>": "the token is the right: tests/webmail/users/test_links.py",
    "/admin/oauth/<provider>": "a provider is nobody's; admins only",
    "/admin/machines/log/<kind>": "a kind of service is nobody's; admins only: tests/webmail/machines/test_pages.py",
    "/mail/oauth/<provider>/callback": "bound to the session by its state: tests/webmail/accounts",
}


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
    written_in = make_folder(db, account, "Drafts", Role.DRAFTS)
    message = make_message(db, folder, bodystructure=HTML, subject=SECRET, preview=SECRET)
    make_message(db, folder, answers=message)
    written = make_message(db, written_in, flags=["\\Draft"], subject=SECRET)
    for row in (message, written):
        for section in ("1", "HEADER", ""):
            octets = f"Subject: {SECRET}\r\n\r\n<p>{SECRET}".encode()
            bodies.store_section(db, parts.vault, account, row.id, section, [octets], clock.now())
    action = actions.flag(db, alice.id, [message.id], {"\\Flagged"}, set(), clock, parts.bus)
    draft = _draft(db, account, SECRET)
    file = attachments.attach(db, draft, f"{SECRET}.txt", "text/plain", [SECRET.encode()], room_octets=9_999, now=START)
    sent = _draft(db, account, "On its way")
    outgoing = Outgoing(user_id=alice.id, account_id=account.id, draft_id=sent.id, mail_from=account.address,
                        recipients=["bob@example.org"], subject=SECRET, message_id="1@example.net", message=b"",
                        created_at=START, not_before=START)  # fmt: skip
    db.add(outgoing)
    db.commit()
    mailbox = hosting.ensure_mailbox(parts, db, alice)
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
            "mailbox": mailbox.id, "app_password": db.scalar(select(AppPassword.id)),
            "hosted_identity": db.scalar(select(Identity.id).where(Identity.address == "alice@localhost")),
            "mailbox_address": hosting.add_address(db, mailbox.id, "al", "").id,
        },
    )  # fmt: skip


def _draft(db, account: MailAccount, text: str) -> Draft:
    values = Values(account.identities[0].id, to="bob@example.org", subject=text, text=text)
    return drafts.save(db, account.owner_id, str(uuid4()), values, version=0, now=START)


NOBODYS: dict[str, Any] = {
    "account": 999_001, "gmail": 999_002, "folder": 999_003, "trash": 999_004, "message": 999_005, "written": 999_006,
    "action": 999_007, "draft": str(uuid4()), "attachment": str(uuid4()), "outgoing": str(uuid4()), "user": 999_010,
    "machine": 999_011, "service": 999_012,
    "mailbox": 999_020, "app_password": 999_021, "mailbox_address": 999_022,
    "hosted_identity": 999_023,
    "identity": 999_008, "session": 999_009, "url": "http://images.example/b.png", "image_key": "A" * 24,
}  # fmt: skip


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


def ask(browser, case: Case, ids: dict[str, Any]):
    form: dict[str, Any] = {name: str(value).format(**ids) for name, value in case.form.items()}
    if "files" in form:
        form["files"] = (BytesIO(b"hello"), "hello.txt")
    return browser.open(case.address.format(**ids), method=case.method, data=form or None)


def shown(answer, ids: dict[str, Any]) -> str:
    """The answer without what differs by nature: the ids that were asked for."""
    text = TOKENS.sub("", answer.text)
    for value in sorted(map(str, ids.values()), key=len, reverse=True):
        text = text.replace(value, "•") if len(value) > 4 else text
    return text


def everything(db) -> dict[str, list[Any]]:
    """All rows of the public database."""
    db.rollback()
    return {table.name: sorted(map(repr, db.execute(sa.select(table)).all())) for table in Base.metadata.sorted_tables}


sqlite_only = pytest.mark.parametrize("config", ["sqlite"], indirect=True)


def test_every_address_with_an_id_is_in_the_table(app):
    known = {(case.method, case.rule) for case in CASES}
    for rule in app.url_map.iter_rules():
        if rule.arguments and str(rule) not in NO_ID:
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                assert (method, str(rule)) in known, f"{method} {rule} has no line in CASES"


@sqlite_only
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_strangers_thing_is_as_good_as_none(db, alices, mallorys, case):
    mallorys.browser.get("/settings/security")  # the session has its CSRF token from here on
    before = everything(db)
    theirs = ask(mallorys.browser, case, alices.ids)
    after = everything(db)
    nobodys = ask(mallorys.browser, case, NOBODYS)
    assert (theirs.status_code, nobodys.status_code) == (case.status, case.status)
    assert shown(theirs, alices.ids) == shown(nobodys, NOBODYS)
    assert SECRET not in theirs.text
    assert dict(theirs.headers).keys() == dict(nobodys.headers).keys()
    assert after == before
    if case.owner_may:
        assert ask(alices.browser, case, alices.ids).status_code != case.status


def test_an_id_no_row_can_have_is_none(alices):
    """Neither database counts to 2**63, and an id of PostgreSQL ends at 2**31."""
    with_number = [case for case in CASES if "<int:" in case.rule or case.rule == "/mail/actions"]
    for number in (2**31, 2**63):
        ids = {name: number if isinstance(value, int) else value for name, value in alices.ids.items()}
        for case in with_number:
            wanted = (303,) if case.rule == "/mail/actions" else (404, 405)  # 405: the address has another method
            assert ask(alices.browser, case, ids).status_code in wanted, (number, case)


def test_a_query_with_an_id_no_row_can_have_is_as_good_as_none(alices):
    for number in (2**31, 2**63, 10**40, "٣", "-1", "1e3"):
        assert alices.browser.get(f"/mail/tree?folder={number}").status_code == 200
        assert alices.browser.get(f"/mail/oauth/google/start?account={number}").status_code == 404


@sqlite_only
def test_ones_own_folder_does_not_open_a_strangers_message(alices, mallorys):
    for folder, message in ((mallorys.ids, alices.ids), (alices.ids, mallorys.ids)):
        address = f"/mail/folder/{folder['folder']}/message/{message['message']}"
        for fragment in ("", "?fragment=message"):
            assert mallorys.browser.get(address + fragment).status_code == 404


@sqlite_only
@pytest.mark.parametrize("deed", ["move", "copy"])
def test_nothing_is_put_into_a_strangers_folder(db, alices, mallorys, deed):
    before = everything(db)
    answers = [
        mallorys.browser.post("/mail/actions", data={"do": deed, "message": mallorys.ids["message"], "target": folder})
        for folder in (alices.ids["folder"], NOBODYS["folder"])
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert everything(db) == before


@sqlite_only
@pytest.mark.parametrize("view", ["messages", "conversations"])
def test_a_strangers_message_among_ones_own_is_passed_over(db, alices, mallorys, view):
    chosen = [mallorys.ids["message"], alices.ids["message"]]
    answer = mallorys.browser.post("/mail/actions", data={"do": "delete", "message": chosen, "view": view})
    assert answer.status_code == 303
    db.expire_all()
    assert db.get_one(Message, mallorys.ids["message"]).folder_id == mallorys.ids["trash"]
    assert db.get_one(Message, alices.ids["message"]).folder_id == alices.ids["folder"]


@sqlite_only
def test_a_draft_takes_nothing_of_a_strangers(db, alices, mallorys):
    """Identity, message answered, parts of it, attachment to remove: ids in the composer's form."""
    uuid = str(uuid4())
    form = {"version": "0", "text": "Hello", "to": "bob@example.org", "from": alices.ids["identity"],
            "answers": alices.ids["message"], "original": ["1", ""], "kind": "forward",
            "remove": alices.ids["attachment"], "do": "save"}  # fmt: skip
    answer = mallorys.browser.post(f"/mail/draft/{uuid}", data=form)
    assert answer.status_code == 303
    draft = db.scalars(select(Draft).where(Draft.uuid == uuid)).one()
    assert (draft.identity_id, draft.account_id, draft.answers_message_id) == (None, None, None)
    files = db.scalars(select(DraftAttachment)).all()
    assert [(file.uuid, file.draft_id == draft.id) for file in files] == [(alices.ids["attachment"], False)]
    sent = mallorys.browser.post(f"/mail/draft/{uuid}", data={**form, "version": "1", "do": "send"})
    assert sent.status_code == 422  # there is nobody to write as
    assert len(db.scalars(select(Outgoing)).all()) == 1


@sqlite_only
def test_a_strangers_identity_or_attachment_does_not_go_with_ones_own_account_or_draft(db, alices, mallorys):
    own = _draft(db, mallorys.account, "Mine")
    before = everything(db)
    account, theirs = mallorys.ids["account"], alices.ids
    for address in (
        f"/mail/accounts/{account}/identities/{theirs['identity']}",
        f"/mail/accounts/{account}/identities/{theirs['identity']}/remove",
        f"/mail/draft/{own.uuid}/attachments/{theirs['attachment']}",
    ):
        method = "POST" if "accounts" in address else "GET"
        data = {"name": "M", "address": "m@example.org"} if method == "POST" else None
        assert mallorys.browser.open(address, method=method, data=data).status_code == 404
    assert everything(db) == before
    mallorys.browser.post(f"/mail/draft/{own.uuid}/attachments/{theirs['attachment']}/remove")
    assert db.scalars(select(DraftAttachment.uuid)).all() == [theirs["attachment"]]


@sqlite_only
def test_lists_and_trees_hold_ones_own_alone(db, alices, mallorys):
    folder = alices.ids["folder"]
    for address in ("/mail", "/mail/outbox", "/mail/accounts", f"/mail/tree?folder={folder}", "/mail/compose",
                    "/settings/security", "/settings/import"):  # fmt: skip
        page = mallorys.browser.get(address, follow_redirects=True)
        assert page.status_code == 200
        assert SECRET not in page.text
        assert "alice@example.net" not in page.text
        assert f"/mail/folder/{folder}" not in page.text


@sqlite_only
def test_a_signature_is_for_one_person_and_one_message(db, parts, alice, mallory, mallorys, clock):
    """*Show once* of another person, or of another message, loads no images."""
    octets = b'<p>Hello <img src="http://images.example/a.png"></p>'
    own = mallorys.ids["message"]
    bodies.store_section(db, parts.vault, mallorys.account, own, "1", [octets], clock.now())
    keys = [signing.show_key(parts.private, alice.id, own), signing.show_key(parts.private, mallory.id, own + 1)]
    for key in keys:
        assert "/mail/image?" not in mallorys.browser.get(f"/mail/message/{own}/body?images={key}").text
    key = signing.show_key(parts.private, mallory.id, own)
    assert "/mail/image?" in mallorys.browser.get(f"/mail/message/{own}/body?images={key}").text


NO_SECTIONS = (
    "", "0", "2", "1.1", "1.MIME", "HEADER", "TEXT", "..", "../1", "..%2f1", "%2e%2e", "1%00", "1%0d%0aHEADER", "1 2",
    "1%5d%20(BODY%5b", "%ff", "9" * 300, "1.", ".1", "-1", "１",
)  # fmt: skip


@sqlite_only
def test_a_section_the_message_does_not_have_is_none(db, alices):
    """And none of them reaches the engine as a request."""
    before = everything(db)
    for section in NO_SECTIONS:
        answer = alices.browser.get(f"/mail/message/{alices.ids['message']}/part/{section}")
        assert answer.status_code == 404, section
    assert everything(db) == before


@sqlite_only
def test_bells_of_a_stranger_are_not_heard(parts, alice, mallory, alices):
    owners = Owners(parts.public)
    rung = [Bell(Topic.FOLDER, alices.ids["folder"]), Bell(Topic.TREE, alice.id), Bell(Topic.SENT, alice.id)]
    assert [is_for(bell, mallory.id, owners) for bell in rung] == [False, False, False]
    assert [is_for(bell, alice.id, owners) for bell in rung] == [True, True, True]
