from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _lazy


class Suppression(models.Model):
    """An address that gets nothing more."""

    class Reason(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", _lazy("Unsubscribed")
        BOUNCED = "bounced", _lazy("Bounced")
        COMPLAINED = "complained", _lazy("Complained")
        MANUAL = "manual", _lazy("Entered by hand")

    email = models.EmailField(_lazy("email"), max_length=254)
    reason = models.CharField(_lazy("reason"), max_length=20, choices=Reason, default=Reason.MANUAL)
    source = models.CharField(
        _lazy("source"), max_length=200, blank=True, help_text=_lazy("Where it comes from.")
    )
    at = models.DateTimeField(_lazy("at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _lazy("suppression")
        verbose_name_plural = _lazy("suppressions")
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="sending_suppression_email_once",
                violation_error_message=_lazy("This address is suppressed already."),
            ),
        ]

    def __str__(self) -> str:
        return self.email
