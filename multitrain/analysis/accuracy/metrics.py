"""Confidence level of all intervals, and the label of smoke tests."""

__all__ = ["LEVEL", "SMOKE_TEST"]

LEVEL = 0.95  # of all intervals
SMOKE_TEST = "smoke test: no number here means anything"  # of a scale whose setting `smoke_test` is true
