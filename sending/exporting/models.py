from django.db import models
from django.utils.translation import gettext_lazy as _

from sending.longwork.models import FilePiece, LongWork, in_work, rules


class Export(LongWork):
    """A large table on its way into a CSV file. A worker makes it; staff follow and download it."""

    title = models.CharField(_("what"), max_length=250)
    filename = models.CharField(_("file name"), max_length=250)
    source = models.CharField(_("source"), max_length=30)  # its name in exporting.sources
    wanted = models.JSONField(_("wanted"))  # which of its rows, as the source understands it
    language = models.CharField(
        _("language"), max_length=10, help_text=_("Of who asked for it: its headings have it.")
    )
    size = models.BigIntegerField(_("size"), default=0, help_text=_("Bytes."))
    state = models.CharField(
        _("state"), max_length=10, choices=LongWork.State, default=LongWork.State.WORKING
    )

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        default_permissions = ()  # those of its rows hold: see exporting.sources
        ordering = ["-id"]
        constraints = [*rules("sending_export")]
        indexes = [in_work("sending_export")]

    def __str__(self) -> str:
        return self.title


class ExportChunk(FilePiece):
    of = models.ForeignKey(
        Export, verbose_name=_("export"), related_name="chunks", on_delete=models.CASCADE, db_index=False
    )

    class Meta:
        verbose_name = _("export chunk")
        verbose_name_plural = _("export chunks")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["of", "number"], name="sending_exportchunk_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.of_id}: {self.number}"
