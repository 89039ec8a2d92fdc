"""`make bench`: prints every figure of docs/performance.md beside its peer, as ratios taken in one run.

Timings never fail anything; what they mean is said in docs/performance.md.
"""
