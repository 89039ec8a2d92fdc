"""Which folder, and why (T3-T6, A4)."""

from __future__ import annotations

from itertools import product

import pytest

from mailsite_ext.authentication.dmarc import Policy
from mailsite_ext.delivery import verdict
from mailsite_ext.delivery.verdict import JUNK, Facts, decide
from mailsite_ext.errors import RefusedByPolicy
from mailsite_ext.junk.score import Judgement
from mailsite_ext.reception.findings import Trust
from mailsite_ext.settings.values import Posture
from mailsite_ext.storage.values import FIRST_FOLDERS, INBOX

LIKE_JUNK, LIKE_MAIL = Judgement(0.99, ()), Judgement(0.5, ())


def facts(**words):
    return Facts(**{"posture": Posture.SPAM, "is_submission": False, "over_tls": True} | words)


@pytest.mark.parametrize(("posture", "submission", "tls", "trust"), list(product(Posture, *[(False, True)] * 2, Trust)))
def test_only_mail_from_outside_without_tls_is_junk_under_spam_insecure(posture, submission, tls, trust):
    found = decide(Facts(posture=posture, is_submission=submission, over_tls=tls, trust=trust))
    is_bare = posture is Posture.SPAM and not submission and not tls
    assert found.folder == (JUNK if is_bare and trust is not Trust.HONOURED else INBOX)
    assert (verdict.WITHOUT_TLS in found.reasons) == is_bare


@pytest.mark.parametrize(
    ("words", "folder", "reasons"),
    [
        ({"over_tls": False, "trust": Trust.HONOURED}, INBOX, (verdict.WITHOUT_TLS, verdict.TRUSTED)),
        ({"over_tls": False, "trust": Trust.UNPROVEN}, JUNK, (verdict.WITHOUT_TLS, verdict.TRUST_UNPROVEN)),
        ({"junk": LIKE_JUNK}, JUNK, (verdict.LIKE_JUNK,)),
        ({"junk": LIKE_JUNK, "trust": Trust.HONOURED}, INBOX, (verdict.LIKE_JUNK, verdict.TRUSTED)),
        ({"junk": LIKE_JUNK, "trust": Trust.UNPROVEN}, JUNK, (verdict.LIKE_JUNK, verdict.TRUST_UNPROVEN)),
        ({"junk": LIKE_JUNK, "over_tls": False}, JUNK, (verdict.WITHOUT_TLS, verdict.LIKE_JUNK)),
        ({"junk": LIKE_MAIL}, INBOX, ()),
        ({"trust": Trust.HONOURED}, INBOX, ()),
        ({"policy": Policy.QUARANTINE}, JUNK, (verdict.DISOWNED,)),
        ({"policy": Policy.QUARANTINE, "trust": Trust.HONOURED}, JUNK, (verdict.DISOWNED,)),
        ({"policy": Policy.REJECT, "is_submission": True}, INBOX, ()),
        ({"junk": LIKE_JUNK, "is_submission": True}, INBOX, ()),
    ],
)
def test_every_filing_has_its_reasons(words, folder, reasons):
    found = decide(facts(**words))
    assert (found.folder, found.reasons) == (folder, reasons)


@pytest.mark.parametrize("trust", Trust)
def test_what_the_author_asks_to_reject_is_refused_whoever_trusts_it(trust):
    with pytest.raises(RefusedByPolicy):
        decide(facts(policy=Policy.REJECT, trust=trust))


def test_junk_is_a_folder_every_mailbox_has():
    assert JUNK in {name for name, _role in FIRST_FOLDERS}
