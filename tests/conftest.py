"""Fixtures of all tests. Real parts only: PostgreSQL, an SMTP server on loopback, a qcluster."""
