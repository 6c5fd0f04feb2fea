"""What a mail says, as sending sees it: letters come from whatever SENDING_COMPOSER names."""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error as DatabaseFault
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from sending.models import QueuedEmail

    Composer = Callable[[Sequence[QueuedEmail]], Mapping[int, "Letter | ComposeError"]]

logger = logging.getLogger(__name__)


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


class ComposeFault(ComposeError):
    """The composer failed at this mail in a way that it doesn't know; later it may not."""


def compose(queued_emails: "Sequence[QueuedEmail]") -> "Mapping[int, Letter | ComposeError]":
    """The letter of each queue row, by id, or why it can't be made.

    Costs a constant number of queries, however many rows. A row at which the composer itself fails
    fails alone, as a ComposeFault. Errors of the database are raised: they are no fault of a row.
    """
    composer = import_string(settings.SENDING_COMPOSER)
    try:
        return composer(queued_emails)
    except DatabaseFault:  # no fault of a row
        raise
    except Exception as error:
        logger.warning("Composed one by one, for the composer failed at one mail: %s", where(error))
    return {row.pk: _compose_alone(composer, row) for row in queued_emails}


def _compose_alone(composer: "Composer", row: "QueuedEmail") -> Letter | ComposeError:
    try:
        return composer([row])[row.pk]
    except DatabaseFault:  # no fault of a row
        raise
    except Exception as error:
        logger.error("Mail %s can't be composed: %s", row.pk, where(error))
        return ComposeFault(_("The message can't be composed (%(kind)s).") % {"kind": type(error).__name__})


def where(error: Exception) -> str:
    """An unforeseen error for the log: its kind and place, not its text, which may quote a recipient."""
    *_others, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"{type(error).__name__} in {frame.f_code.co_filename}, line {line}"
