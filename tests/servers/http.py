"""A web server on loopback that answers what a test tells it, http or https."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.servers.certificates import Certificate


@dataclass(frozen=True)
class Request:
    """One request as it came; `query` and `form` keep the last value of a name."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What is answered; `stall`: send the head and the body, then say no more and keep the connection."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stall: bool = False


Answer = Callable[[Request], Reply]


@dataclass
class WebServer:
    """A server that runs; `pages` by path, else `answer`, else 404."""

    port: int = 0
    scheme: str = "http"
    pages: dict[str, Reply] = field(default_factory=dict)
    answer: Answer | None = None
    requests: list[Request] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/", host: str = "localhost") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def reply_to(self, request: Request) -> Reply:
        self.requests.append(request)
        if request.path in self.pages:
            return self.pages[request.path]
        return self.answer(request) if self.answer else Reply(404)


@contextmanager
def serve(
    certificate: Certificate | None = None, answer: Answer | None = None, address: tuple[str, int] = ("127.0.0.1", 0)
) -> Iterator[WebServer]:
    """Serve until the block is left; https with a certificate."""
    web = WebServer(scheme="https" if certificate else "http", answer=answer)
    server = _Server(address, _handler_of(web))
    if certificate:
        server.socket = certificate.server_context().wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.released.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of tests leave when they please."""


def _handler_of(web: WebServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            form = (
                self.rfile.read(int(self.headers.get("Content-Length", 0))).decode() if self.command == "POST" else ""
            )
            query, headers = dict(parse_qsl(parts.query)), {name.lower(): text for name, text in self.headers.items()}
            self._send(web.reply_to(Request(self.command, parts.path, query, headers, dict(parse_qsl(form)))))

        do_POST = do_GET  # noqa: N815

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, text in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(reply.body)
            self.wfile.flush()
            if reply.stall:
                web.released.wait(30)

        def log_message(self, format: str, *args: object) -> None:
            """Tests look at `requests`."""

    return Handler
