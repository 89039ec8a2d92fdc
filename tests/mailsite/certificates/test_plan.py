"""When certificates are ordered, for which names, and how long a failed order waits: tables."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.resolver import ZoneResolver
from mailsite_ext.certificates.names import leading_here
from mailsite_ext.certificates.plan import (
    MOST_NAMES,
    Held,
    candidates,
    is_due,
    may_ask,
    next_look,
    next_try,
    renewal,
)
from tests.conftest import START

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOTHING = timedelta(0)
HELD = Held(["mail.example.org", "mta-sts.example.org"], "https://ca.example/", START + 60 * DAY)


def test_names_of_each_domain_after_the_mail_host():
    assert candidates("mail.example.org", ["example.org"]) == [
        "mail.example.org",
        "mta-sts.example.org",
        "autoconfig.example.org",
        "autodiscover.example.org",
    ]
    many = candidates("mail.example.org", [f"d{number}.example" for number in range(500)])
    assert (len(many), many[0]) == (MOST_NAMES, "mail.example.org")


@pytest.mark.parametrize(
    ("held", "names", "directory", "after", "due"),
    [
        (None, ["mail.example.org"], "https://ca.example/", NOTHING, True),
        (HELD, ["mail.example.org"], "https://ca.example/", NOTHING, False),  # a name that has gone stays in
        (HELD, ["mail.example.org", "mta-sts.example.org"], "https://ca.example/", 59 * DAY, False),
        (HELD, ["mail.example.org"], "https://ca.example/", 60 * DAY, True),
        (HELD, ["mail.example.org", "autoconfig.example.org"], "https://ca.example/", NOTHING, True),
        (HELD, ["mail.example.org"], "https://other.example/", NOTHING, True),
    ],
)
def test_when_another_is_wanted(held, names, directory, after, due):
    assert is_due(held, names, directory, START + after) is due


@pytest.mark.parametrize(
    ("life", "chance", "after"),
    [
        (90 * DAY, 0.0, 60 * DAY),
        (90 * DAY, 1.0, 55.5 * DAY),
        (6 * DAY, 0.0, 4 * DAY),
    ],
)
def test_renewed_at_two_thirds_of_its_life_or_a_little_before(life, chance, after):
    assert abs(renewal(START, START + life, chance) - (START + after)) < timedelta(seconds=1)


def test_looked_at_every_day_for_names_that_came():
    assert next_look(START + 60 * DAY, START) == START + DAY
    assert next_look(START + HOUR, START) == START + HOUR


@pytest.mark.parametrize(
    ("failures", "chance", "asked", "after"),
    [
        (1, 0.0, NOTHING, HOUR),
        (2, 0.0, NOTHING, 2 * HOUR),
        (3, 1.0, NOTHING, 4.4 * HOUR),
        (6, 0.0, NOTHING, DAY),
        (10_000, 0.0, NOTHING, DAY),
        (1, 0.0, 3 * HOUR, 3 * HOUR),  # the authority's word
        (5, 0.0, HOUR, 16 * HOUR),
        (1, 0.0, 400 * DAY, 7 * DAY),  # within reason
    ],
)
def test_how_long_a_failed_order_waits(failures, chance, asked, after):
    assert next_try(failures, START, chance, asked) == START + after


@pytest.mark.parametrize(
    ("failures", "tried", "may"),
    [
        (0, None, True),
        (0, START, True),  # nothing is ordered that is not due
        (3, None, True),  # DNS alone was asked
        (1, START - timedelta(minutes=14), False),
        (1, START - timedelta(minutes=15), True),
    ],
)
def test_an_admin_may_not_use_up_what_an_authority_allows(failures, tried, may):
    assert may_ask(failures, tried, START) is may


def test_names_that_lead_here_share_an_address_with_the_host():
    zone = {
        ("mail.example.org", "A"): ["192.0.2.1"],
        ("mail.example.org", "AAAA"): ["2001:db8::1"],
        ("mta-sts.example.org", "AAAA"): ["2001:db8::1"],
        ("autoconfig.example.org", "A"): ["192.0.2.9"],
    }
    resolver = ZoneResolver(zone, silent=["silent.example.org"])
    names = [f"{name}.example.org" for name in ("mail", "mta-sts", "autoconfig", "autodiscover", "silent")]
    assert leading_here(resolver, "mail.example.org", names) == ["mail.example.org", "mta-sts.example.org"]
    assert leading_here(resolver, "unknown.example.org", names) == [], "no address is no address in common"
