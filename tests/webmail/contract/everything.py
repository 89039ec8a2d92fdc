"""What every MailSource promises; each takes these tests over with an `account` of its own.

    globals().update(contract_tests(without=OF_IMAP))

The storage of MailSite does so in tests/mailsite/webmail, its IMAP listener in tests/mailsite/imap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from tests.webmail.contract import test_deltas, test_folders, test_messages, test_search

OF_IMAP = {
    "test_news_take_one_turn",
    "test_another_uidvalidity_starts_over",
    "test_a_connection_cut_by_the_server_is_lost",
    "test_a_connection_cut_while_watching_is_lost",
    "test_a_server_started_anew_loses_nothing",
}
"""Tests of connections, or by Dovecot's own tools."""


def contract_tests(without: Collection[str]) -> dict[str, Callable[..., None]]:
    """The tests by name, but those of `without`, and the fixture of theirs that is none of a conftest."""
    modules = (test_deltas, test_messages, test_folders, test_search)
    found = {name: test for module in modules for name, test in vars(module).items()}
    tests = {name: test for name, test in found.items() if name.startswith("test_") and name not in without}
    return tests | {"three": test_search.three}
