"""Signing in from a mail client: what opens a mailbox, what does not, and how guessing is made slow."""

import base64
import hashlib
import hmac
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from app.errors import LoginRefused, SignInBusy, TooManyAttempts
from app.users import passwords
from app.users.failures import Way
from app.users.models import LoginFailure, SignInFailure, UserState
from mailsite_ext.domains import logins as module
from mailsite_ext.domains import service
from mailsite_ext.domains.logins import Logins, network_key
from mailsite_ext.domains.models import AppPassword, MailboxState
from mailsite_ext.domains.scram import Keys, Verifier, derive, server_signature
from mailsite_ext.limits import Limits
from tests.conftest import START

from .conftest import HOSTED

PEER = "192.0.2.7"
LOGIN_PASSWORD = "a sentence nobody guesses"


@pytest.fixture
def cheap_argon2(monkeypatch):
    """How often argon2 ran; it is told from the rest by its name, and costs nothing."""
    asked = []

    def check(stored, password):
        asked.append(stored)
        return stored is not None and stored == f"hash of {password}"

    monkeypatch.setattr(module, "check_login_password", check)
    return asked


@pytest.fixture
def logins(parts, hosting):
    return Logins(parts, HOSTED, Limits(), Way.IMAP)


@pytest.fixture
def mailbox(db, alice, mailbox_of, cheap_argon2):
    """Alice's; her login password is set."""
    alice.password_hash = f"hash of {LOGIN_PASSWORD}"
    db.commit()
    return mailbox_of(alice)


@pytest.fixture
def password(parts, db, mailbox):
    return service.add_app_password(parts, db, mailbox, "Laptop").password


@pytest.mark.parametrize(
    "login",
    ["alice@example.org", "alice@example.net", "ALICE@example.org", "alice", " Alice ", "al@example.org"],
)
def test_an_app_password_opens_the_mailbox_under_each_of_its_names(db, logins, mailbox, password, login):
    service.add_address(db, mailbox.id, "al", "example.org")
    assert logins.check_password(login, password, PEER).name == "alice"
    assert logins.check_password(login, password.replace("-", "").upper(), PEER).name == "alice"


def test_the_address_of_the_person_opens_it_too(db, alice, logins, mailbox, password):
    alice.email = "alice@elsewhere.example"
    db.commit()
    assert logins.check_password("Alice@elsewhere.example", password, PEER).name == "alice"


def test_use_is_written_down_but_not_at_each_login(db, logins, password, clock):
    logins.check_password("alice", password, PEER)
    clock.advance(60)
    logins.check_password("alice", password, "192.0.2.8")
    row = db.scalars(select(AppPassword)).one()
    assert (row.last_used_at, row.last_address) == (START, PEER)
    clock.advance(300)
    logins.check_password("alice", password, "192.0.2.8")
    db.refresh(row)
    assert (row.last_used_at, row.last_address) == (clock.now(), "192.0.2.8")


def test_only_verifiers_are_stored(db, password):
    row = db.scalars(select(AppPassword)).one()
    kept = b"".join([row.stored_key, row.server_key, row.label.encode()])
    assert password.encode() not in kept
    assert (len(row.stored_key), len(row.server_key)) == (32, 32)


def test_the_login_password_opens_it_and_a_second_connection_asks_argon2_no_more(logins, mailbox, cheap_argon2):
    for _ in range(3):
        assert logins.check_password("alice", LOGIN_PASSWORD, PEER).name == "alice"
    assert len(cheap_argon2) == 1


def test_a_changed_login_password_counts_at_once(db, alice, logins, mailbox):
    logins.check_password("alice", LOGIN_PASSWORD, PEER)
    alice.password_hash = "hash of another one"
    db.commit()
    with pytest.raises(LoginRefused):
        logins.check_password("alice", LOGIN_PASSWORD, PEER)


def test_with_a_second_factor_the_login_password_opens_nothing(db, alice, logins, mailbox, password):
    logins.check_password("alice", LOGIN_PASSWORD, PEER)
    alice.sealed_totp = b"sealed"
    db.commit()
    with pytest.raises(LoginRefused):
        logins.check_password("alice", LOGIN_PASSWORD, PEER)
    assert logins.check_password("alice", password, PEER).name == "alice"


@pytest.mark.parametrize("state", [UserState.DISABLED, UserState.WAITING, UserState.UNCONFIRMED])
def test_who_may_not_sign_in_may_not_here(db, alice, logins, password, state):
    alice.state = state
    db.commit()
    for each in (password, LOGIN_PASSWORD):
        with pytest.raises(LoginRefused):
            logins.check_password("alice", each, PEER)


