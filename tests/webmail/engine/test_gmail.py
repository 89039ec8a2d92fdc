"""Gmail as Gmail (E15), from a server with labels through the engine to the pages, and back again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import create_app
from app.accounts.models import MailAccount
from app.bus import Topic
from app.errors import ActionRefused
from app.mirror.queries import list_messages
from app.users import sessions
from app.users.models import User
from tests.fake_gmail import ALL_MAIL, SPAM, TRASH, GmailServer
from tests.webmail.engine.conftest import Post, wait_for
from tests.webmail.mirror.test_labels import assert_views_are_right

INBOX = "\\Inbox"
SUBJECT = re.compile(r'<span class="row-subject">(.*?)</span>')
ROW = re.compile(r'name="message" value="(\d+)".*?class="row-subject">(.*?)</span>', re.DOTALL)


class Browser:
    """Alice's browser, and what she sees in it."""

    def __init__(self, post: Post, client: FlaskClient, account: MailAccount) -> None:
        self._post, self._client, self._account = post, client, account

    def _address(self, folder: str) -> str:
        return f"/mail/folder/{self._post.folders(self._account.id)[folder].id}"

    def list(self, folder: str, view: str = "messages") -> list[str]:
        page = self._client.get(f"{self._address(folder)}?view={view}")
        assert page.status_code == 200
        return SUBJECT.findall(page.text)

    def tree(self) -> str:
        return self._client.get("/mail/tree").text

    def menu(self, folder: str) -> Sequence[tuple[str, str]]:
        """The deeds of the menu that moves and labels the selection, and their words."""
        page = self._client.get(self._address(folder)).text
        return re.findall(r'class="menu-item" form="list" name="do" value="([^"]+)".*?class="clip">(.*?)</span>', page)

    def act(self, deed: str, folder: str, *subjects: str, target: str = "") -> str:
        """What the toolbar of a list sends; the address that undoes it."""
        page = self._client.get(f"{self._address(folder)}?view=messages").text
        ids = {subject: id for id, subject in ROW.findall(page)}
        there = self._post.folders(self._account.id)
        form = {
            "do": f"{deed}:{there[target].id}" if target else deed,
            "message": [ids[subject] for subject in subjects],
            "folder": there[folder].id,
            "view": "messages",
        }
        answer = self._client.post("/mail/actions", data=form, headers={"Accept": "application/json"})
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["undo"])

    def undo(self, address: str) -> None:
        assert self._client.post(address, headers={"Accept": "application/json"}).status_code == 200


@pytest.fixture
def server() -> GmailServer:
    """Four messages: two in the inbox, one of them with a label and a star; one sent; one archived."""
    server = GmailServer(["Travel", "Family"])
    server.deliver_labelled("Old plans")
    server.deliver_labelled("Tickets", INBOX, "Travel", "\\Important", thrid=7, flags=["\\Flagged"])
    server.deliver_labelled("Thanks for the tickets", "\\Sent", thrid=7, flags=["\\Seen"])
    server.deliver_labelled("Lunch", INBOX)
    return server


def is_synced(post: Post, account_id: int, server: GmailServer) -> bool:
    stored = post.folders(account_id)
    return stored.keys() >= {*server.folders, *server.views} and all(
        stored[name].complete for name in (*server.folders, *server.views)
    )


@pytest.fixture
def account(post: Post, server: GmailServer) -> MailAccount:
    post.start_engine(tree_s=0.05)
    account = post.add(server)
    wait_for(lambda: is_synced(post, account.id, server), "the first sync")
    return account


@pytest.fixture
def browser(post: Post, db: Session, alice: User, account: MailAccount) -> Iterator[Browser]:
    """At the end, when the engine has come to rest, the views must be what the messages say."""
    app = create_app(parts=post.parts)
    app.config["WTF_CSRF_ENABLED"] = False
    token = sessions.start_session(db, alice, post.parts.clock.now())
    db.commit()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"], cookie["_fresh"] = token, True
    yield Browser(post, client, account)
    post.stop()
    assert_views_are_right(db)


