"""What the filters of a message's recipients say of it; asked before it is filed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TypeAlias

from app.extension_api import Database
from mailsite_ext.junk.memory import find_trained, known_words
from mailsite_ext.junk.score import Judgement, judge
from mailsite_ext.junk.words import words_of
from mailsite_ext.storage.catalogue_sql import linked

log = logging.getLogger(__name__)

Judgements: TypeAlias = Mapping[str, Judgement]
"""By the name of the mailbox."""


class JunkFilters:
    """One for each process; `judge` may wait for the database."""

    def __init__(self, public: Database) -> None:
        self._public = public

    def judge(self, mailboxes: Collection[str], message: bytes) -> Judgements:
        """Of those mailboxes whose filter is on and knows enough; `message`: its first octets will do.

        A message costs one narrow query, and where somebody's filter can judge its words, read by another for all.
        A fault of the database is nobody's reason to lose mail: then nothing is said.
        """
        try:
            return self._judge(mailboxes, message)
        except Exception:  # the driver's own among them
            log.exception("the junk filters could not be asked")
            return {}

    def _judge(self, mailboxes: Collection[str], message: bytes) -> Judgements:
        with self._public.session() as db:
            trained = find_trained(db, mailboxes)
        if not trained:
            return {}
        with linked(self._public.engine) as link:
            known = known_words(link, trained, words_of(message))
        judged = {name: judge(known.get(mailbox, {}), total) for mailbox, (name, total) in trained.items()}
        return {name: judgement for name, judgement in judged.items() if judgement is not None}
