"""The main job once, as people do it: a fresh installation, a real Chromium, a real Dovecot, a real SMTP server.

One story a test.  Only the servers of other people's mail are ours; everything else is started as a deployer does.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select

from app.engine.models import Engine
from tests.browser import letters, walk
from tests.browser.walk import Mailbox, Site, row
from tests.servers import dovecot as dovecots
from tests.servers.certificates import Authority
from tests.servers.dovecot import Dovecot
from tests.servers.engine import wait_for
from tests.servers.smtp_sink import SmtpSink

pytestmark = [pytest.mark.browser, pytest.mark.servers, pytest.mark.timeout(110)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Site]:
    """Satchel for the stories that leave it as it is; each brings a person of its own."""
    with walk.serve_site(tmp_path_factory.mktemp("site"), authority) as site:
        yield site


@pytest.fixture
def mailbox(dovecot: Dovecot, smtp_sink: SmtpSink) -> Mailbox:
    """An empty mailbox of this test's person."""
    user = dovecot.add_user()
    smtp_sink.accounts[user.name] = user.password
    return Mailbox(user, dovecot, smtp_sink)


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What a script raised or the page's policy forbade; a test fails if there is anything."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def new_page(make_context: Callable[..., BrowserContext], faults: list[str]) -> Iterator[Callable[..., Page]]:
    """A browser of somebody's own, at 1280 pixels; options as Playwright's new_context takes them.

    What it shows in the end is printed, so that a test that failed says where it was.
    """
    pages: list[Page] = []

    def new_page(**options: object) -> Page:
        page = make_context(viewport={"width": 1280, "height": 800}, **options).new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        pages.append(page)
        return page

    yield new_page
    for page in pages:
        print(f"{page.url}\n{page.locator('body').inner_text()}")


@pytest.fixture
def settle(site: Site, mailbox: Mailbox, new_page: Callable[..., Page]) -> Iterator[Callable[..., Page]]:
    """Somebody with the mailbox as their account, its inbox on the screen."""

    def settle(**options: object) -> Page:
        page = new_page(**options)
        walk.sign_in(page, site.url, site.sign_up(f"owner-of-{mailbox.user.name}"))
        walk.add_account(page, site, mailbox)
        walk.open_inbox(page, site, with_script=bool(options.get("java_script_enabled", True)))
        return page

    yield settle
    print(site.log.read_text()[-4_000:])


# ------------------------------------------------------------------------------------------- from nothing to a mailbox


def test_from_the_set_up_link_to_a_mailbox(
    tmp_path, authority: Authority, mailbox: Mailbox, new_page: Callable[..., Page]
) -> None:
    mailbox.dovecot.deliver(mailbox.user, letters.plain("Welcome aboard"))
    with ExitStack() as stack:
        expired = stack.enter_context(dovecots.serve(authority, certificate=authority.issue(expired=True)))
        site = stack.enter_context(walk.prepare_site(tmp_path / "site", authority))
        said = site.flask("users", "setup-link")
        stack.enter_context(walk.run(site))
        admin = new_page()
        set_up(admin, re.search(r"http\S+", said)[0])
        choose_external_mail(admin)
        invitation = invite(admin, "ida@example.org")
        walk.sign_out(admin)
        accept(admin, invitation)
        walk.sign_in(admin, site.url, walk.Person("ida@example.org"))
        add_after_three_failures(admin, mailbox, expired)
        walk.open_inbox(admin, site)
        expect(row(admin, "Welcome aboard")).to_be_visible()
        assert mailbox.user.password not in site.log.read_text()


def set_up(page: Page, link: str) -> None:
    """The first admin; the link then works no more."""
    page.goto(link)
    page.get_by_label("Your name").fill("Ada Admin")
    page.get_by_label("Mail address").fill("ada@example.org")
    page.get_by_label("Password").fill(walk.PASSWORD)
    page.get_by_role("radio", name="Decide later").check()
    page.get_by_role("button", name="Create administrator").click()
    expect(page.get_by_text("Signed in as Ada Admin")).to_be_attached()
    assert page.request.get(link).status == 404


def choose_external_mail(page: Page) -> None:
    """Mail begins, servers on this machine may be used; ending it again is asked about first."""
    page.get_by_role("link", name="Administration").first.click()
    page.get_by_role("link", name="Mail Services").first.click()
    expect(page.get_by_role("radio", name=re.compile("^MailSite and External"))).to_be_disabled()
    page.get_by_role("radio", name=re.compile("^External Mail Accounts")).check()
    page.get_by_label("Private hosts").fill("localhost")
    page.get_by_label("Hosts without encryption").fill("localhost")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved. The mode is External Mail Accounts.")).to_be_visible()
    page.get_by_role("radio", name=re.compile("^Mail Disabled")).check()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("This stops at once:")).to_be_visible()
    page.get_by_role("link", name="Keep it as it is").click()
    expect(page.get_by_role("radio", name=re.compile("^External Mail Accounts"))).to_be_checked()
    expect(page.get_by_label("Private hosts")).to_have_value("localhost")


