"""The page of failed sign-ins: who, from where, how often; nothing secret; throttles are lifted; rows are bounded."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from app.db import Base
from app.users import failures
from app.users.failures import Way, list_failures, record
from app.users.models import SignInFailure
from app.users.throttle import Limit
from tests.conftest import START

from .conftest import PASSWORD

PAGE = "/admin/failed-sign-ins"


@pytest.fixture
def ada(admin, browser_of):
    return browser_of(admin)


def limits(account="account:x", network="address:192.0.2.1"):
    return Limit(account, 10), Limit(network, 50)


def lines(db):
    db.expire_all()
    return [(row.account, row.network, row.way, row.times) for row in list_failures(db)]


def test_nothing_failed_yet(ada):
    assert "None failed" in ada.get(PAGE).text


def test_a_wrong_password_is_listed_once_and_counted(ada, anna, sign_in, db):
    for _turn in range(3):
        assert sign_in(password="wrong wrong wrong").status_code == 422
    assert lines(db) == [("alice@example.org", "127.0.0.1", "web", 3)]
    page = ada.get(PAGE).text
    assert "alice@example.org" in page
    assert f'href="{PAGE}"' in ada.get("/admin/users").text


def test_neither_passwords_nor_names_that_are_nobodys_are_kept(ada, anna, sign_in, db):
    sign_in(password="typed-by-mistake-1")
    sign_in(email="typed-by-mistake-2@example.org", password="typed-by-mistake-3")
    sign_in(email="typed-by-mistake-4@example.org", password="typed-by-mistake-5")
    assert ("", "127.0.0.1", "web", 2) in lines(db)
    for table in Base.metadata.sorted_tables:
        assert "typed-by-mistake" not in repr(db.execute(sa.select(table)).all()), table.name
    assert "typed-by-mistake" not in ada.get(PAGE).text


def test_a_throttle_is_shown_and_lifted(ada, anna, sign_in, db, clock):
    for _turn in range(10):
        sign_in(password="wrong wrong wrong")
    assert sign_in().status_code == 429
    page = ada.get(PAGE).text
    (row,) = db.scalars(select(SignInFailure)).all()
    assert f"{PAGE}/{row.id}/lift" in page
    assert row.throttled_until == START + timedelta(minutes=15)
    assert ada.post(f"{PAGE}/{row.id}/lift").status_code == 303
    assert sign_in().status_code == 303
    assert "/lift" not in ada.get(PAGE).text


def test_a_throttle_that_is_over_is_not_shown(ada, anna, sign_in, clock):
    for _turn in range(10):
        sign_in(password="wrong wrong wrong")
    clock.advance(15 * 60 + 1)
    assert "/lift" not in ada.get(PAGE).text
    assert sign_in().status_code == 303


def test_no_line_is_a_404(ada):
    for number in (987654, 2**31, 2**63):
        assert ada.post(f"{PAGE}/{number}/lift").status_code == 404


def test_lines_are_aged_and_bounded(db, monkeypatch):
    monkeypatch.setattr(failures, "MOST", 5)
    record(db, Way.WEB, "old@example.org", limits(), START - failures.KEPT - timedelta(days=1))
    for number in range(8):
        record(db, Way.IMAP, f"u{number}", limits(), START + timedelta(seconds=number))
    assert [line[0] for line in lines(db)] == ["u7", "u6", "u5", "u4", "u3"]


def test_a_name_with_markup_is_text(ada, db):
    record(db, Way.SMTP, "<script>alert(1)</script>", limits(network="client-network:<img src=x>"), START)
    page = ada.get(PAGE).text
    assert "&lt;script&gt;alert" in page
    assert "<img src=x>" not in page


def test_right_passwords_leave_no_line(anna, sign_in, db):
    assert sign_in(password=PASSWORD).status_code == 303
    assert lines(db) == []
