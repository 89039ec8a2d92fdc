"""Which folder, and why (T3-T5)."""

from __future__ import annotations

from itertools import product

import pytest

from mailsite_ext.delivery.verdict import JUNK, Facts, decide
from mailsite_ext.settings.values import Posture
from mailsite_ext.storage.values import FIRST_FOLDERS, INBOX


@pytest.mark.parametrize(("posture", "submission", "tls", "trusted"), list(product(Posture, *[(False, True)] * 3)))
def test_only_mail_from_outside_without_tls_is_junk_under_spam_insecure(posture, submission, tls, trusted):
    verdict = decide(Facts(posture=posture, is_submission=submission, over_tls=tls, is_trusted=trusted))
    is_junk = posture is Posture.SPAM and not submission and not tls and not trusted
    assert verdict.folder == (JUNK if is_junk else INBOX)
    assert bool(verdict.reason) == (posture is Posture.SPAM and not submission and not tls)


def test_junk_is_a_folder_every_mailbox_has():
    assert JUNK in {name for name, _role in FIRST_FOLDERS}
