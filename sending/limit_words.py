"""What people call the limits that hold an account back, by their names in sending.capacity."""

from django.utils.translation import gettext_lazy, ngettext_lazy

LIMITS = {
    "24 h": gettext_lazy("24 h limit"),
    "day": gettext_lazy("limit of the day"),
    "warm-up": gettext_lazy("warm-up limit"),
    "hour": gettext_lazy("hourly limit"),
    "minute": gettext_lazy("limit of the minute"),
    "spacing": gettext_lazy("spacing"),
}
# What is said of the accounts that such a limit holds back.
HELD = {
    "24 h": ngettext_lazy(
        "%(count)s account has used its 24 h limit", "%(count)s accounts have used their 24 h limit", "n"
    ),
    "day": ngettext_lazy(
        "%(count)s account has used its limit of the day",
        "%(count)s accounts have used their limit of the day",
        "n",
    ),
    "warm-up": ngettext_lazy(
        "%(count)s account has used its warm-up limit",
        "%(count)s accounts have used their warm-up limit",
        "n",
    ),
    "hour": ngettext_lazy(
        "%(count)s account has used its hourly limit", "%(count)s accounts have used their hourly limit", "n"
    ),
    "minute": ngettext_lazy(
        "%(count)s account has used its limit of the minute",
        "%(count)s accounts have used their limit of the minute",
        "n",
    ),
    "spacing": ngettext_lazy(
        "%(count)s account waits for its spacing", "%(count)s accounts wait for their spacing", "n"
    ),
}
