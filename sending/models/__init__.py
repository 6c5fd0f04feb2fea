"""The models of sending, a file for each concept."""

from sending.exporting.models import Export, ExportChunk
from sending.models.heartbeat import Heartbeat
from sending.models.ledger import SendLog
from sending.models.look import SentFolderLook
from sending.models.pacing import Pacing
from sending.models.queue import Batch, QueuedEmail, UncertainEmail
from sending.models.suppression import Suppression
from sending.models.tally import Tally
from sending.models.testmail import TestMail

__all__ = [
    "Batch",
    "Export",
    "ExportChunk",
    "Heartbeat",
    "Pacing",
    "QueuedEmail",
    "SendLog",
    "SentFolderLook",
    "Suppression",
    "Tally",
    "TestMail",
    "UncertainEmail",
]
