"""What changed in a folder, in as few turns as the server's extensions allow."""

from __future__ import annotations

from collections.abc import Sequence

from app.imap import deltas, fetch
from app.imap.deltas import News, Selected
from app.imap.dialog import Command
from app.imap.selection import Asked, Selection
from app.imap.uids import MAX_UID, Range, sets_of
from app.sources import NEW_AT_ONCE, Delta, FolderState, RemoteMessage

DELTA_OCTETS = 134_217_728
FLAGS_OCTETS = 100  # about what a FETCH of one message's flags takes
NEWEST_LOOKED_AT = 500
OLDER_LOOKED_AT = 2_000
"""Where flags have no MODSEQ: how many of the newest are compared each time, and how many of the older ones in turn."""


class Changes:
    """Asks for deltas.  Remembers only where in each folder the look at older flags has come to."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._session = selection.session
        self._looked_at: dict[str, int] = {}

    def _message_items(self, *, modseq: bool) -> bytes:
        """What is fetched of each new message; BODYSTRUCTURE stays as it comes."""
        gmail = b" X-GM-MSGID X-GM-THRID X-GM-LABELS" if self._session.has("X-GM-EXT-1") else b""
        fixed = b"UID FLAGS%b INTERNALDATE RFC822.SIZE%b" % (b" MODSEQ" if modseq else b"", gmail)
        return b"(%b BODY.PEEK[%b] BODYSTRUCTURE)" % (fixed, fetch.HEADER_SECTION)

    @property
    def _keeps_modseq(self) -> bool:
        return self._session.has("CONDSTORE") or "QRESYNC" in self._session.enabled

    @property
    def _flag_items(self) -> bytes:
        return b"(UID FLAGS X-GM-LABELS)" if self._session.has("X-GM-EXT-1") else b"(UID FLAGS)"

    def since(self, folder: str, since: FolderState, known: Sequence[int]) -> Delta:
        """The delta since a state; from nothing if UIDVALIDITY is another one now (RFC 9051 §2.3.1.1)."""
        first = max(since.uidnext, 1)  # 0 where the server never told
        next_ones = (first, min(first + NEW_AT_ONCE - 1, MAX_UID))
        commands = [
            *self._flag_commands(folder, since, known),
            self._new_command(next_ones, since),
            *self._count_unseen(),
        ]
        asked = self._ask(folder, commands, self._parameter(since), known)
        turn = self._selection.receive(asked)
        selected = deltas.selected_in(turn)
        if selected.uidvalidity != since.uidvalidity:
            return self.all(folder, (), reset=True)
        news = deltas.news_in(turn, known, [next_ones])
        unknown = set(news.messages)
        if selected.messages != len(known) - len(news.vanished) + len(unknown):
            unknown = self._compare(folder, known, news, selected)
        return self._delta(folder, selected, news, unknown, deltas.search_count(turn))

    def all(self, folder: str, known: Sequence[int], *, reset: bool = False) -> Delta:
        """The delta since nothing: all UIDs compared, and the flags of those that are known."""
        commands = [self._list_uids(), *self._count_unseen()]
        if known:
            commands.append(Command(b"UID FETCH %d:%d %b" % (known[0], known[-1], self._flag_items)))
        parameter = b" (CONDSTORE)" if self._keeps_modseq else b""
        turn = self._selection.receive(self._ask(folder, commands, parameter, known))
        news = deltas.news_in(turn, known)
        unknown = _compared(deltas.search_result(turn), known, news)
        return self._delta(folder, deltas.selected_in(turn), news, unknown, deltas.search_count(turn), reset=reset)

    def _ask(self, folder: str, commands: Sequence[Command], parameter: bytes, known: Sequence[int]) -> Asked:
        """Select anew, and ask; every message known may be spoken of."""
        expected = len(known) * FLAGS_OCTETS
        return self._selection.send(
            folder, *commands, parameter=parameter, most_octets=DELTA_OCTETS, expected_octets=expected, anew=True
        )

    def _parameter(self, since: FolderState) -> bytes:
        if since.highestmodseq and "QRESYNC" in self._session.enabled:
            return b" (QRESYNC (%d %d))" % (since.uidvalidity, since.highestmodseq)
        return b" (CONDSTORE)" if self._keeps_modseq else b""

    def _flag_commands(self, folder: str, since: FolderState, known: Sequence[int]) -> list[Command]:
        """How flags of known messages are asked for; QRESYNC tells them with SELECT."""
        if since.highestmodseq and "QRESYNC" in self._session.enabled:
            return []
        if since.highestmodseq and self._keeps_modseq:
            return [Command(b"UID FETCH 1:* %b (CHANGEDSINCE %d)" % (self._flag_items, since.highestmodseq))]
        window = self._window(folder, known)
        return [Command(b"UID FETCH %b %b" % (uids, self._flag_items)) for uids in sets_of(window)]

    def _window(self, folder: str, known: Sequence[int]) -> list[int]:
        """The newest, and a stretch of the others that moves on with every call, so that all are seen in the end."""
        newest, older = known[-NEWEST_LOOKED_AT:], known[:-NEWEST_LOOKED_AT]
        end = self._looked_at.get(folder, 0) or len(older)
        begin = max(min(end, len(older)) - OLDER_LOOKED_AT, 0)
        self._looked_at[folder] = begin
        return [*older[begin:end], *newest]

    def _new_command(self, next_ones: Range, since: FolderState) -> Command:
        items = self._message_items(modseq=bool(since.highestmodseq) and self._keeps_modseq)
        return Command(b"UID FETCH %d:%d %b" % (*next_ones, items))

    def _list_uids(self) -> Command:
        return Command(b"UID SEARCH RETURN (ALL) ALL" if self._session.has("ESEARCH") else b"UID SEARCH ALL")

    def _count_unseen(self) -> list[Command]:
        """Without ESEARCH the answer would look like that of another search; the number then stays unknown."""
        return [Command(b"UID SEARCH RETURN (COUNT) UNSEEN")] if self._session.has("ESEARCH") else []

    def _compare(self, folder: str, known: Sequence[int], news: News, selected: Selected) -> set[int]:
        """The numbers do not match: all UIDs say which ones are gone and which are unknown."""
        turn = self._selection.run(folder, self._list_uids(), most_octets=DELTA_OCTETS)
        return _compared(deltas.search_result(turn, selected.messages * 2 + 1_000), known, news)

    def _delta(
        self, folder: str, selected: Selected, news: News, unknown: set[int], unseen: int | None, *, reset: bool = False
    ) -> Delta:
        newest_first = sorted(unknown, reverse=True)
        wanted = newest_first[:NEW_AT_ONCE]
        missing = [uid for uid in wanted if uid not in news.messages]
        fetched = {message.uid: message for message in self._fetch(folder, missing)} | news.messages
        return Delta(
            state=selected.state,
            messages=selected.messages,
            unseen=unseen,
            reset=reset,
            flags={uid: state for uid, state in news.flags.items() if uid not in news.vanished},
            vanished=frozenset(news.vanished),
            new=[fetched[uid] for uid in wanted if uid in fetched],
            unfetched=newest_first[NEW_AT_ONCE:],
        )

    def _fetch(self, folder: str, uids: Sequence[int]) -> list[RemoteMessage]:
        if not uids:
            return []
        turn = self._selection.run(folder, *self.fetch_commands(uids), most_octets=DELTA_OCTETS)
        return deltas.messages_in(turn, uids)

    def fetch_commands(self, uids: Sequence[int]) -> list[Command]:
        """For messages of the folder that is open."""
        items = self._message_items(modseq=self._selection.keeps_modseq)
        return [Command(b"UID FETCH %b %b" % (some, items)) for some in sets_of(uids)]


def _compared(existing: Sequence[int], known: Sequence[int], news: News) -> set[int]:
    """Put right what is gone, and return the UIDs that exist and are unknown."""
    present = set(existing)
    news.vanished = set(known) - present
    for uid in set(news.messages) - present:
        del news.messages[uid]
    return present - set(known)
