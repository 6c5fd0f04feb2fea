"""What the known providers have in common, so that staff fill in an address and a password only."""

from contextlib import suppress
from dataclasses import dataclass

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.addresses import ascii_domain


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
    be read); provider_limit: most mails in rolling 24 hours. needs: what there has to be before it can be
    added; how_to: in a sentence where the password comes from; steps: the same for somebody who does it
    for the first time.

    minute_limit: most mails in a minute, None where the provider names none. minds_log_ins: who logs in
    often is refused for a while (Google: "454 4.7.0 Too many login attempts"; Microsoft: "432 4.3.2
    Concurrent connections limit exceeded").
    """

    host: str
    port: int
    security: str
    imap_host: str
    provider_limit: int
    needs: str | Promise
    how_to: str | Promise
    steps: tuple[str | Promise, ...]
    minute_limit: int | None = None
    minds_log_ins: bool = True


_GOOGLE_NEEDS = _("You need its address and an app password, which takes 2-Step Verification.")
_GOOGLE_HOW_TO = _(
    "Turn on 2-Step Verification, then make an app password at "
    "https://myaccount.google.com/apppasswords and enter its 16 letters here."
)
# https://support.google.com/mail/answer/185833
_TWO_STEPS = _(
    "Log in as this mailbox and turn on 2-Step Verification: "
    "https://myaccount.google.com/signinoptions/two-step-verification"
)
_APP_PASSWORD = _(
    "Then make an app password at https://myaccount.google.com/apppasswords: as its name, enter Batchwise."
)
_SIXTEEN_LETTERS = _(
    "Google shows 16 letters, once. Copy them into “App password” below; the spaces don't matter. The "
    "mailbox's own password does not work."
)
_GMAIL_STEPS = (
    _TWO_STEPS,
    _APP_PASSWORD,
    _SIXTEEN_LETTERS,
    _("Whoever changes the account's password makes a new app password, too: the old ones end with it."),
)
_WORKSPACE_STEPS = (
    _(
        "The administrator allows 2-Step Verification, under Security in https://admin.google.com; without "
        "it, and with security keys only, there are no app passwords."
    ),
    _TWO_STEPS,
    _APP_PASSWORD,
    _SIXTEEN_LETTERS,
)
# https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission
# https://support.microsoft.com/account-billing/manage-app-passwords-for-two-step-verification-d6dc8c6d-4bf7-4851-ad95-6d07799387e9
# The end of passwords: the Exchange team's post that accounts/checking.py names, as of January 2026.
_MICROSOFT_NEEDS = _(
    "You need its address and password, and the administrator has to allow SMTP AUTH for it first; where "
    "“security defaults” are on, they block it."
)
_MICROSOFT_STEPS = (
    _(
        "The administrator opens the mailbox under Active users in https://admin.microsoft.com, then Mail, "
        "“Manage email apps”, ticks “Authenticated SMTP”, and saves."
    ),
    _(
        "Where the mailbox logs in with a second factor, add an app password at "
        "https://mysignins.microsoft.com/security-info and enter it here; else enter the mailbox's own "
        "password."
    ),
    _(
        "Where “security defaults” are on, no password works: the administrator has to turn them off for "
        "SMTP AUTH."
    ),
    _(
        "Microsoft turns passwords for SMTP off by default at the end of December 2026; until they end for "
        "good, the administrator can turn them on again."
    ),
)
# Limits: https://support.google.com/mail/answer/22839 and https://support.google.com/a/answer/166852;
# https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits
PRESETS: dict[str, Preset] = {
    Provider.GMAIL: Preset(
        "smtp.gmail.com",
        587,
        Security.STARTTLS,
        "imap.gmail.com",
        500,
        _GOOGLE_NEEDS,
        _GOOGLE_HOW_TO,
        _GMAIL_STEPS,
    ),
    Provider.WORKSPACE: Preset(
        "smtp.gmail.com",
        587,
        Security.STARTTLS,
        "imap.gmail.com",
        2000,
        _GOOGLE_NEEDS,
        _GOOGLE_HOW_TO,
        _WORKSPACE_STEPS,
    ),
    Provider.MICROSOFT365: Preset(
        "smtp.office365.com",
        587,
        Security.STARTTLS,
        "",  # its IMAP takes no password any more, only OAuth2
        10_000,
        _MICROSOFT_NEEDS,
        _("Ask the administrator to allow SMTP AUTH for this mailbox."),
        _MICROSOFT_STEPS,
        minute_limit=30,
    ),
}


# Another name of the same servers.
ALIASES = {"smtp.googlemail.com": "smtp.gmail.com"}


def mailbox_of(provider: str, username: str) -> str:
    """The mailbox that this user name logs in to, the same for all its spellings, where the provider limits
    mailboxes; "" where we don't know: many accounts may rightly share the log-in of a relay.

    Gmail passes over dots before the @ (https://support.google.com/mail/answer/7436150).
    """
    preset = PRESETS.get(provider)
    if not (preset and username):
        return ""
    local, _, domain = username.strip().lower().partition("@")
    with suppress(ValueError):
        domain = ascii_domain(domain)
    if preset.host == "smtp.gmail.com":
        local = local.partition("+")[0]
        if domain in ("gmail.com", "googlemail.com") or (provider == Provider.GMAIL and not domain):
            local, domain = local.replace(".", ""), "gmail.com"
    return f"{preset.host} {local}@{domain}"


def provider_for_host(host: str) -> str:
    """The provider whose SMTP host this is; Provider.CUSTOM where it is none we know.

    Gmail and Workspace share a host: Gmail is assumed, the stricter of the two.
    """
    host = host.strip().lower()
    for provider, preset in PRESETS.items():
        if preset.host == ALIASES.get(host, host):
            return provider
    return Provider.CUSTOM