def invite(page: Page, email: str) -> str:
    """The link that opens the account."""
    page.get_by_role("link", name="Users", exact=True).click()
    page.get_by_label("Mail address").fill(email)
    page.get_by_role("button", name="Invite").click()
    return page.locator(".copy code").inner_text()


def accept(page: Page, invitation: str) -> None:
    page.goto(invitation)
    page.get_by_label("Password").fill(walk.PASSWORD)
    page.get_by_role("button", name="Save password").click()


def add_after_three_failures(page: Page, mailbox: Mailbox, expired: Dovecot) -> None:
    """Address and password; then the servers by hand, and what is wrong with them one after the other."""
    user, good, sink = mailbox.user, mailbox.dovecot, mailbox.sink
    sending = (sink.host, sink.port, "STARTTLS")
    page.goto(re.sub(r"^(\w+://[^/]+).*", r"\1/mail/accounts/add", page.url))
    page.get_by_label("Mail address").fill(user.name)
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Find the settings").click()
    expect(page.get_by_text("Not all settings of")).to_be_visible()

    walk.fill_in_servers(page, (good.host, good.imaps_port, "TLS"), sending)
    page.get_by_label("Password", exact=True).fill("wrong password")
    page.get_by_role("button", name="Sign in and add").click()
    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text("refused the login")
    expect(refusal.locator("blockquote")).to_contain_text("Authentication failed")

    page.get_by_role("button", name="Change settings").click()
    walk.fill_in_servers(page, (expired.host, expired.imaps_port, "TLS"), sending)
    page.get_by_label("Password", exact=True).fill(user.password)
    page.get_by_role("button", name="Sign in and add").click()
    expect(refusal).to_contain_text("The certificate of localhost is not right")
    expect(refusal).to_contain_text("It ended on")

    page.get_by_role("button", name="Change settings").click()
    walk.fill_in_servers(page, (good.host, good.imap_port, "TLS"), sending)
    page.get_by_label("Password", exact=True).fill(user.password)
    page.get_by_role("button", name="Sign in and add").click()
    expect(refusal).to_contain_text("Wrong port or wrong security")

    page.get_by_role("button", name="Change settings").click()
    walk.fill_in_servers(page, (good.host, good.imap_port, "STARTTLS"), sending)
    page.get_by_label("Password", exact=True).fill(user.password)
    page.get_by_role("button", name="Sign in and add").click()
    expect(page.get_by_text("The newest mail comes first.")).to_be_visible()


# ------------------------------------------------------------------------------------------- read


def test_read(mailbox: Mailbox, settle: Callable[..., Page]) -> None:
    letter, dossier = letters.with_everything("Proofs for the spring")
    mailbox.dovecot.deliver(mailbox.user, letters.plain("Rehearsal moves"))
    mailbox.dovecot.deliver(mailbox.user, letter)
    page = settle()
    expect(page.locator(".row")).to_have_count(2)
    expect(row(page, "Proofs")).to_contain_text("Has attachments.")
    row(page, "Proofs").locator(".row-link").click()
    frame = page.frame_locator("iframe.message-frame")
    expect(frame.get_by_role("heading")).to_have_text("The proofs")
    expect(frame.locator("#own")).to_have_js_property("naturalWidth", 1)
    expect(page.locator("#message .notice")).to_contain_text("1 image held back")
    assert frame.locator("#far").get_attribute("src") is None
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Übersicht.pdf").click()
    assert download.value.suggested_filename == "Übersicht.pdf"
    assert download.value.path().read_bytes() == dossier
    wait_for(lambda: flags_of(mailbox, "Proofs") == ["\\Seen"], "\\Seen on the server")

    page.get_by_label("More actions for this message").click()
    source = page.get_by_role("link", name="Show source").get_attribute("href")
    shown = page.request.get(page.url.partition("/mail")[0] + (source or ""))
    assert shown.headers["content-type"].startswith("text/plain")
    assert b"Content-ID: <dot@proofs.example>" in shown.body()
    page.get_by_role("link", name="Show headers").click()
    expect(page.locator("dl.facts")).to_contain_text("X-Weather")
    expect(page.locator("dl.facts")).to_contain_text("fog until ten")


def flags_of(mailbox: Mailbox, subject: str, name: str = "INBOX") -> list[str]:
    """Flags on the server, \\Recent aside: it says who came first, no more."""
    return [flags.replace("\\Recent", "").strip() for flags in walk.flags_of(mailbox, subject, name)]


