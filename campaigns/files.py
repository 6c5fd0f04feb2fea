"""What may be attached to a campaign: the same for a file from a browser and from the shell."""

import mimetypes

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from campaigns.models import Attachment

# Gmail takes messages of 25 MB; base64 makes 27 MB of 20 MB, so no letter gets much larger.
MAX_FILE = 10 * 1024 * 1024
MAX_TOGETHER = 20 * 1024 * 1024
MAX_NAME = 200


def problem(name: str, size: int) -> str:
    """Why a file of this name and size (bytes) can't be attached, and what to do; "" where it can."""
    if size > MAX_FILE:
        return _("“%(name)s” has %(size)s: an attachment may have at most %(most)s. Link to it instead.") % {
            "name": name,
            "size": filesizeformat(size),
            "most": filesizeformat(MAX_FILE),
        }
    if size == 0:
        return _("“%s” is empty: choose another file.") % name
    if len(name) > MAX_NAME:
        return _("The file's name has more than 200 letters: shorten it.")
    if not name.isprintable():
        return _("The file's name has a character that can't be printed: rename it.")
    return ""


def problem_together(size: int) -> str:
    """Why attachments of so many bytes in all can't go with one mail, or ""."""
    if size <= MAX_TOGETHER:
        return ""
    return _(
        "The attachments have %(size)s together: at most %(most)s go with one mail. "
        "Remove one, or link to it."
    ) % {"size": filesizeformat(size), "most": filesizeformat(MAX_TOGETHER)}


def put_into(attachment: Attachment, name: str, content: bytes) -> Attachment:
    """Gives the attachment its file; its type follows from the name."""
    attachment.filename = name
    attachment.content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    attachment.content = content
    return attachment
