"""Relays: chosen by destination, signed in to over TLS that proves the name, and nowhere the guard forbids."""

from __future__ import annotations

import base64
from contextlib import ExitStack

import pytest
from sqlalchemy import select

from app.mail_services.models import MailServices
from app.mail_services.modes import Mode
from app.resolver import ZoneResolver
from app.runtime import build
from app.vault import rotate
from mailsite_ext.delivery import relays
from mailsite_ext.delivery.models import DeliveryAttempt, RelayServer
from mailsite_ext.delivery.relay import Relay
from mailsite_ext.delivery.relay_tls import RelayTls
from mailsite_ext.delivery.relays import Relays, Typed
from mailsite_ext.delivery.retry import Fate
from mailsite_ext.delivery.route import Hop, NoRoute
from mailsite_ext.protocol.smtp_client_auth import Login
from tests.conftest import START
from tests.mailsite.delivery.peer import Peer, serving
from tests.mailsite.delivery.test_dispatch import MESSAGE, Out

LOGIN = Login("satchel", "a secret")
PLAIN = base64.b64encode(b"\0satchel\0a secret").decode()


class Relayed(Out):
    """As Out, with relays: `routes` says which destination has one."""

    def __init__(self, parts, authority, stack):
        super().__init__(parts, authority, stack)
        self.routes = {}
        self.tls = authority.issue("relay.example").server_context()
        object.__setattr__(self.dispatcher._world, "relay_of", self.find)

    def find(self, domain):
        found = self.routes.get(domain)
        if isinstance(found, NoRoute):
            raise found
        return found

    def relay(self, kind=RelayTls.STARTTLS, login=LOGIN, host="relay.example", **options):
        options.setdefault("features", ("AUTH PLAIN", "PIPELINING"))
        options.setdefault("answers", {"AUTH": "235 2.7.0 welcome"})
        peer = self.peer("127.0.0.9", is_implicit=kind is RelayTls.IMPLICIT, **{"tls": self.tls} | options)
        return peer, Relay(Hop(host, ("127.0.0.9",)), 25, kind, login)


@pytest.fixture
def out(parts, authority):
    with ExitStack() as stack:
        made = Relayed(parts, authority, stack)
        yield made
        made.dispatcher._threads.shutdown()