# ------------------------------------------------------------------------------------------- write


def test_answer_with_a_file_taken_back_and_sent_again(mailbox: Mailbox, settle: Callable[..., Page]) -> None:
    mailbox.dovecot.deliver(mailbox.user, letters.plain("The walk on Sunday"))
    page = settle()
    row(page, "The walk on Sunday").locator(".row-link").click()
    page.get_by_role("link", name="Reply", exact=True).click()
    expect(page.get_by_label("Subject")).to_have_value("Re: The walk on Sunday")
    page.get_by_label("Message", exact=True).fill("Gladly. The 8:40 train?")
    file = {"name": "Karte.png", "mimeType": "image/png", "buffer": letters.PIXEL}
    page.locator("#pick").set_input_files([file])
    expect(page.get_by_role("link", name="Karte.png")).to_be_visible()
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("Gladly. The 8:40 train?")
    expect(page.get_by_role("link", name="Karte.png")).to_be_visible()
    page.get_by_label("Message", exact=True).fill("Gladly. The 9:40 train?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert mailbox.sink.messages == []
    wait_for(mailbox.sink.arrived.is_set, "the message at the SMTP server")
    (sent,) = mailbox.sink.messages
    assert sent.recipients == ["sender@example.net"]
    assert sent.login == mailbox.user.name
    assert b"The 9:40 train?" in sent.content
    assert b"Karte.png" in sent.content
    wait_for(lambda: "9:40 train" in walk.text_in(mailbox, "Sent", "Re: The walk"), "the copy in Sent")
    wait_for(lambda: flags_of(mailbox, "The walk on Sunday") == ["\\Answered \\Seen"], "\\Answered on the original")
    assert len(walk.flags_of(mailbox, "Re: The walk", "Sent")) == 1
    walk.folder(page, "Inbox").click()
    expect(row(page, "The walk on Sunday")).to_contain_text("Answered.")


def test_a_refused_recipient_is_named(mailbox: Mailbox, settle: Callable[..., Page]) -> None:
    mailbox.dovecot.deliver(mailbox.user, letters.plain("Anything"))
    mailbox.sink.refused["nobody@example.net"] = "550 5.1.1 No such person here"
    page = settle()
    page.get_by_role("link", name="Compose").first.click()
    page.get_by_label("To", exact=True).fill("bob@example.net, nobody@example.net")
    page.get_by_label("Subject").fill("To both of you")
    page.get_by_label("Message", exact=True).fill("Hello.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    wait_for(mailbox.sink.arrived.is_set, "the message at the SMTP server")
    assert mailbox.sink.messages[0].recipients == ["bob@example.net"]
    page.get_by_role("link", name="Outbox").click()
    notice = page.locator(".outgoing", has_text="To both of you")
    wait_for(lambda: page.reload() and notice.get_by_text("Sent, but not to everybody").count(), "the refusal")
    expect(notice).to_contain_text("nobody@example.net")
    expect(notice).to_contain_text("No such person here")


def test_a_draft_is_kept_on_the_server_too(mailbox: Mailbox, settle: Callable[..., Page]) -> None:
    mailbox.dovecot.deliver(mailbox.user, letters.plain("Anything"))
    page = settle()
    page.get_by_role("link", name="Compose").first.click()
    page.get_by_label("To", exact=True).fill("bob@example.net")
    page.get_by_label("Subject").fill("Half a letter")
    page.get_by_label("Message", exact=True).fill("Dear Bob, the lamp")
    expect(page.locator("#saved")).to_have_text(re.compile("^Saved"))
    began = time.monotonic()
    page.get_by_role("link", name="Outbox").click()
    page.get_by_role("link", name="Half a letter").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("Dear Bob, the lamp")
    wait_for(lambda: "the lamp" in walk.text_in(mailbox, "Drafts", "Half a letter"), "the draft in Drafts")
    took_s = time.monotonic() - began
    print(f"a draft was in the Drafts folder {took_s:.1f} s after it was saved")
    assert took_s <= 30
    assert "\\Draft" in walk.flags_of(mailbox, "Half a letter", "Drafts")[0]


# ------------------------------------------------------------------------------------------- live


def test_what_happens_elsewhere_is_shown_by_itself(mailbox: Mailbox, settle: Callable[..., Page]) -> None:
    mailbox.dovecot.deliver(mailbox.user, letters.plain("The first"))
    page = settle()
    expect(page).to_have_title(re.compile(r"^\(1\) Inbox"))
    page.evaluate("window.stays = true")
    began = time.monotonic()
    mailbox.dovecot.deliver(mailbox.user, letters.plain("Fresh from the press"))
    expect(row(page, "Fresh from the press")).to_be_visible()
    print(f"delivered mail was on the screen after {time.monotonic() - began:.2f} s")
    expect(page).to_have_title(re.compile(r"^\(2\) Inbox"))
    expect(walk.folder(page, "Inbox").locator(".count")).to_have_text(re.compile("^2"))

    began = time.monotonic()
    words = ("-u", mailbox.user.name, "\\Flagged \\Seen", "mailbox", "INBOX", "header", "subject", "The first")
    mailbox.dovecot.doveadm("flags", "add", *words)
    expect(row(page, "The first").locator(".star")).to_have_attribute("aria-pressed", "true")
    print(f"a flag of another client was on the screen after {time.monotonic() - began:.2f} s")
    expect(row(page, "The first")).not_to_have_class(re.compile("is-unread"))
    expect(page).to_have_title(re.compile(r"^\(1\) Inbox"))
    expect(walk.folder(page, "Inbox").locator(".count")).to_have_text(re.compile("^1"))
    assert page.evaluate("window.stays === true")


# ------------------------------------------------------------------------------------------- without script


def test_read_write_move_and_delete_without_script(mailbox: Mailbox, settle: Callable[..., Page]) -> None:
    letter, dossier = letters.with_everything("Proofs for the spring")
    for each in (letters.plain("To be kept"), letters.plain("To be gone"), letter):
        mailbox.dovecot.deliver(mailbox.user, each)
    page = settle(java_script_enabled=False)
    wait_for(lambda: page.reload() and page.locator(".row").count() == 3, "all three")
    row(page, "Proofs").get_by_role("link").click()
    expect(page.frame_locator("iframe.message-frame").get_by_role("heading")).to_have_text("The proofs")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download Übersicht.pdf").click()
    assert download.value.path().read_bytes() == dossier
    page.get_by_role("link", name="Reply", exact=True).click()
    page.get_by_label("Message", exact=True).fill("Page 14 is too dark.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.goto(page.url.partition("/mail")[0] + "/mail")
    row(page, "To be kept").get_by_role("checkbox").check()
    selected = page.get_by_role("toolbar", name="Selected")
    selected.locator("summary").click()
    selected.get_by_role("button", name="Archive", exact=True).last.click()
    expect(row(page, "To be kept")).to_have_count(0)
    row(page, "To be gone").hover()
    row(page, "To be gone").get_by_role("button", name="Delete").click()
    expect(row(page, "To be gone")).to_have_count(0)
    wait_for(lambda: flags_of(mailbox, "To be kept", "Archive"), "the move on the server")
    wait_for(lambda: flags_of(mailbox, "To be gone", "Trash"), "the deletion on the server")
    assert flags_of(mailbox, "To be kept") == flags_of(mailbox, "To be gone") == []
    wait_for(mailbox.sink.arrived.is_set, "the answer at the SMTP server")
    assert b"Page 14 is too dark." in mailbox.sink.messages[0].content


# ------------------------------------------------------------------------------------------- the engine, the switch


def test_a_killed_engine_comes_back_and_mail_disabled_ends_everything(
    tmp_path, authority: Authority, mailbox: Mailbox, new_page: Callable[..., Page]
) -> None:
    mailbox.dovecot.deliver(mailbox.user, letters.plain("Before"))
    with walk.serve_site(tmp_path / "site", authority) as site:
        page = new_page()
        walk.sign_in(page, site.url, site.sign_up("ada@example.org", "--admin"))
        walk.add_account(page, site, mailbox)
        walk.open_inbox(page, site)
        os.kill(engine_pid(site), signal.SIGKILL)
        mailbox.dovecot.deliver(mailbox.user, letters.plain("While nobody watched"))
        expect(row(page, "While nobody watched")).to_be_visible(timeout=30_000)
        mailbox.dovecot.deliver(mailbox.user, letters.plain("And by IDLE again"))
        expect(row(page, "And by IDLE again")).to_be_visible()
        assert connections(mailbox) > 0

        page.goto(site.url + "/admin/mail-services")
        page.get_by_role("radio", name=re.compile("^Mail Disabled")).check()
        page.get_by_role("button", name="Save changes").click()
        page.get_by_role("button", name="Change to Mail Disabled").click()
        expect(page.get_by_text("Saved. The mode is Mail Disabled.")).to_be_visible()
        answers = [page.request.get(site.url + "/mail", headers={"Connection": "close"}) for _turn in range(20)]
        assert {answer.status for answer in answers} == {404}
        wait_for(lambda: connections(mailbox) == 0, "the connections to close", site.log)


def engine_pid(site: Site) -> int:
    with site.parts() as parts, parts.public.session() as db:
        return db.scalars(select(Engine.pid)).one()


def connections(mailbox: Mailbox) -> int:
    return sum(mailbox.user.name in line for line in mailbox.dovecot.doveadm("who").splitlines())
