"""Searches carried out by a working engine."""

from datetime import UTC, date

from app.mirror.queries import folder_tree
from app.search import service
from app.search.query import parse
from app.search.service import Scope
from tests.fake_source import FakeServer
from tests.webmail.engine.conftest import wait_for


def test_what_only_the_server_knows_is_found(quick_post):
    post, server = quick_post, FakeServer()
    server.deliver(b"Subject: Plain\r\nFrom: ines@press.example\r\n\r\n" + b"x " * 2_000 + b"the kitchen\r\n")
    server.deliver(b"Subject: Other\r\nFrom: ines@press.example\r\n\r\nnothing\r\n")
    post.start_engine()
    account = post.synced(server)
    query = parse("kitchen", date(2026, 11, 23))

    def search():
        with post.parts.public.session() as db:
            places = service.find_places(folder_tree(db, post.owner.id), Scope(), query)
            owner = post.owner.id
            return service.search(post.parts, db, owner, "kitchen", query, Scope(), places, UTC, before=None, limit=50)

    assert search().waits_for == [account.label]
    wait_for(lambda: not search().waits_for, "the server")
    assert [row.subject for row in search().rows] == ["Plain"]
