"""Every address with an id, asked by Mallory with Alice's ids: what nobody has and what is Alice's look the same.

The table names each route that has an id, so a new route without its line here fails.  Each line is asked three times:
by Mallory with Alice's ids, by Mallory with ids nobody has, and by Alice, for whom it must work, or the line shows
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest

from app.actions.deeds import DEEDS
from tests.webmail.possessions import NOBODYS, SECRET, everything, sqlite_only

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
FOLDER = "/mail/accounts/<int:account_id>/folders/<int:folder_id>"
FOLDER_CHANGE = "/mail/accounts/<int:account_id>/folders/changes/<int:change_id>/dismiss"
ATTACHMENT = "/mail/draft/<uuid>/attachments/<file>"
OWN_IDENTITY = "/settings/identities/<int:identity_id>"
IMPORT = "/settings/import/<int:account_id>"
QUEUE_DEED = "<any(hold, release, retry, drop, 'drop-silently'):deed>"
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
    Case("POST", "/mail/actions/bulk/<int:bulk_id>/undo", "/mail/actions/bulk/{bulk}/undo"),
    Case("GET", "/mail/actions/empty/<int:folder_id>", "/mail/actions/empty/{trash}"),
    Case("POST", "/mail/search/saved/<int:search_id>/remove", "/mail/search/saved/{saved}/remove"),
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
    _account("/folders", "GET"),
    _account("/folders", name="Mine", parent="0"),
    *(
        Case(method, FOLDER + rule, f"/mail/accounts/{{account}}/folders/{{plain}}{rule}", form)
        for method, rule, form in (
            ("GET", "", {}),
            ("POST", "", {"name": "Mine", "parent": "0"}),
            ("GET", "/delete", {}),
            ("POST", "/delete", {}),
            ("POST", "/subscribe", {"subscribed": "0"}),
        )
    ),
    Case("POST", FOLDER_CHANGE, "/mail/accounts/{account}/folders/changes/{folder_change}/dismiss"),
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
    _admin("mailboxes/<int:mailbox_id>/delete-mail", "mailboxes/{mailbox}/delete-mail"),
    _admin("mailboxes/<int:mailbox_id>/release", "mailboxes/{mailbox}/release"),
    Case(
        "POST",
        "/mail/outbox/elsewhere/bounced/<int:bounced_id>/lift",
        "/mail/outbox/elsewhere/bounced/{bounced}/lift",
    ),
    Case(
        "POST",
        "/settings/trusted-senders/<int:trusted_id>/remove",
        "/settings/trusted-senders/{trusted}/remove",
    ),
    *(
        Case(
            "POST",
            "/settings/trusted-senders/author-of/<int:message_id>",
            "/settings/trusted-senders/author-of/{message}",
            {"who": who},
        )
        for who in ("address", "domain")
    ),
    _admin("forwarding/<int:alias_id>/remove", "forwarding/{relay}/remove"),
    _admin("relays/<int:relay_id>/remove", "relays/{relay}/remove"),
    _admin("relays/<int:relay_id>/try", "relays/{relay}/try"),
    _admin("queue/bounced/<int:bounced_id>/lift", "queue/bounced/{bounced}/lift"),
    _admin("test-mail/<token>", "test-mail/satcheltest", "GET"),
    _admin("queue/messages/<int:message_id>", "queue/messages/{message}", "GET"),
    _admin(f"queue/destinations/<domain>/{QUEUE_DEED}", "queue/destinations/there.example/drop"),
    _admin(f"queue/messages/<int:message_id>/{QUEUE_DEED}", "queue/messages/{message}/drop"),
    _admin(
        f"queue/messages/<int:message_id>/recipients/<int:recipient_id>/{QUEUE_DEED}",
        "queue/messages/{message}/recipients/{message}/drop",
    ),
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
    Case("GET", "/mail/search", "/mail/search?q=x&scope=folder-{folder}"),
    Case("GET", "/mail/search", "/mail/search?q=x&scope=account-{account}"),
    Case("GET", "/mail/oauth/<provider>/start", "/mail/oauth/google/start?account={gmail}&preset=gmail"),
    Case("GET", "/mail/image", "/mail/image?url={url}&key={image_key}", owner_may=False),
    *(
        Case("POST", "/mail/actions", "/mail/actions", {"do": deed, "message": "{message}", **extra})
        for deed in DEEDS
        for extra in ({"target": "{trash}"}, {"target": "{trash}", "view": "conversations"})
        if deed not in ("label", "unlabel", "not-junk", "unread", "unstar", "junk")
    ),
    Case("POST", "/mail/actions", "/mail/actions", {"do": "archive", "all": "1", "folder": "{folder}"}),
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
    "/admin/dns/<domain>": "a domain of this installation; admins only: tests/mailsite/dns_advice",
    "/admin/dns/<domain>/zone": "a domain of this installation; admins only: tests/mailsite/dns_advice",
    "/admin/dns/<domain>/keys": "a domain of this installation; admins only: tests/mailsite/dns_advice",
    "/admin/dns/<domain>/keys/switch": "a domain of this installation; admins only: tests/mailsite/dns_advice",
    "/admin/dns/<domain>/keys/<selector>/retire": "a domain of ours; admins only: tests/mailsite/dns_advice",
    "/admin/reports/<domain>": "a domain of this installation; admins only: tests/mailsite/reports",
    "/mail/oauth/<provider>/callback": "bound to the session by its state: tests/webmail/accounts",
}


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
            few = case.rule == "/mail/actions" and "all" not in case.form
            wanted = (303,) if few else (404, 405)  # 405: the address has another method
            assert ask(alices.browser, case, ids).status_code in wanted, (number, case)
