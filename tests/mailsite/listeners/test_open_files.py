"""How many files a listener may open, and how many connections there are where they are too few."""

from __future__ import annotations

import resource
from resource import RLIM_INFINITY

import pytest

from app.mail_services.modes import Mode
from mailsite_ext.cli import open_files
from mailsite_ext.limits import Limits
from mailsite_ext.listeners.open_files import files_needed, find_shortage, fitting, soft_limit


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (1_024, 20_000, 4_512),
        (1_024, RLIM_INFINITY, 4_512),
        (1_024, 2_048, 2_048),
        (8_192, 20_000, 8_192),
        (RLIM_INFINITY, RLIM_INFINITY, RLIM_INFINITY),
    ],
)
def test_the_soft_limit_rises_as_far_as_it_has_to_and_can(soft, hard, expected):
    assert soft_limit(files_needed(Limits()), soft, hard) == expected


@pytest.mark.parametrize(
    ("files", "connections"),
    [(RLIM_INFINITY, 1_000), (1_048_576, 1_000), (4_512, 1_000), (4_511, 999), (1_024, 128), (512, 1), (64, 1)],
)
def test_there_are_never_more_connections_than_files_for_them(files, connections):
    assert fitting(Limits(), files) == Limits(connections=connections)


@pytest.mark.parametrize(("hard", "room"), [(RLIM_INFINITY, ""), (4_512, ""), (2_048, "384 connections")])
def test_what_is_short_is_said_in_numbers(monkeypatch, hard, room):
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (1_024, hard))
    words = find_shortage(Limits())
    assert bool(words) == bool(room)
    assert room in words


@pytest.mark.parametrize(("mode", "is_right"), [(Mode.MAILSITE, False), (Mode.EXTERNAL, True)])
def test_the_doctor_looks_at_it_where_mail_is_hosted(parts, set_mode, monkeypatch, mode, is_right):
    set_mode(mode)
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, 256))
    (found,) = open_files(parts)
    assert found.is_right is is_right
    assert ("LimitNOFILE" in found.words) is not is_right


def test_the_doctor_of_the_application_asks_for_it(app):
    assert "Open files of the mail listeners" in app.test_cli_runner().invoke(args=["doctor"]).output


@pytest.fixture
def config(sqlite_config):
    return sqlite_config
