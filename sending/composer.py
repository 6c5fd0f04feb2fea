"""What a mail says, as sending sees it: letters come from whatever SENDING_COMPOSER names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from sending.models import QueuedEmail


@dataclass(frozen=True)
class Enclosure:
    """A file that goes out with a letter."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """What one mail says; nothing in it is trusted yet (build_message is where headers are made)."""

    subject: str
    text: str
    html: str = ""
    to_name: str = ""
    enclosures: tuple[Enclosure, ...] = ()


class ComposeError(Exception):
    """This mail can't be made, now or later; the text says why, without the recipient's data."""


def compose(queued_emails: "Sequence[QueuedEmail]") -> "Mapping[int, Letter | ComposeError]":
    """The letter of each queue row, by id, or why it can't be made.

    Costs a constant number of queries, however many rows.
    """
    return import_string(settings.SENDING_COMPOSER)(queued_emails)
