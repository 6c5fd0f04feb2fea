"""Reads a file of contacts into a list: read, map the headers, check each row, write all or nothing."""

from campaigns.importing.action import import_contacts
from campaigns.importing.refusal import ImportRefused
from campaigns.importing.report import ImportReport, RefusedRow

__all__ = ["ImportRefused", "ImportReport", "RefusedRow", "import_contacts"]
