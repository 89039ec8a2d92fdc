"""From nothing to a mailbox elsewhere, and to its end: fresh installations, a real Chromium, a real Dovecot.

Of external accounts alone: servers to be typed in and found wrong, connections to be counted.  What MailSite mode has
in their place is told in test_hosted.py; everything between is in webmail/test_whole_way.py, over both.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect
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


@pytest.fixture
def mailbox(dovecot: Dovecot, smtp_sink: SmtpSink) -> Mailbox:
    """An empty mailbox of this test's person."""
    user = dovecot.add_user()
    smtp_sink.accounts[user.name] = user.password
    return Mailbox(user, dovecot, smtp_sink)


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
    walk.expect_added(page)


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
