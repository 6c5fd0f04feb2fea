"""Django's backend for PostgreSQL, with one thing more; see base.py."""
