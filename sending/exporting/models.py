from django.db import models
from django.utils.translation import gettext_lazy as _

from sending.longwork.models import FilePiece, LongWork, in_work, rules


class Export(LongWork):
    """A large table on its way into a CSV file. A worker makes it; staff follow and download it."""

    title = models.CharField(_("what"), max_length=250)
    filename = models.CharField(max_length=250)
    source = models.CharField(max_length=30, help_text="Its name in exporting.sources.")
    wanted = models.JSONField(help_text="Which of its rows, as the source understands it.")
    language = models.CharField(max_length=10, help_text="Of who asked for it: its headings have it.")
    size = models.BigIntegerField(default=0, help_text="Bytes.")
    state = models.CharField(
        _("state"), max_length=10, choices=LongWork.State, default=LongWork.State.WORKING
    )

    class Meta:
        default_permissions = ()  # those of its rows hold: see exporting.sources
        ordering = ["-id"]
        constraints = [*rules("sending_export")]
        indexes = [in_work("sending_export")]

    def __str__(self) -> str:
        return self.title


class ExportChunk(FilePiece):
    of = models.ForeignKey(Export, related_name="chunks", on_delete=models.CASCADE, db_index=False)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["of", "number"], name="sending_exportchunk_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.of_id}: {self.number}"
