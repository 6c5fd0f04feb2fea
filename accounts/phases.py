from django.db import models


class Phase(models.TextChoices):
    """How far a conversation with a server came. In DOT the mail may have been accepted."""

    CONNECT = "connect", "Connecting"
    TLS = "tls", "TLS"
    AUTH = "auth", "Log-in"
    MAIL = "mail", "MAIL FROM"
    RCPT = "rcpt", "RCPT TO"
    DATA = "data", "DATA"
    DOT = "dot", "Final dot"
    COMPOSE = "compose", "Composing"  # before any conversation
    RESOLUTION = "resolution", "Resolved"  # after it: by a person, the Sent folder, or the account's rule
