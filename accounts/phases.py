from django.db import models
from django.utils.translation import gettext_lazy as _


class Phase(models.TextChoices):
    """How far a conversation with a server came. In DOT the mail may have been accepted."""

    CONNECT = "connect", _("Connecting")
    TLS = "tls", _("TLS")
    AUTH = "auth", _("Log-in")
    MAIL = "mail", _("MAIL FROM")
    RCPT = "rcpt", _("RCPT TO")
    DATA = "data", _("DATA")
    DOT = "dot", _("Final dot")
    COMPOSE = "compose", _("Composing")  # before any conversation
    RESOLUTION = "resolution", _("Resolved")  # after it: by a person, the Sent folder, or the account's rule