@pytest.mark.parametrize("tls", list(RelayTls))
def test_a_destination_with_a_relay_goes_there_and_others_do_not(out, db, tls):
    other = out.peer("127.0.0.3")
    relay, out.routes["there.example"] = out.relay(tls)
    out.take("bob@there.example", "eve@other.example")
    out.turn()
    assert (relay.messages, other.messages) == ([MESSAGE], [MESSAGE]), out.fates()
    before = "EHLO mail.here.example" if tls is RelayTls.IMPLICIT else "STARTTLS"
    assert relay.commands.index(f"AUTH PLAIN {PLAIN}") > relay.commands.index(before)
    said = "".join(db.scalars(select(DeliveryAttempt.transcript)))
    assert "(signing in)" in said
    assert PLAIN not in said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tls": None}, "offers no STARTTLS"),
        ({"host": "other.example"}, "4.7.5"),  # the certificate is another's
        ({"answers": {"AUTH": "535 5.7.8 wrong"}}, "5.7.8 wrong"),
        ({"features": ("AUTH LOGIN",)}, "neither AUTH PLAIN nor SCRAM-SHA-256"),
        ({"features": ("AUTH PLAIN",), "answers": {"STARTTLS": "454 4.7.0 not now"}}, "4.7.0 not now"),
    ],
)
def test_no_word_of_the_password_without_proven_tls_and_the_message_stays(out, changed, words):
    peer, out.routes["there.example"] = out.relay(**changed)
    out.take("bob@there.example")
    out.turn()
    fate, code, said = out.fates()["bob@there.example"]
    assert (fate, code // 100) == (Fate.WAITING, 4)
    assert words in said
    assert peer.messages == []
    if "answers" not in changed or "AUTH" not in changed["answers"]:
        assert not any(command.startswith("AUTH") for command in peer.commands)


def test_what_a_relay_refuses_is_refused(out):
    peer, out.routes["there.example"] = out.relay(answers={"RCPT": "550 5.1.1 no such user"}, login=None)
    out.take("bob@there.example")
    out.turn()
    assert out.fates()["bob@there.example"] == (Fate.FAILED, 550, "5.1.1 no such user")
    assert not any(command.startswith("AUTH") for command in peer.commands)


def test_a_relay_that_cannot_be_found_is_waited_for(out):
    there = out.peer("127.0.0.2")
    out.routes["there.example"] = NoRoute(451, "4.4.3 the relay is nowhere")
    out.take("bob@there.example")
    out.turn()
    assert out.fates()["bob@there.example"] == (Fate.WAITING, 451, "4.4.3 the relay is nowhere")
    assert there.connections == 0, "never around it"


def add(db, parts, domain="", host="relay.example", **changed):
    values = {"port": 587, "tls": RelayTls.STARTTLS, "username": "satchel", "password": "a secret"} | changed
    return relays.add(db, parts.vault, Typed(domain, host, **values), START)


@pytest.fixture
def found(config, clock):
    """Relays as the delivery process looks for them."""
    zone = {("relay.example", "A"): ["192.0.43.8"], ("inside.example", "A"): ["10.0.0.5"]}
    parts = build(config, clock=clock, resolver=ZoneResolver(zone))
    yield Relays(parts, "mail.here.example")
    parts.dispose()


def test_a_destinations_own_relay_comes_before_the_one_for_all(db, parts, found):
    assert found.find("there.example") is None
    add(db, parts)
    own = add(db, parts, "There.Example", port=465, tls=RelayTls.IMPLICIT, username="", password="")
    assert found.find("there.example") == Relay(Hop("relay.example", ("192.0.43.8",)), 465, RelayTls.IMPLICIT, None)
    assert found.find("else.example") == Relay(Hop("relay.example", ("192.0.43.8",)), 587, RelayTls.STARTTLS, LOGIN)
    relays.remove(db, own.id)
    assert found.find("there.example").port == 587


@pytest.mark.parametrize(
    ("host", "words"),
    [("inside.example", "AddressRefused"), ("127.0.0.1", "AddressRefused"), ("169.254.169.254", "AddressRefused"),
     ("nowhere.example", "NameNotFound"), ("mail.here.example", "this server itself")],
)  # fmt: skip
def test_no_relay_inside_the_network_unless_an_admin_allows_it(db, parts, found, host, words):  # E4
    add(db, parts, host=host)
    with pytest.raises(NoRoute, match=words) as caught:
        found.find("there.example")
    assert caught.value.reply.code == 451
    if host == "inside.example":
        db.add(MailServices(id=1, mode=Mode.BOTH, private_hosts="inside.example"))
        db.commit()
        assert found.find("there.example").hop.addresses == ("10.0.0.5",)


def test_passwords_are_sealed_for_their_row_and_follow_a_rotation(app, db, parts, found):
    row, other = add(db, parts), add(db, parts, "there.example")
    assert b"a secret" not in row.sealed_password
    before = row.sealed_password
    assert rotate.rotate(parts.public, parts.private, parts.vault, START) >= 2
    db.expire_all()
    assert row.sealed_password != before
    assert found.find("else.example").login == LOGIN
    other.sealed_password = row.sealed_password
    db.commit()
    with pytest.raises(NoRoute, match="VaultError"):
        found.find("there.example")


@pytest.fixture
def browser(app, db, admin, set_mode, browser_of):
    set_mode(Mode.BOTH)
    return browser_of(admin)


FORM = {
    "domain": "", "host": "relay.example", "tls": "starttls", "port": "587", "username": "u", "password": "pässword",
}  # fmt: skip


def test_a_relay_is_added_and_removed_on_its_page(browser, db):
    assert browser.post("/admin/relays", data=FORM).status_code == 303
    page = browser.get("/admin/relays").text
    assert "For all destinations" in page
    assert "pässword" not in page
    assert browser.post("/admin/relays", data=FORM).status_code == 422, "there is one already"
    row = db.scalars(select(RelayServer)).one()
    assert browser.post(f"/admin/relays/{row.id}/remove").status_code == 303
    assert browser.post(f"/admin/relays/{row.id}/remove").status_code == 404
    assert browser.post(f"/admin/relays/{row.id}/try").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [{"host": ""}, {"host": "a b"}, {"host": "x" * 300}, {"domain": "no domain"}, {"port": "0"}, {"port": "65536"},
     {"port": ""}, {"tls": "none"}, {"password": ""}, {"username": ""}, {"username": "u\ax"},
     {"host": "relay.example\r\nX: y"}],
)  # fmt: skip
def test_what_cannot_be_is_refused(browser, db, wrong):
    assert browser.post("/admin/relays", data=FORM | wrong).status_code == 422
    assert db.scalars(select(RelayServer)).all() == []


def test_it_is_tried_without_mail(browser, db, parts, authority):
    db.get(MailServices, 1).private_hosts = "127.0.0.1"
    tls = authority.issue("127.0.0.1").server_context()
    with serving(Peer(tls=tls, features=("AUTH PLAIN",))) as peer:
        row = add(db, parts, host="127.0.0.1", port=peer.port)
        page = browser.post(f"/admin/relays/{row.id}/try").text
        assert "Mail cannot be handed over" in page, "its authority is none this server trusts"
        assert "a secret" not in page
        assert not any(command.startswith("AUTH") for command in peer.commands)