def test_a_closed_mailbox_opens_to_nobody(db, logins, mailbox, password):
    service.set_state(db, mailbox.id, MailboxState.CLOSED)
    with pytest.raises(LoginRefused):
        logins.check_password("alice", password, PEER)


def test_a_shared_alias_is_nobodys_login(db, bob, logins, mailbox, mailbox_of, password):
    for box in (mailbox, mailbox_of(bob)):
        service.add_address(db, box.id, "team", "example.org")
    with pytest.raises(LoginRefused):
        logins.check_password("team@example.org", password, PEER)


def test_a_revoked_password_is_refused(db, logins, mailbox, password):
    service.revoke_app_password(db, mailbox.id, db.scalars(select(AppPassword.id)).one())
    with pytest.raises(LoginRefused):
        logins.check_password("alice", password, PEER)


def _change_login_password(db, alice, mailbox):
    alice.password_hash = "hash of another one"


def _guard_by_second_factor(db, alice, mailbox):
    alice.sealed_totp = b"sealed"


def _disable(db, alice, mailbox):
    alice.state = UserState.DISABLED


def _close(db, alice, mailbox):
    service.set_state(db, mailbox.id, MailboxState.CLOSED)


def _revoke(db, alice, mailbox):
    service.revoke_app_password(db, mailbox.id, db.scalars(select(AppPassword.id)).one())


@pytest.mark.parametrize(
    ("change", "app_password_goes_on", "login_password_goes_on"),
    [
        (_change_login_password, True, False),
        (_guard_by_second_factor, True, False),
        (_revoke, False, True),
        (_disable, False, False),
        (_close, False, False),
    ],
)
def test_a_session_ends_with_what_opened_it(
    db, alice, logins, mailbox, password, change, app_password_goes_on, login_password_goes_on
):
    opened = [logins.check_password("alice", each, PEER) for each in (password, LOGIN_PASSWORD)]
    assert [logins.still_opens(each) for each in opened] == [True, True]
    change(db, alice, mailbox)
    db.commit()
    assert [logins.still_opens(each) for each in opened] == [app_password_goes_on, login_password_goes_on]


def test_an_unknown_name_costs_the_same_argon2(logins, hosting, cheap_argon2):
    with pytest.raises(LoginRefused):
        logins.check_password("nobody", "whatever it may be", PEER)
    assert cheap_argon2 == [None]


@pytest.mark.parametrize(
    "login", ["a\0b", "\n", "", "@", "@example.org", "a" * 100_000, "x@" * 200, "+", "*", "alice+x"]
)
def test_names_nobody_has_are_refused_like_others(logins, mailbox, password, login):
    for each in (password, LOGIN_PASSWORD):
        with pytest.raises(LoginRefused):
            logins.check_password(login, each, PEER)


# Guessing


def fail(logins, login="alice", peer=PEER, password="wrong"):
    with suppress(LoginRefused):
        logins.check_password(login, password, peer)


@pytest.mark.parametrize("wrong", ["wrong", "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-a"])
@pytest.mark.parametrize(
    ("login", "peers"),
    [
        ("alice", [f"198.51.{number}.1" for number in range(10)]),  # one account, from everywhere
        ("nobody", [f"198.51.{number}.1" for number in range(10)]),  # known or not
        ("", [f"192.0.2.{number}" for number in range(10)]),  # one /24, all accounts
        ("", [f"2001:db8::{number}" for number in range(10)]),  # one /64
    ],
)
def test_after_ten_wrong_passwords_one_waits(logins, password, clock, login, peers, wrong):
    for number, peer in enumerate(peers):
        fail(logins, login or f"name{number}", peer, wrong)
    last = "2001:db8::ffff" if ":" in peers[0] else "192.0.2.99"
    with pytest.raises(TooManyAttempts):
        logins.check_password(login or "alice", password, last)
    clock.advance(15 * 60 + 1)
    assert logins.check_password("alice", password, last).name == "alice"


def test_every_name_of_a_mailbox_counts_as_one(logins, password):
    names = ["alice", "alice@example.org", "alice@example.net", "ALICE"]
    for number in range(10):
        fail(logins, names[number % 4], f"198.51.{number}.1")
    with pytest.raises(TooManyAttempts):
        logins.check_password("alice@example.org", password, "203.0.113.1")


def test_another_network_and_account_go_on(logins, password):
    for _ in range(10):
        fail(logins, "nobody")
    assert logins.check_password("alice", password, "203.0.113.1").name == "alice"


def test_right_passwords_are_not_counted(db, logins, password):
    for _ in range(12):
        logins.check_password("alice", password, PEER)
        logins.check_password("alice", LOGIN_PASSWORD, PEER)
    assert db.scalar(select(func.count()).select_from(LoginFailure)) == 0


