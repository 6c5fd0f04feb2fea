"""What an account may hand over: its limits, in which time, and how they are checked."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.clock import database_now
from accounts.presets import PRESETS, Provider
from accounts.words import number

LONGEST_SPACING = 3600  # seconds
LONGEST_JITTER = 300  # seconds


def default_time_zone() -> str:
    """The time zone of a new account: the project's (TIME_ZONE)."""
    return settings.TIME_ZONE or "UTC"


class Window(models.TextChoices):
    ROLLING = "rolling", _lazy("Any 24 hours (most providers)")
    CALENDAR = "calendar", _lazy("A calendar day, from midnight to midnight")


class Limits(models.Model):
    """The limits of an account; sending/capacity.py tells what they leave."""

    daily_limit = models.PositiveIntegerField(
        _lazy("daily limit"),
        default=100,
        validators=[MinValueValidator(1)],
        help_text=_lazy("Most mails a day, mail written by hand in the same mailbox not included."),
    )
    limit_window = models.CharField(
        _lazy("the daily limit counts"),
        max_length=10,
        choices=Window,
        default=Window.ROLLING,
        help_text=_lazy(
            "Gmail and Microsoft 365 count any 24 hours: a mail counts until a day after it went out."
        ),
    )
    time_zone = models.CharField(
        _lazy("time zone"),
        max_length=64,
        default=default_time_zone,
        help_text=_lazy("Whose midnight starts the calendar day, such as Europe/Berlin."),
    )
    hourly_limit = models.PositiveIntegerField(
        _lazy("hourly limit"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_lazy("Most mails in any 60 minutes. Empty: no such limit."),
    )
    minute_limit = models.PositiveIntegerField(
        _lazy("minute limit"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_lazy("Most mails in any 60 seconds. Empty: no such limit."),
    )
    spacing = models.FloatField(
        _lazy("spacing (seconds)"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(LONGEST_SPACING)],
        help_text=_lazy(
            "At least so many seconds between two mails of this account. 0: only the pacing counts."
        ),
    )
    spacing_jitter = models.FloatField(
        _lazy("spacing jitter (seconds)"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(LONGEST_JITTER)],
        help_text=_lazy("Up to so many seconds more, at random, so that mails don't go out like clockwork."),
    )
    warm_up_start = models.PositiveIntegerField(
        _lazy("warm-up: mails on the first day"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_lazy("For a new mailbox: start with few mails a day. Empty: no warm-up."),
    )
    warm_up_step = models.PositiveIntegerField(
        _lazy("warm-up: more each day"),
        default=10,
        help_text=_lazy("Each day so many more than the day before, until the daily limit is reached."),
    )
    warm_up_since = models.DateTimeField(
        _lazy("warm-up: since"),
        null=True,
        blank=True,
        help_text=_lazy("When the first day began. Empty: now. Clear it to start the warm-up anew."),
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(limit_window__in=Window.values) & ~Q(time_zone=""),
                name="%(app_label)s_%(class)s_window_known",
            ),
            models.CheckConstraint(
                condition=(Q(hourly_limit=None) | Q(hourly_limit__gte=1))
                & (Q(minute_limit=None) | Q(minute_limit__gte=1)),
                name="%(app_label)s_%(class)s_limits_sane",
            ),
            models.CheckConstraint(
                condition=Q(
                    spacing__gte=0,
                    spacing__lte=LONGEST_SPACING,
                    spacing_jitter__gte=0,
                    spacing_jitter__lte=LONGEST_JITTER,
                ),
                name="%(app_label)s_%(class)s_spacing_sane",
            ),
            models.CheckConstraint(
                condition=Q(warm_up_start=None, warm_up_since=None)
                | Q(warm_up_start__isnull=False, warm_up_start__gte=1, warm_up_since__isnull=False),
                name="%(app_label)s_%(class)s_warm_up_whole",
            ),
        ]

    provider: models.CharField

    def start_warm_up(self) -> None:
        """Dates a warm-up that was turned on, by Postgres' clock; forgets one that was turned off."""
        if self.warm_up_start is None:
            self.warm_up_since = None
        elif self.warm_up_since is None:
            self.warm_up_since = database_now()

    def limit_errors(self) -> dict[str, str]:
        """What is wrong with the limits, by field, and what to do about it."""
        return {"daily_limit": self._limit_problem(), "time_zone": self._time_zone_problem()}

    def _limit_problem(self) -> str:
        preset = PRESETS.get(self.provider)
        if preset is None or not self.daily_limit:
            return ""
        label, is_calendar = Provider(self.provider).label, self.limit_window == Window.CALENDAR
        if is_calendar and self.daily_limit > preset.provider_limit // 2:
            # A day's mails before midnight and the next day's after it fall into the same 24 hours.
            return _(
                "%(label)s counts any 24 hours, and around midnight twice the daily limit can go out: "
                "enter %(most)s at most, or let it count in any 24 hours."
            ) % {"label": label, "most": number(preset.provider_limit // 2)}
        if self.daily_limit <= preset.provider_limit:
            return ""
        problem = _(
            "%(label)s lets out %(count)s mails in 24 hours, those written by hand included: enter less."
        ) % {"label": label, "count": number(preset.provider_limit)}
        if self.provider == Provider.GMAIL:
            problem += _(" For a Google Workspace account choose that provider.")
        return problem

    def _time_zone_problem(self) -> str:
        if not self.time_zone or is_known_time_zone(self.time_zone):
            return ""
        return _("This time zone is not known: enter a name such as Europe/Berlin or UTC.")


def is_known_time_zone(name: str) -> bool:
    """Whether both Python and PostgreSQL know a time zone of this name (IANA)."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_day_start(now(), %s) IS NOT NULL", [name])
        return cursor.fetchone()[0]
