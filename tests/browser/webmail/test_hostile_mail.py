"""Mail of strangers in a real browser, by the whole way: delivered, mirrored, listed, opened.

A tenth of the corpora in each run, chosen by their names; all of them with HOSTILE_MAIL=all.  Every HTML payload comes
as mail of its own.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Dialog, Page, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.config import Config
from app.mirror.models import Folder, Message
from app.runtime import Runtime
from app.users.models import User
from tests.browser.test_html_wall import payloads
from tests.browser.webmail import hosted
from tests.browser.webmail.conftest import HOSTED
from tests.servers.engine import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.corpora, pytest.mark.timeout(1_800)]

FOLDER = "Strangers"
SHARE = 1 if os.environ.get("HOSTILE_MAIL") == "all" else 10
APPENDED_AT_ONCE = 100
PAYLOADS_TOGETHER = 20  # in one message, each in a section of its own


@pytest.fixture
def source() -> str:
    return HOSTED


@pytest.fixture
def reader(
    app: Flask,
    alice: User,
    serve: Callable[[Flask], str],
    make_context: Callable[..., BrowserContext],
    sign_in: Callable[..., None],
) -> Reader:
    return Reader(app, alice, serve(app), make_context, sign_in)


class Reader:
    """Opens messages one after the other and keeps what went wrong: bad answers, errors, dialogs, scripts of mail."""

    def __init__(
        self,
        app: Flask,
        alice: User,
        address: str,
        make_context: Callable[..., BrowserContext],
        sign_in: Callable[..., None],
    ) -> None:
        context = make_context(base_url=address, viewport={"width": 1280, "height": 800})
        sign_in(context, alice, address)
        context.add_init_script(
            "if (window !== window.top) for (const f of ['alert', 'prompt', 'confirm', 'print', 'open'])"
            " window[f] = () => harm(f);"
        )
        self.harm: list[str] = []
        context.expose_function("harm", self._on_call)
        self.page: Page = context.new_page()
        self.page.on("dialog", self._on_dialog)
        self.page.on("pageerror", lambda error: self.harm.append(f"error: {error}"))
        self.page.on("response", self._on_response)
        context.on("page", lambda page: self.harm.append(f"opened {page.url}") if page is not self.page else None)

    def _on_call(self, function: str) -> None:
        self.harm.append(function)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.harm.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self.harm.append(f"{response.status} {response.url}")

    def read(self, message_id: int) -> bool:
        """Open a message: is there something to see, words, an image, an attachment, or why there is nothing?"""
        self.page.goto(f"/mail/message/{message_id}", wait_until="load")
        article = self.page.locator(f"#message-{message_id}")
        body = [frame.locator("body") for frame in self.page.frames if frame is not self.page.main_frame]
        said = [*article.locator(".message-body, .notice").all_inner_texts(), *(each.inner_text() for each in body)]
        drawn = sum(each.locator("img, hr").count() for each in body)
        return bool("".join(said).strip() or drawn or article.locator(".attachment").count())


@pytest.fixture
def put(parts: Runtime, db: Session, config: Config, alice: User) -> Callable[[Mapping[str, bytes]], Mapping[str, int]]:
    """Deliver messages into a folder of their own; their ids in the mirror by their names, once they are there."""

    def put(messages: Mapping[str, bytes]) -> Mapping[str, int]:
        storage = hosted.storage_of(parts)
        folder = storage.create_folder(hosted.MAILBOX, FOLDER)
        pieces = [(hosted.content(octets), frozenset[str](), datetime.now(UTC)) for octets in messages.values()]
        for start in range(0, len(pieces), APPENDED_AT_ONCE):
            storage.append(folder.id, pieces[start : start + APPENDED_AT_ONCE]).result(60)
        in_folder = select(Message.id).join(Folder).where(Folder.name == FOLDER).order_by(Message.uid)
        counted = select(func.count()).select_from(in_folder.subquery())
        with hosted.running_engine(config):
            wait_for(lambda: db.scalar(counted) == len(messages), "the mirror")
        return dict(zip(messages, db.scalars(in_folder), strict=True))

    return put


def chosen(corpora: Path) -> Iterator[tuple[str, bytes]]:
    for folder in ("messages", "spamassassin"):
        for file in sorted((corpora / folder).rglob("*")):
            name = str(file.relative_to(corpora))
            if file.is_file() and file.suffix != ".json" and zlib.crc32(name.encode()) % SHARE == 0:
                yield name, file.read_bytes()


def test_mail_of_the_corpora_is_opened(
    reader: Reader, put: Callable[..., Mapping[str, int]], corpora: Path, strangers: list[str]
) -> None:
    wrong: dict[str, Sequence[str]] = {}
    for name, message_id in put(dict(chosen(corpora))).items():
        if not reader.read(message_id) or reader.harm or strangers:
            wrong[name] = [*reader.harm, *strangers]
        reader.harm.clear()
        strangers.clear()
    assert wrong == {}


def test_payloads_in_mail_do_nothing(
    reader: Reader, put: Callable[..., Mapping[str, int]], corpora: Path, strangers: list[str]
) -> None:
    every = list(payloads(corpora / "html-xss"))
    wrong: dict[str, Sequence[str]] = {}
    messages = {
        str(start): letter(every[start : start + PAYLOADS_TOGETHER])
        for start in range(0, len(every), PAYLOADS_TOGETHER)
    }
    for name, message_id in put(messages).items():
        reader.read(message_id)
        if reader.harm or strangers:
            wrong[name] = [*reader.harm, *strangers]
        reader.harm.clear()
        strangers.clear()
    assert wrong == {}


def letter(pieces: Sequence[str]) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "mallory@example.com", "alice@home.example", "Payloads"
    html = "".join(f"<section>{piece}</section>" for piece in pieces)
    message.set_content(html.encode("utf-8", "replace").decode(), "html")
    return message.as_bytes()