def test_each_label_is_a_folder_and_each_message_one_row(browser: Browser, post: Post, account: MailAccount) -> None:
    assert browser.list("INBOX") == ["Lunch", "Tickets"]
    assert browser.list("Travel") == ["Tickets"]
    assert browser.list("[Gmail]/Starred") == ["Tickets"]
    assert browser.list("[Gmail]/Important") == ["Tickets"]
    assert browser.list("[Gmail]/Sent Mail") == ["Thanks for the tickets"]
    assert browser.list(ALL_MAIL) == ["Lunch", "Thanks for the tickets", "Tickets", "Old plans"]
    assert browser.list("INBOX", "conversations") == ["Lunch", "Tickets"]
    assert browser.list(ALL_MAIL, "conversations") == ["Lunch", "Thanks for the tickets", "Old plans"]
    folders = post.folders(account.id)
    assert [(folders[name].total, folders[name].unread) for name in ("INBOX", "Travel", ALL_MAIL)] == [
        (2, 2), (1, 1), (4, 3),
    ]  # fmt: skip
    assert "All Mail" in browser.tree()


def test_only_what_holds_messages_is_synced(server: GmailServer, browser: Browser) -> None:
    asked = {folder for method, folder in server.calls if method in ("changes", "headers", "previews", "fetch")}
    assert asked == {ALL_MAIL, SPAM, TRASH}
    assert {folder for method, folder in server.calls if method == "start_watching"} == {ALL_MAIL}


def test_archiving_leaves_the_inbox_and_stays_in_all_mail(browser: Browser, server: GmailServer) -> None:
    undo = browser.act("archive", "INBOX", "Tickets")
    assert browser.list("INBOX") == ["Lunch"]  # at once: the server need not know yet
    assert "Tickets" in browser.list(ALL_MAIL)
    wait_for(lambda: server.shown("INBOX") == [4], "the server's inbox")
    assert server.all_mail[2].labels == {"Travel", "\\Important"}
    browser.undo(undo)
    assert browser.list("INBOX") == ["Lunch", "Tickets"]
    wait_for(lambda: server.shown("INBOX") == [2, 4], "the server's inbox")


def test_moving_between_labels(browser: Browser, server: GmailServer) -> None:
    undo = browser.act("move", "Travel", "Tickets", target="Family")
    assert (browser.list("Travel"), browser.list("Family")) == ([], ["Tickets"])
    assert browser.list("INBOX") == ["Lunch", "Tickets"]
    wait_for(lambda: server.shown("Family") == [2] and server.shown("Travel") == [], "the server's labels")
    browser.undo(undo)
    assert (browser.list("Travel"), browser.list("Family")) == (["Tickets"], [])
    wait_for(lambda: server.shown("Travel") == [2] and server.shown("Family") == [], "the server's labels")
    browser.act("move", "INBOX", "Lunch", target="Family")
    wait_for(lambda: server.all_mail[4].labels == {"Family"}, "out of the inbox, under the label")
    browser.act("copy", "Family", "Lunch", target="Travel")
    wait_for(lambda: server.all_mail[4].labels == {"Family", "Travel"}, "under both labels")
    assert len(browser.list(ALL_MAIL)) == 4


def test_labels_are_added_and_removed_from_the_menu(browser: Browser, server: GmailServer) -> None:
    menu = browser.menu("Travel")
    assert [(deed.partition(":")[0], words) for deed, words in menu if "label" in deed or deed.startswith("copy")] == [
        ("copy", "Add Family"), ("unlabel", "Remove Travel"),
    ]  # fmt: skip
    browser.act({words: deed for deed, words in menu}["Add Family"], "Travel", "Tickets")
    assert (browser.list("Travel"), browser.list("Family")) == (["Tickets"], ["Tickets"])
    browser.act("unlabel:Travel", "Travel", "Tickets")
    wait_for(lambda: server.all_mail[2].labels == {INBOX, "Family", "\\Important"}, "the server's labels")


@pytest.mark.parametrize(("deed", "store"), [("delete", TRASH), ("junk", SPAM)])
def test_trash_and_spam_are_real_moves_and_undo_puts_back(
    browser: Browser, server: GmailServer, deed: str, store: str
) -> None:
    undo = browser.act(deed, "INBOX", "Tickets")
    assert (browser.list("INBOX"), browser.list(store), browser.list("Travel")) == (["Lunch"], ["Tickets"], [])
    wait_for(lambda: len(server.folders[store].messages) == 1, "the move")
    browser.undo(undo)
    assert (browser.list("INBOX"), browser.list(store)) == (["Lunch", "Tickets"], [])
    wait_for(lambda: not server.folders[store].messages, "the move back")
    (back,) = [message for uid, message in server.all_mail.items() if b"Subject: Tickets" in message.raw]
    assert back.labels == {INBOX, "Travel", "\\Important"}


