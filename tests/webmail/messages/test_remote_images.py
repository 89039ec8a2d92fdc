"""The image proxy at work: through the guard, images only, fetched once."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from sqlalchemy.orm import Session

from app.accounts.tls import client_context
from app.config import Config
from app.errors import ActionRefused, AddressRefused, BadInput, MailError, ProtocolError
from app.mail_services.models import MailServices
from app.messages import remote_images
from app.resolver import ZoneResolver

ANSWERS = {
    "/a.png": (200, "image/png", b"\x89PNG"),
    "/a.svg": (200, "image/svg+xml", b"<svg/>"),
    "/page": (200, "text/html", b"<script>"),
    "/gone": (404, "image/png", b""),
    "/huge": (200, "image/png", b"x" * (remote_images.BOUNDS.max_octets + 1)),
}
RESOLVER = ZoneResolver({("pictures.example", "A"): ["127.0.0.1"]})


@pytest.fixture
def config(sqlite_config: Config) -> Config:
    return sqlite_config


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def pictures(asked: list[str]) -> Iterator[str]:
    """A server of pictures on loopback; its address by name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, content_type, octets = ANSWERS[self.path]
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_given: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://pictures.example:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def allow(db: Session, hosts: str) -> None:
    row = db.get(MailServices, 1) or MailServices(id=1)
    row.private_hosts = hosts
    db.add(row)
    db.commit()


def load(db: Session, url: str) -> remote_images.Image:
    return remote_images.load_image(db, RESOLVER, url, client_context(""))


def test_an_image_comes_once_and_is_kept(db: Session, pictures: str, asked: list[str]) -> None:
    allow(db, "pictures.example")
    for _ in range(2):
        assert load(db, pictures + "/a.png") == remote_images.Image("image/png", b"\x89PNG")
    assert asked == ["/a.png"]


@pytest.mark.parametrize(
    ("path", "error"),
    [("/a.svg", ProtocolError), ("/page", ProtocolError), ("/huge", ProtocolError), ("/gone", ActionRefused)],
)
def test_only_raster_images_of_bounded_size_pass(db: Session, pictures: str, path: str, error: type[MailError]) -> None:
    allow(db, "pictures.example")
    with pytest.raises(error):
        load(db, pictures + path)


def test_a_mail_does_not_reach_the_network_behind_us(db: Session, pictures: str, asked: list[str]) -> None:
    allow(db, "")
    with pytest.raises(AddressRefused):
        load(db, pictures + "/a.png")
    assert asked == []


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "https://user:secret@x.example/", "gopher://x.example/"])
def test_what_is_no_web_address_is_refused(db: Session, url: str) -> None:
    with pytest.raises(BadInput):
        load(db, url)
