import math

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from sending import window


class Pacing(models.Model):
    """The one row of knobs. Read afresh by every job, so a change holds from the next batch on."""

    class Scope(models.TextChoices):
        ALL = "all", _lazy("All accounts together")
        ACCOUNT = "account", _lazy("Each account")

    class Days(models.TextChoices):
        EVERY = "every", _lazy("Every day")
        WEEKDAYS = "weekdays", _lazy("Monday to Friday")

    id = models.PositiveSmallIntegerField(_lazy("ID"), primary_key=True, default=1, editable=False)
    batch_size = models.PositiveIntegerField(
        _lazy("batch size"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_lazy("Most mails in a batch: what goes out at one go, over one account or several."),
    )
    batch_interval = models.FloatField(
        _lazy("batch interval (seconds)"),
        default=30,
        validators=[MinValueValidator(0.1), MaxValueValidator(86_400)],
        help_text=_lazy("Seconds from the start of one batch to the start of the next."),
    )
    delay = models.FloatField(
        _lazy("delay (seconds)"),
        default=2,
        validators=[MinValueValidator(0), MaxValueValidator(300)],
        help_text=_lazy("Seconds between two mails of a batch."),
    )
    jitter = models.FloatField(
        _lazy("jitter (seconds)"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(300)],
        help_text=_lazy("Up to so many seconds more, at random, between two mails."),
    )
    retry_interval = models.FloatField(
        _lazy("retry interval (seconds)"),
        default=300,
        validators=[MinValueValidator(0.1), MaxValueValidator(86_400)],
        help_text=_lazy("Seconds until a mail that was refused for the moment is tried again."),
    )
    max_retries = models.PositiveSmallIntegerField(
        _lazy("max retries"),
        default=3,
        validators=[MaxValueValidator(100)],
        help_text=_lazy("Most retries after the first attempt."),
    )
    scope = models.CharField(
        _lazy("the batch size holds for"), max_length=10, choices=Scope, default=Scope.ALL
    )
    window_days = models.CharField(
        _lazy("days of sending"), max_length=10, choices=Days, default=Days.EVERY, db_default=Days.EVERY
    )
    window_opens = models.TimeField(
        _lazy("not before"),
        default=window.MIDNIGHT,
        db_default=window.MIDNIGHT,
        help_text=_lazy("The time of day from which on mail goes out."),
    )
    window_closes = models.TimeField(
        _lazy("not after"),
        default=window.MIDNIGHT,
        db_default=window.MIDNIGHT,
        help_text=_lazy("From then on no batch begins any more. 00:00: the end of the day."),
    )

    class Meta:
        verbose_name = verbose_name_plural = _lazy("pacing")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="sending_pacing_one_row"),
            models.CheckConstraint(
                condition=Q(
                    batch_size__gte=1,
                    # From above, too: to PostgreSQL NaN is a number, and greater than all others.
                    batch_interval__gt=0,
                    batch_interval__lte=86_400,
                    delay__gte=0,
                    delay__lte=300,
                    jitter__gte=0,
                    jitter__lte=300,
                    retry_interval__gt=0,
                    retry_interval__lte=86_400,
                    scope__in=["all", "account"],
                ),
                name="sending_pacing_sane",
            ),
            models.CheckConstraint(
                condition=Q(window_days__in=["every", "weekdays"])
                & (Q(window_closes=window.MIDNIGHT) | Q(window_opens__lt=F("window_closes"))),
                name="sending_pacing_window_opens_before_it_closes",
            ),
        ]

    def __str__(self) -> str:
        return _("%(batch_size)s mails every %(batch_interval)s s") % {
            "batch_size": self.batch_size,
            "batch_interval": f"{self.batch_interval:g}",
        }

    def clean(self) -> None:
        """A window within one day; times that are numbers."""
        knobs = ("batch_interval", "delay", "jitter", "retry_interval")
        if odd := [name for name in knobs if math.isnan(getattr(self, name) or 0)]:
            raise ValidationError(dict.fromkeys(odd, _("Enter a number of seconds.")))
        closes = self.window_closes
        if closes and closes != window.MIDNIGHT and self.window_opens and self.window_opens >= closes:
            told = _("Choose a time after that of the beginning; 00:00 is the end of the day.")
            raise ValidationError({"window_closes": told})

    @property
    def window(self) -> window.Window:
        """When mail goes out."""
        is_every_day = self.window_days == self.Days.EVERY
        days = window.EVERY_DAY if is_every_day else window.MONDAY_TO_FRIDAY
        return window.Window(self.window_opens, self.window_closes, days)

    @classmethod
    def load(cls) -> "Pacing":
        """The knobs as they stand now."""
        pacing, _created = cls.objects.get_or_create(pk=1)
        return pacing