def test_what_came_back_is_known_by_its_uid_in_all_mail(
    browser: Browser, server: GmailServer, post: Post, account: MailAccount
) -> None:
    """The move's answer names UIDs of the label's own folder: they must not be taken for those of All Mail."""
    browser.act("junk", "INBOX", "Lunch")
    wait_for(lambda: server.folders[SPAM].messages, "the move")
    browser.act("not-junk", SPAM, "Lunch")
    assert browser.list("INBOX") == ["Lunch", "Tickets"]
    wait_for(lambda: post.messages(account.id, ALL_MAIL).keys() == server.all_mail.keys() == {1, 2, 3, 5}, "its UID")
    browser.act("read", "INBOX", "Lunch")
    wait_for(lambda: "\\Seen" in server.all_mail[5].flags, "the flag")


def test_stars_are_a_view_too(browser: Browser, server: GmailServer) -> None:
    browser.act("star", "INBOX", "Lunch")
    assert browser.list("[Gmail]/Starred") == ["Lunch", "Tickets"]
    wait_for(lambda: "\\Flagged" in server.all_mail[4].flags, "the star")
    browser.act("unstar", "INBOX", "Tickets")
    assert browser.list("[Gmail]/Starred") == ["Lunch"]


def test_a_refused_archiving_comes_back(browser: Browser, server: GmailServer) -> None:
    server.failures["apply"] = [ActionRefused("Not now")]
    browser.act("archive", "INBOX", "Tickets")
    wait_for(lambda: "Not now" in browser.tree(), "the server's words")
    assert browser.list("INBOX") == ["Lunch", "Tickets"]
    assert server.shown("INBOX") == [2, 4]


def test_labels_changed_elsewhere_appear(
    browser: Browser, server: GmailServer, post: Post, account: MailAccount
) -> None:
    inbox = post.folders(account.id)["INBOX"]
    with post.parts.bus.subscribe() as ear:
        server.label(4, "Family")
        wait_for(
            lambda: (browser.list("INBOX"), browser.list("Family")) == (["Tickets"], ["Lunch"]), "what the server shows"
        )
        heard = {(bell.topic, bell.subject) for bell in ear.wait(5)}
        while (Topic.FOLDER, inbox.id) not in heard:
            bells = ear.wait(5)
            assert bells, heard
            heard |= {(bell.topic, bell.subject) for bell in bells}


def test_new_mail_and_new_labels_appear(browser: Browser, server: GmailServer) -> None:
    server.deliver_labelled("Invitation", INBOX, "Parties")
    wait_for(lambda: browser.list("INBOX") == ["Invitation", "Lunch", "Tickets"], "new mail, by IDLE")
    server.views["Parties"] = (None, "Parties")
    wait_for(lambda: "Parties" in browser.tree(), "the label")
    wait_for(lambda: browser.list("Parties") == ["Invitation"], "its messages")


def test_the_inbox_is_there_before_older_mail(quick_post: Post) -> None:
    """Its newest messages may lie far below the newest of All Mail."""
    server = GmailServer()
    for number in range(60):
        server.deliver_labelled(f"Letter {number}", INBOX)
    for number in range(700):
        server.deliver_labelled(f"Newsletter {number}", "News")
    gate = server.gate("headers", after=1)
    quick_post.start_engine()
    account = quick_post.add(server)
    wait_for(gate.reached.is_set, "older mail")
    asked = [call for call in server.calls if call[0] not in ("connect", "folders")]
    assert asked[:3] == [("changes", ALL_MAIL), ("labelled", ALL_MAIL), ("headers", ALL_MAIL)]
    with quick_post.parts.public.session() as db:
        inbox = quick_post.folders(account.id)["INBOX"]
        assert [row.subject for row in list_messages(db, inbox.id)] == [f"Letter {n}" for n in range(59, 9, -1)]
    assert inbox.total == 60
    gate.open()
    wait_for(lambda: is_synced(quick_post, account.id, server), "the first sync")
    with quick_post.parts.public.session() as db:
        assert_views_are_right(db)
    assert quick_post.folders(account.id)["INBOX"].total == 60
