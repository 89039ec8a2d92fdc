"""What a filter makes of mail others got, of which it learned half.

19 of 100 good messages of this corpus are its "hard" ones: newsletters and offers that read like junk.
"""

from __future__ import annotations

from statistics import fmean

import pytest

from tests.mailsite.junk.halves import judge_half, read_corpus

SEEDS = range(8)


@pytest.mark.corpora
def test_most_junk_is_found_and_next_to_no_good_mail_is_taken_for_it(corpora):
    letters = read_corpus(corpora / "spamassassin")
    rates = [judge_half(letters, seed) for seed in SEEDS]
    assert fmean(rate.good for rate in rates) <= 0.005
    assert fmean(rate.junk for rate in rates) >= 0.78
