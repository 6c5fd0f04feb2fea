"""What the known providers have in common, so that staff fill in an address and a password only."""

from dataclasses import dataclass

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Security(models.TextChoices):
    NONE = "none", _("None (only on this machine)")
    STARTTLS = "starttls", _("STARTTLS (usually port 587)")
    TLS = "tls", _("TLS from the start (usually port 465)")


class ImapSecurity(models.TextChoices):
    TLS = "tls", _("TLS from the start (usually port 993)")
    STARTTLS = "starttls", _("STARTTLS (usually port 143)")
    NONE = "none", _("None (only on this machine)")


# RFC 8314 (993), RFC 3501 (143).
USUAL_IMAP_PORTS: dict[str, int] = {ImapSecurity.TLS: 993, ImapSecurity.STARTTLS: 143, ImapSecurity.NONE: 143}


# RFC 8314 (465), RFC 6409 (587), RFC 5321 (25).
USUAL_PORTS: dict[str, int] = {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 25}


class Provider(models.TextChoices):
    GMAIL = "gmail", "Gmail"
    WORKSPACE = "workspace", "Google Workspace"
    MICROSOFT365 = "microsoft365", "Microsoft 365"
    CUSTOM = "custom", _("Another SMTP server")


@dataclass(frozen=True)
class Preset:
    """host, port, security of SMTP; imap_host of the Sent folder ("": none that can
    be read); provider_limit: most mails in rolling 24 hours.

    minute_limit: most mails in a minute, None where the provider names none. minds_log_ins: who logs in
    often is refused for a while (Google: "454 4.7.0 Too many login attempts"; Microsoft: "432 4.3.2
    Concurrent connections limit exceeded").
    """

    host: str
    port: int
    security: str
    imap_host: str
    provider_limit: int
    how_to: str | Promise
    minute_limit: int | None = None
    minds_log_ins: bool = True


_GOOGLE_HOW_TO = _(
    "Turn on 2-Step Verification, then make an app password at "
    "https://myaccount.google.com/apppasswords and enter its 16 letters here."
)
# Limits: https://support.google.com/mail/answer/22839 and https://support.google.com/a/answer/166852;
# https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits
PRESETS: dict[str, Preset] = {
    Provider.GMAIL: Preset("smtp.gmail.com", 587, Security.STARTTLS, "imap.gmail.com", 500, _GOOGLE_HOW_TO),
    Provider.WORKSPACE: Preset(
        "smtp.gmail.com", 587, Security.STARTTLS, "imap.gmail.com", 2000, _GOOGLE_HOW_TO
    ),
    Provider.MICROSOFT365: Preset(
        "smtp.office365.com",
        587,
        Security.STARTTLS,
        "",  # its IMAP takes no password any more, only OAuth2
        10_000,
        _("Ask the administrator to allow SMTP AUTH for this mailbox."),
        minute_limit=30,
    ),
}


def mailbox_of(provider: str, username: str) -> str:
    """The mailbox that this user name logs in to, the same for all its spellings, where the provider limits
    mailboxes; "" where we don't know: many accounts may rightly share the log-in of a relay.

    Gmail passes over dots before the @ (https://support.google.com/mail/answer/7436150).
    """
    preset = PRESETS.get(provider)
    if not (preset and username):
        return ""
    local, _, domain = username.strip().lower().partition("@")
    if preset.host == "smtp.gmail.com":
        local = local.partition("+")[0]
    if provider == Provider.GMAIL and domain in ("", "gmail.com", "googlemail.com"):
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{preset.host} {local}@{domain}"


def provider_for_host(host: str) -> str:
    """The provider whose SMTP host this is; Provider.CUSTOM where it is none we know.

    Gmail and Workspace share a host: Gmail is assumed, the stricter of the two.
    """
    for provider, preset in PRESETS.items():
        if preset.host == host.strip().lower():
            return provider
    return Provider.CUSTOM
