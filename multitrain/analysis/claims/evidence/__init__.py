"""Verdicts on claims of the paper that are not differences of accuracies, from other records of the runs."""
