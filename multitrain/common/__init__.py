"""Shared by all packages: files, locks, the process pool, records, messages."""
