"""One leased account at work.

* The *watch* session keeps the INBOX and the tree fresh, by IDLE or by polls; a source on this machine tells of every
  folder, others are polled.
* The *interactive* one does what people wait for, and stays warm.
* The *bulk* one fetches everything else, and is closed when there is nothing left.
* Sending has a lane of its own and no session: it speaks SMTP.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from app.bus import Topic
from app.engine import bodies, deeds, health, sync
from app.engine.account_jobs import AccountJob
from app.engine.desk import Desk
from app.engine.idle import Watcher
from app.engine.jobs import Lane, Pools
from app.engine.leases import LeaseLost
from app.engine.plan import KnownFolder, Rank, news_rank, older_rank
from app.engine.seats import OpenSession, Seat, Seats
from app.engine.sync import Backfill
from app.engine.timetable import Timetable
from app.errors import MailError
from app.sources import MailSource

log = logging.getLogger("satchel.engine")

PATIENCE_S = 5.0
"""Shorter rests are not worth failing what people wait for."""
TREE_GAP_S = 0.5
"""Between two looks at the tree that were asked for by news of other folders."""
SILENT_S = 30.0
"""A session unused for this long may be dead without a sign."""


class AccountWork:
    """Everything the engine does for one account.  Its methods return at once; any thread may call them."""

    def __init__(
        self, desk: Desk, pools: Pools, watcher: Watcher, open_session: OpenSession, facts: object = None
    ) -> None:
        """`facts` are what the sessions depend on, kept for whoever asks whether they changed."""
        self.desk = desk
        self.facts = facts
        self.is_resting = False
        self.stopped = False
        self._clock = desk.parts.clock
        self._timetable = Timetable(self._clock)
        self._watcher = watcher
        self._seats = Seats(desk.account_id, self._clock, self._timetable, self)
        self._watch = self._seats.add("watch", pools.prompt, open_session, self._begin_watching)
        self._interactive = self._seats.add("interactive", pools.prompt, open_session)
        self._bulk = self._seats.add("bulk", pools.bulk, open_session)
        self._sending = Lane(pools.sending)
        self._backfills: dict[int, Backfill] = {}
        self._idle_fd: int | None = None
        self._watched_id = 0
        self._watched_name = "INBOX"
        self._tree_looked_s = -TREE_GAP_S
        self._trouble: MailError | None = None

    # What comes from outside

    def start(self) -> None:
        """Look at everything once: what happened while nobody worked for this account is in SQL and on the server."""
        self._seats.put(self._watch, "look", Rank.NEWS, self._look)
        self._seats.put(self._watch, "tree", Rank.NEWEST, self._sync_tree)
        self._sending.put("recover", Rank.WANTED, lambda: self._guarded(self._recover))
        for topic in (Topic.BODY_WANTED, Topic.ACTIONS):
            self.hear(topic)
        self._seats.put(self._interactive, "warm", Rank.KEEP_WARM, self._keep_warm)

    def hear(self, topic: Topic) -> None:
        """A bell rang about this account."""
        if topic is Topic.BODY_WANTED and self._trouble is not None:
            self._fail_requests(self._trouble)
        elif topic is Topic.BODY_WANTED:
            self._seats.put(self._interactive, "bodies", Rank.WANTED, self._serve_bodies)
        elif topic is Topic.ACTIONS:
            self._seats.put(self._interactive, "actions", Rank.NEWS, self._do_actions)
        elif topic is Topic.SEARCH:
            self._seats.put(self._bulk, "search", Rank.WANTED, self._search)
        elif topic is Topic.OUTBOX:
            self._sending.put("send", Rank.NEWS, lambda: self._guarded(self._send))
            self._seats.put(self._interactive, "file", Rank.NEWEST, self._file)

    def do_job(self, name: str, job: AccountJob) -> None:
        """A step of an extension's work, and the next one when the others had their turn."""
        self._seats.put(self._bulk, name, Rank.OLDER_OF_OTHERS, lambda bulk: self._step_job(bulk, name, job))

    def tick(self) -> None:
        """Do what is due by now."""
        for what in self._timetable.collect():
            if what in (Topic.ACTIONS, Topic.OUTBOX):
                self.hear(Topic(what))
            elif what == "file":
                self._seats.put(self._interactive, "file", Rank.NEWEST, self._file)
            elif what == "look":
                self._seats.put(self._watch, "look", Rank.NEWS, self._look)
            elif what == "tree":
                self._seats.put(self._watch, "tree", Rank.NEWEST, self._sync_tree)
            elif what == "warm":
                self._seats.put(self._interactive, "warm", Rank.KEEP_WARM, self._keep_warm)
            elif what == "close bulk":
                self._put_bulk_away()
            else:
                self._trouble, self.is_resting = None, False
                self._seats.on_time(what)

    def stop(self) -> None:
        """Close all sessions at once; nothing is started any more."""
        self.stopped = True
        self._sending.close()
        self._seats.close()

    # What the seats tell

    def before_job(self, seat: Seat, source: MailSource) -> None:
        if seat is self._watch and self._idle_fd is not None:
            self.session_ended(seat)
            source.stop_watching()

    def session_ended(self, seat: Seat) -> None:
        if seat is self._watch:
            fd, self._idle_fd = self._idle_fd, None
            if fd is not None:
                self._watcher.unwatch(fd)

    def resting(self, error: MailError, wait_s: float) -> None:
        self.is_resting = True
        self._guarded(lambda: health.note_failure(self.desk, error, wait_s))
        if wait_s >= PATIENCE_S:
            self._trouble = error
            self._fail_requests(error)

    def recovered(self) -> None:
        self._guarded(lambda: health.note_recovery(self.desk))

    def gave_up(self, key: str, error: MailError) -> None:
        if key == "bodies":
            self._fail_requests(error)

    def lease_lost(self) -> None:
        self.stop()

    def _fail_requests(self, error: MailError) -> None:
        self._sending.put("fail", Rank.WANTED, lambda: self._guarded(lambda: health.fail_requests(self.desk, error)))

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except LeaseLost:
            self.stop()

    # The watch session

    def _look(self, source: MailSource) -> None:
        """Fetch the INBOX's news; the very first time, its newest messages."""
        idles = source.can_idle and self._watch.host is None and not self._seats.is_shared(self._watch)
        self._timetable.plan("look", self.desk.times.idle_renew_s if idles else self.desk.times.inbox_poll_s)
        inbox = sync.get_watched(self.desk, source)
        is_first_look, self._watched_id = self._watched_id == 0, inbox.id
        self._watched_name = inbox.name
        delta = sync.sync_folder(self.desk, source, inbox, inbox.state)
        view_id = sync.find_inbox_view(self.desk) if source.is_gmail else None
        if view_id and is_first_look and not inbox.complete:
            sync.fetch_inbox(self.desk, source, inbox, delta.state.uidvalidity)
        health.note_success(self.desk)
        self._fetch_rest(inbox, more=bool(delta.unfetched))
        if delta.new or is_first_look:
            self._seats.put(
                self._bulk, "prefetch", Rank.PREFETCH, lambda bulk: bodies.prefetch(self.desk, bulk, inbox.id, view_id)
            )

    def _sync_tree(self, source: MailSource) -> None:
        self._timetable.plan("tree", self.desk.times.tree_s)
        self._tree_looked_s = self._clock.monotonic_s()
        self._look_at(sync.sync_tree(self.desk, source))

    def _begin_watching(self) -> None:
        """The watch lane has nothing to do: begin IDLE, or go on with it."""
        source = self._watch.session.find()
        if source is None or not source.can_idle or self.stopped:
            return
        try:
            if self._idle_fd is None:
                self._idle_fd = source.start_watching(self._watched_name)
            has_news = source.has_news()  # it came together with the answer to IDLE
            if source.has_other_news():
                self._look_at_tree_soon()
            if has_news:
                self._seats.put(self._watch, "look", Rank.NEWS, self._look)
            else:
                self._watcher.watch(self._idle_fd, self._on_arrival)
        except MailError as error:
            self._seats.session_broke(self._watch, "look", Rank.NEWS, self._look, error)

    def _look_at_tree_soon(self) -> None:
        """At once, or TREE_GAP_S after the last time: who brings mail by the thousand rings at every batch."""
        wait_s = self._tree_looked_s + TREE_GAP_S - self._clock.monotonic_s()
        if wait_s > 0:
            self._timetable.plan("tree", wait_s)
        else:
            self._seats.put(self._watch, "tree", Rank.NEWS, self._sync_tree)

    def _on_arrival(self) -> None:
        """In the watcher's thread: something can be read, perhaps only a sign of life; `_begin_watching` reads it."""
        self._watch.lane.put("hear", Rank.WANTED, lambda: None)

    # The bulk session

    def _fetch_news(self, folder: KnownFolder) -> None:
        if folder.complete:
            self._seats.put(self._bulk, f"news {folder.id}", Rank.NEWS, lambda bulk: self._sync_other(bulk, folder.id))
        else:
            self._fetch_rest(folder)

    def _sync_other(self, source: MailSource, folder_id: int) -> None:
        self._timetable.plan("close bulk", self.desk.times.close_bulk_s)
        folder = sync.find_folder(self.desk, folder_id)
        if folder is not None:
            delta = sync.sync_folder(self.desk, source, folder, folder.state)
            self._fetch_rest(folder, more=bool(delta.unfetched))
            self._preview(folder_id)

    def _preview(self, folder_id: int) -> None:
        if folder_id != self._watched_id:
            key = f"previews {folder_id}"
            self._seats.put(
                self._bulk, key, Rank.PREFETCH, lambda bulk: bodies.fetch_previews(self.desk, bulk, folder_id)
            )

    def _fetch_rest(self, folder: KnownFolder, *, more: bool = False) -> None:
        """Go on with a folder's first sync: its newest messages soon, the older ones after everything else.

        `more`: a delta told of more than it fetched.
        """
        if more and folder.complete:
            sync.mark_incomplete(self.desk, folder)
        if more or not folder.complete:
            is_watched = folder.id == self._watched_id
            is_new = folder.state is None and not is_watched
            self._put_older(folder.id, news_rank(folder) if is_new else older_rank(is_watched=is_watched))

    def _put_older(self, folder_id: int, rank: Rank) -> None:
        self._seats.put(self._bulk, f"older {folder_id}", rank, lambda bulk: self._step_back(bulk, folder_id))

    def _step_back(self, source: MailSource, folder_id: int) -> None:
        self._timetable.plan("close bulk", self.desk.times.close_bulk_s)
        folder = sync.find_folder(self.desk, folder_id)
        if folder is None or folder.complete:
            self._backfills.pop(folder_id, None)
            return
        backfill = self._backfills.setdefault(folder_id, Backfill(self.desk, folder))
        goes_on = backfill.step(source)
        if folder.state is None:
            self._preview(folder_id)
        if goes_on:
            self._put_older(folder_id, older_rank(is_watched=folder_id == self._watched_id))
        else:
            self._backfills.pop(folder_id, None)

    def _step_job(self, source: MailSource, name: str, job: AccountJob) -> None:
        self._timetable.plan("close bulk", self.desk.times.close_bulk_s)
        if job.step(self.desk, source):
            self.do_job(name, job)

    def _put_bulk_away(self) -> None:
        unused_s = self._clock.monotonic_s() - self._bulk.used_s
        if unused_s >= self.desk.times.close_bulk_s:
            self._bulk.lane.put("close", Rank.KEEP_WARM, self._bulk.session.drop)
        else:
            self._timetable.plan("close bulk", self.desk.times.close_bulk_s - unused_s)

    # The interactive session, and sending

    def _serve_bodies(self, source: MailSource) -> None:
        if bodies.serve_requests(self.desk, source, large=False):
            self._seats.put(self._bulk, "bodies", Rank.WANTED, self._serve_large_bodies)

    def _serve_large_bodies(self, source: MailSource) -> None:
        """On the bulk session: a large attachment keeps nobody waiting who wants a text."""
        self._timetable.plan("close bulk", self.desk.times.close_bulk_s)
        bodies.serve_requests(self.desk, source, large=True)

    def _search(self, source: MailSource) -> None:
        """On the bulk session: a server may take seconds, and somebody else waits for a text."""
        self._timetable.plan("close bulk", self.desk.times.close_bulk_s)
        if deeds.search(self.desk, source):
            self.hear(Topic.SEARCH)

    def _do_actions(self, source: MailSource) -> None:
        self._assure(source)
        if deeds.change_folders(self.desk, source):
            self._seats.put(self._watch, "tree", Rank.NEWS, self._sync_tree)
        more = deeds.go_on_in_bulk(self.desk)
        touched, next_at = deeds.do_actions(self.desk, source)
        self._timetable.plan_at(Topic.ACTIONS, next_at)
        self._look_at(touched)
        if more:
            self.hear(Topic.ACTIONS)

    def _file(self, source: MailSource) -> None:
        """Drafts, and copies of what was sent."""
        self._assure(source)
        touched, next_at = deeds.file(self.desk, source)
        self._timetable.plan_at("file", next_at)
        self._look_at(touched)

    def _recover(self) -> None:
        """Before anything is sent: what another engine was sending when it died is looked for in Sent."""
        deeds.recover(self.desk)
        self.hear(Topic.OUTBOX)

    def _send(self) -> None:
        self._timetable.plan_at(Topic.OUTBOX, deeds.send(self.desk))

    def _keep_warm(self, source: MailSource) -> None:
        self._timetable.plan("warm", self.desk.times.keep_warm_s)
        self._assure(source)

    def _assure(self, source: MailSource) -> None:
        """Better to know that a session died before a deed is told to it."""
        if self._clock.monotonic_s() - self._interactive.used_s >= SILENT_S:
            source.noop()

    def _look_at(self, folders: Sequence[KnownFolder]) -> None:
        """Fetch the news of folders: of the watched one by its own session."""
        for folder in folders:
            if folder.id == self._watched_id:
                self._seats.put(self._watch, "look", Rank.NEWS, self._look)
            else:
                self._fetch_news(folder)
