"""GET /events: what rings for a person, as server-sent events.  Doorbells only: the page then asks for what changed.

A stream holds no database session and one thread.  Every (re)connect begins with `refresh`, so nothing is missed; there
is no event log.  A process serves at most a quarter of its threads as streams; the pages beyond ask every 15 seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator

from flask import Blueprint, Flask, Response, abort, current_app
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from app.accounts.models import MailAccount
from app.bus import Bell, Topic
from app.clock import Clock
from app.db import Database
from app.mirror.models import Folder
from app.runtime import Runtime, runtime
from app.users.models import UserRole
from app.web.bells import Ear, listener_on

bp = Blueprint("events", __name__)

TOPICS = (Topic.FOLDER, Topic.TREE, Topic.SENT, Topic.FOUND, Topic.SETTINGS)
HEARTBEAT_S = 15.0  # shorter than any proxy's patience; also how soon a closed browser is noticed
LONGEST_S = 600.0  # then the browser connects again: whoever was signed out meanwhile is noticed
MAX_KNOWN = 100_000
REFRESH = "retry: 2000\nevent: refresh\ndata:\n\n"


class Seats:
    """How many streams a process serves at once."""

    def __init__(self, number: int) -> None:
        self._free = threading.BoundedSemaphore(number)

    def take(self) -> bool:
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        self._free.release()


class Owners:
    """Whose a folder is.  Ids are never given twice and accounts never change hands, so an answer stays true."""

    def __init__(self, public: Database) -> None:
        self._public = public
        self._known: dict[int, int] = {}

    def find(self, folder_id: int) -> int | None:
        """The owner's user id; None for a folder that is gone."""
        if folder_id not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            with self._public.session() as db:
                owner = db.scalar(select(MailAccount.owner_id).join(Folder).where(Folder.id == folder_id))
            if owner is None:
                return None
            self._known[folder_id] = owner
        return self._known[folder_id]


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    parts: Runtime = app.extensions["satchel"]
    app.extensions["satchel_seats"] = Seats(max(1, parts.config.web_threads // 4))
    app.extensions["satchel_owners"] = Owners(parts.public)


@bp.get("/events")
def events() -> ResponseReturnValue:
    """The stream of whoever is signed in; 503 where this process has no seat left."""
    if not current_user.is_authenticated:
        abort(401)
    seats: Seats = current_app.extensions["satchel_seats"]
    if not seats.take():
        return Response("No stream is free; ask again later.\n", 503, {"Retry-After": "60"}, mimetype="text/plain")
    topics = TOPICS + ((Topic.MACHINES,) if current_user.role is UserRole.ADMIN else ())
    stream = listen(runtime(), current_app.extensions["satchel_owners"], current_user.id, topics)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = Response(stream, headers=headers, mimetype="text/event-stream")
    response.call_on_close(seats.give_back)
    return response


def listen(parts: Runtime, owners: Owners, user_id: int, topics: Collection[Topic] = TOPICS) -> Iterator[str]:
    """The events of a person until the stream has lasted long enough, or a site-wide setting changed."""
    with listener_on(parts.bus).subscribe(topics) as ear:
        yield REFRESH
        until = parts.clock.monotonic_s() + LONGEST_S
        yield from _events(ear, owners, user_id, parts.clock, until)


def _events(ear: Ear, owners: Owners, user_id: int, clock: Clock, until_s: float) -> Iterator[str]:
    while clock.monotonic_s() < until_s:
        heard = ear.wait(HEARTBEAT_S)
        if any(bell.topic is Topic.SETTINGS for bell in heard):
            return  # the mode may have closed this address: the browser asks again
        mine = [bell for bell in heard if bell.topic is Topic.MACHINES or is_for(bell, user_id, owners)]
        yield "".join(map(to_event, mine)) if mine else ":\n\n"


def is_for(bell: Bell, user_id: int, owners: Owners) -> bool:
    """Is this bell about something of the person's?"""
    if bell.topic is Topic.FOLDER:
        return owners.find(bell.subject) == user_id
    return bell.topic in (Topic.TREE, Topic.SENT, Topic.FOUND) and bell.subject == user_id


def to_event(bell: Bell) -> str:
    return f"event: {bell.topic}\ndata: {bell.subject}\n\n"