@pytest.mark.parametrize("given", [LOGIN_PASSWORD, "wrong"])
def test_whoever_waited_in_vain_for_argon2_made_no_attempt(db, logins, mailbox, monkeypatch, cheap_argon2, given):
    monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.01)
    with module._argon2_turn:
        for _ in range(Limits().bad_logins + 1):
            with pytest.raises(SignInBusy):
                logins.check_password("alice", given, PEER)
    assert cheap_argon2 == []
    assert [db.scalar(select(func.count()).select_from(table)) for table in (LoginFailure, SignInFailure)] == [0, 0]
    assert logins.check_password("alice", LOGIN_PASSWORD, PEER).name == "alice"


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("192.0.2.7", "client-network:192.0.2.0/24"),
        ("::ffff:192.0.2.7", "client-network:192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "client-network:2001:db8:1:2::/64"),
        ("", "client-network:unknown"),
    ],
)
def test_networks(peer, key):
    assert network_key(peer) == key


# SCRAM


def prove(password: str, verifier: Verifier, message: bytes) -> bytes:
    """The client's side (RFC 5802 §3)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), verifier.salt, verifier.iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
    return bytes(a ^ b for a, b in zip(client_key, signature, strict=True))


def test_any_of_the_app_passwords_proves_itself(parts, db, logins, mailbox, password):
    further = service.add_app_password(parts, db, mailbox, "Phone").password
    verifier = logins.find_verifier("alice@example.org", PEER)
    for each in (password, further):
        keys = verifier.check_proof(b"message", prove(each, verifier, b"message"))
        assert logins.finish_scram("alice@example.org", keys, PEER).name == "alice"
    used = db.scalars(select(AppPassword).order_by(AppPassword.id)).all()
    assert all(row.last_address == PEER for row in used)


@pytest.mark.parametrize("proof", [b"", b"\0" * 32, b"x" * 5_000])
def test_a_wrong_proof_fits_no_keys_and_is_counted(db, logins, password, proof):
    verifier = logins.find_verifier("alice", PEER)
    assert verifier.check_proof(b"message", proof) is None
    with pytest.raises(LoginRefused):
        logins.finish_scram("alice", None, PEER)
    assert db.scalar(select(func.count()).select_from(LoginFailure)) == 2


def test_an_unknown_login_has_a_lasting_salt_of_its_own(parts, logins, mailbox):
    first, again, other = (logins.find_verifier(name, PEER) for name in ("nobody", "nobody", "somebody"))
    assert first == again != other
    assert (len(first.salt), first.iterations, first.keys) == (16, 4_096, ())
    assert Logins(parts, HOSTED, Limits(), Way.IMAP).find_verifier("nobody", PEER) == first


def test_who_is_gone_meanwhile_is_not_let_in(db, logins, mailbox, password):
    keys = logins.find_verifier("alice", PEER).keys[0]
    service.set_state(db, mailbox.id, MailboxState.CLOSED)
    with pytest.raises(LoginRefused):
        logins.finish_scram("alice", keys, PEER)


def test_the_example_of_rfc_7677():
    """RFC 7677 §3."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    verifier = Verifier(salt, 4_096, (Keys(1, *derive("pencil", salt, 4_096)),))
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}".encode()
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    keys = verifier.check_proof(message, proof)
    assert keys == verifier.keys[0]
    assert base64.b64encode(server_signature(keys, message)) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_real_argon2_stands_behind_it(db, alice, logins, mailbox_of):
    alice.password_hash = passwords.hash_password(LOGIN_PASSWORD)
    db.commit()
    mailbox_of(alice)
    assert logins.check_password("alice", LOGIN_PASSWORD, PEER).name == "alice"
    with pytest.raises(LoginRefused):
        logins.check_password("alice", LOGIN_PASSWORD + "!", PEER)


def test_what_fails_is_noted_for_the_admins(logins, db, mailbox, password):
    for login, wrong in (("alice", "wrong"), ("alice@example.net", "a" * 26), ("secret typed as a name", "wrong")):
        with pytest.raises(LoginRefused):
            logins.check_password(login, wrong, PEER)
    with pytest.raises(LoginRefused):
        logins.finish_scram("alice", None, PEER)
    logins.check_password("alice", password, PEER)
    rows = db.execute(select(SignInFailure.account, SignInFailure.network, SignInFailure.way, SignInFailure.times))
    assert sorted(map(tuple, rows)) == [("", "192.0.2.0/24", "imap", 1), ("alice", "192.0.2.0/24", "imap", 3)]
