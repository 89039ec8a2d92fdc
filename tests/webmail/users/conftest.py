"""Quick hashing, and people with passwords."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.mail_services.models import AccountRegistration, NoticeTransport, RegistrationPolicy
from app.notices.background import EXTENSION
from app.notices.notice import Notice
from app.users import mails, passwords
from app.users.models import User

PASSWORD = "a short sentence works"


@pytest.fixture(autouse=True)
def _quick_hashing(monkeypatch):
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(passwords, "_nobody", [])


@pytest.fixture
def with_password(db: Session):
    def with_password(user: User) -> User:
        user.password_hash = passwords.hash_password(PASSWORD)
        db.commit()
        return user

    return with_password


@pytest.fixture
def anna(alice, with_password):
    """Alice with a password."""
    return with_password(alice)


@pytest.fixture
def sign_in(anonymous: FlaskClient):
    def sign_in(email="alice@example.org", password=PASSWORD, client=anonymous, **more):
        return client.post("/sign-in", data={"email": email, "password": password, **more})

    return sign_in


@pytest.fixture
def registration(db: Session):
    """Set the policy, and a way to send mail."""

    def registration(policy=RegistrationPolicy.OFF, transport=NoticeTransport.SMTP):
        db.merge(AccountRegistration(id=1, policy=policy, transport=transport, from_address="site@example.org"))
        db.commit()

    return registration


class Postbox(list[Notice]):
    """What the site would have sent; asking for it waits for the background."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self._app = app

    def arrived(self) -> list[Notice]:
        self._app.extensions[EXTENSION].wait()
        return list(self)

    def link(self) -> str:
        """The path of the link in the only mail."""
        (notice,) = self.arrived()
        line = next(line for line in notice.text.splitlines() if line.startswith("http"))
        return "/" + line.split("/", 3)[3]


@pytest.fixture
def postbox(app: Flask, monkeypatch) -> Postbox:
    box = Postbox(app)
    monkeypatch.setattr(mails, "send", lambda _parts, notice: box.append(notice))
    return box
