"""Counting attempts, on both databases: who is slowed down, who is not."""

import threading

import pytest

from app.errors import TooManyAttempts
from app.users import throttle
from app.users.throttle import Limit, count_attempt

LIMIT = (Limit("account:x", 3),)


def test_the_limit_and_its_window(db, clock):
    for _ in range(3):
        count_attempt(db, LIMIT, clock.now())
        clock.advance(60)
    with pytest.raises(TooManyAttempts) as refused:
        count_attempt(db, LIMIT, clock.now())
    assert refused.value.retry_after_s == 12 * 60
    clock.advance(12 * 60)
    count_attempt(db, LIMIT, clock.now())
    with pytest.raises(TooManyAttempts):
        count_attempt(db, LIMIT, clock.now())


def test_a_hundred_at_once_see_each_other(parts, clock):
    """Each is written before it is counted, so no race lets more through than the limit."""
    passed = []

    def attempt():
        with parts.public.session() as db:
            try:
                count_attempt(db, LIMIT, clock.now())
            except TooManyAttempts:
                return
            passed.append(1)

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) <= 3


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "address:192.0.2.7"),
        ("::ffff:192.0.2.7", "address:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::"),
        ("2001:db8:1:2::9", "address:2001:db8:1:2::"),
        ("", "address:unknown"),
        (None, "address:unknown"),
    ],
)
def test_an_address_is_a_client_not_one_of_its_many(address, key):
    assert throttle.address_key(address) == key


def test_no_key_shows_whose_it_is():
    key = throttle.account_key("Alice@Example.org ")
    assert key == throttle.account_key("alice@example.org")
    assert "alice" not in key
    assert len("mail-" + key) <= 80
