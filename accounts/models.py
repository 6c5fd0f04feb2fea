import ipaddress
import re

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.addresses import ascii_address, ascii_domain
from accounts.limits import Limits
from accounts.mailboxes import has_sent_lately, is_looked_into
from accounts.pauses import LONGEST_REASON
from accounts.pauses import AccountPause as AccountPause  # a model of this room
from accounts.presets import (
    PRESETS,
    USUAL_IMAP_PORTS,
    USUAL_PORTS,
    ImapSecurity,
    Provider,
    Security,
    mailbox_of,
    provider_for_host,
)
from accounts.querysets import SmtpAccountQuerySet
from accounts.secrets import SecretField

HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+", re.ASCII)


class WhenUnproven(models.TextChoices):
    """What becomes of a mail of which the Sent folder does not prove that it was accepted."""

    HOLD = "hold", _lazy("Wait for a person to decide")
    RESEND = "resend", _lazy("Send it again (may arrive twice)")


class SmtpAccount(Limits):
    """One mailbox to send through, with the limits that it must never exceed."""

    name = models.CharField(_lazy("name"), max_length=100, help_text=_lazy("What the team calls it."))
    provider = models.CharField(_lazy("provider"), max_length=20, choices=Provider, default=Provider.CUSTOM)
    email = models.EmailField(_lazy("email"), help_text=_lazy("The From address."))
    from_name = models.CharField(
        _lazy("from name"), max_length=100, blank=True, help_text=_lazy("The name beside the From address.")
    )
    reply_to = models.EmailField(
        _lazy("reply to"), blank=True, help_text=_lazy("Where replies go, when not to the From address.")
    )
    host = models.CharField(_lazy("SMTP host"), max_length=253)
    port = models.PositiveIntegerField(
        _lazy("SMTP port"), default=587, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    security = models.CharField(_lazy("security"), max_length=10, choices=Security, default=Security.STARTTLS)
    username = models.CharField(
        _lazy("username"), max_length=254, blank=True, help_text=_lazy("Empty: no log-in.")
    )
    password = SecretField(_lazy("password"), blank=True, default="", editable=False)
    is_enabled = models.BooleanField(_lazy("enabled"), default=True)
    # Paused while there is a reason and paused_until is ahead or empty (empty: until mended). A trigger
    # keeps the history (AccountPause).
    paused_until = models.DateTimeField(_lazy("paused until"), null=True, blank=True, editable=False)
    pause_reason = models.CharField(
        _lazy("pause reason"), max_length=LONGEST_REASON, blank=True, editable=False
    )
    # At which step the server said so; empty: no server did.
    pause_phase = models.CharField(
        _lazy("pause phase"), max_length=10, blank=True, default="", db_default="", editable=False
    )
    imap_host = models.CharField(
        _lazy("IMAP host"),
        max_length=253,
        blank=True,
        help_text=_lazy(
            "The server of the mailbox's Sent folder, with the same user name and password. Empty: "
            "nobody looks there."
        ),
    )
    imap_port = models.PositiveIntegerField(
        _lazy("IMAP port"), default=993, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    imap_security = models.CharField(
        _lazy("IMAP security"), max_length=10, choices=ImapSecurity, default=ImapSecurity.TLS
    )
    when_unproven = models.CharField(
        _lazy("when it stays uncertain"),
        max_length=10,
        choices=WhenUnproven,
        default=WhenUnproven.HOLD,
        help_text=_lazy(
            "Sometimes the connection breaks just when a mail is handed over, and nobody knows whether "
            "it was accepted. If it is not in the Sent folder after half an hour, this happens. “Send it "
            "again” may give a person the same mail twice, the more so without an IMAP host. Where the "
            "folder has no copies of other mail either, nothing is sent again."
        ),
    )
    created_at = models.DateTimeField(_lazy("created at"), auto_now_add=True)

    objects = SmtpAccountQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("SMTP account")
        verbose_name_plural = _lazy("SMTP accounts")
        ordering = ["name", "id"]
        constraints = [
            *Limits.Meta.constraints,
            models.UniqueConstraint(
                Lower("email"),
                name="accounts_smtpaccount_email_once",
                violation_error_message=_lazy("There is an account with this address already."),
            ),
            models.CheckConstraint(
                condition=models.Q(security__in=Security.values),
                name="accounts_smtpaccount_security_known",
            ),
            models.CheckConstraint(
                condition=models.Q(imap_security__in=ImapSecurity.values),
                name="accounts_smtpaccount_imap_security_known",
            ),
            models.CheckConstraint(
                condition=models.Q(when_unproven__in=WhenUnproven.values),
                name="accounts_smtpaccount_when_unproven_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def fill_in_preset(self) -> None:
        """Fills in what is empty and what the provider, or the way of securing, leaves no choice in.

        A host that we know tells the provider, where none was chosen.
        """
        self.host = _host(self.host)
        if self.provider == Provider.CUSTOM:
            self.provider = provider_for_host(self.host)
        preset = PRESETS.get(self.provider)
        if preset and self._state.adding:
            self.imap_host = self.imap_host or preset.imap_host
            self.minute_limit = self.minute_limit or preset.minute_limit
        if preset and not self.host:
            self.host = preset.host
            if not (self.port or self.security):
                self.port, self.security = preset.port, preset.security
        # A port that speaks TLS from the start answers nobody who waits for STARTTLS.
        tls = Security.TLS if self.port == USUAL_PORTS[Security.TLS] else Security.STARTTLS
        self.security = self.security or tls
        self.port = self.port or USUAL_PORTS.get(self.security, 587)
        self.imap_host = _host(self.imap_host)
        self.imap_security = self.imap_security or ImapSecurity.TLS
        self.when_unproven = self.when_unproven or WhenUnproven.HOLD
        self.imap_port = self.imap_port or USUAL_IMAP_PORTS.get(self.imap_security, 993)

    def clean(self) -> None:
        """Fills in the preset; refuses what can't work, or would give the password away."""
        self.fill_in_preset()
        self.start_warm_up()
        errors = {
            **{field: self._text_problem(field) for field in ("name", "from_name")},
            "email": self._text_problem("email") or self._address_problem("email"),
            "reply_to": self._address_problem("reply_to"),
            "host": self._host_problem(),
            "username": self._text_problem("username") or self._login_problem() or self._mailbox_problem(),
            "security": self._security_problem(),
            **self.limit_errors(),
            "imap_host": self._imap_host_problem(),
            "imap_security": self._imap_security_problem(),
            "when_unproven": self._sent_folder_problem(),
        }
        if errors := {field: problem for field, problem in errors.items() if problem}:
            raise ValidationError(errors)

    def _text_problem(self, field: str) -> str:
        """Line breaks would end a header; what is no character at all can't be stored."""
        return "" if getattr(self, field).isprintable() else _("This has a character that can't be printed.")

    def _address_problem(self, field: str) -> str:
        try:
            if address := getattr(self, field):
                ascii_address(address)
        except ValueError as error:
            return str(error)
        return ""

    def _host_problem(self) -> str:
        if not self.host:
            return _("Enter the SMTP host, or choose a provider that is known.")
        if not HOST.fullmatch(self.host):
            return _("Enter the host's name alone, such as smtp.example.com: no http://, no port.")
        owner, preset = provider_for_host(self.host), PRESETS.get(self.provider)
        if owner != Provider.CUSTOM and preset and preset.host != PRESETS[owner].host:
            label = Provider(owner).label
            return _("This is the host of %(provider)s: choose that provider, or leave the host empty.") % {
                "provider": label
            }
        return ""

    def _login_problem(self) -> str:
        if bool(self.username) == bool(self.password):
            return ""
        if self.username:
            return _("Enter the password, too, or neither: then nobody logs in.")
        return _("Enter the user name, too, or neither: then nobody logs in.")

    def _mailbox_problem(self) -> str:
        """The provider counts per mailbox: two accounts on one would go over its limit together."""
        mailbox = mailbox_of(self.provider, self.username)
        if problem := self._moving_problem(mailbox):
            return problem
        if not (mailbox and self.is_enabled):
            return ""
        for other in SmtpAccount.objects.exclude(pk=self.pk):
            if mailbox_of(other.provider, other.username) != mailbox:
                continue
            if other.is_enabled or self._state.adding or has_sent_lately(other):
                text = _(
                    "“%(account)s” logs in to this mailbox, too, and it has one limit: use only one of them."
                )
                return text % {"account": other}
        return ""

    def _moving_problem(self, mailbox: str) -> str:
        """What counts in the old mailbox's limit would count in the new one's, and be free in the old one."""
        before = self._stored()
        old = mailbox_of(before.provider, before.username) if before else ""
        if not before or not old or old == mailbox or not has_sent_lately(before):
            return ""
        text = _(
            "It sent as “%(username)s” within the last two days, which counts in that mailbox: disable this "
            "account, and add another one. (For the same From address, give this one another first.)"
        )
        return text % {"username": before.username}

    def _sent_folder_problem(self) -> str:
        """An uncertain mail is missing in another mailbox, as in none, and would be sent again unproven."""
        before = self._stored()
        if before is None or self.when_unproven != WhenUnproven.RESEND:
            return ""
        if before.when_unproven == WhenUnproven.RESEND and not (before.imap_host or self.imap_host):
            return ""  # nothing is ever looked for, before as after
        same = ("when_unproven", "imap_host", "imap_port", "username")
        if all(getattr(before, name) == getattr(self, name) for name in same) or not is_looked_into(before):
            return ""
        return _(
            "Some of its email is uncertain, and this could send it again though it arrived: choose “Wait "
            "for a person to decide” until it is decided (Uncertain emails)."
        )

    def _stored(self) -> "SmtpAccount | None":
        return SmtpAccount.objects.filter(pk=self.pk).first()

    def _security_problem(self) -> str:
        if self.security == Security.NONE and self.username and not _is_this_machine(self.host):
            return _("The password would cross the network unencrypted: choose STARTTLS or TLS.")
        return ""

    def _imap_host_problem(self) -> str:
        if self.imap_host and not HOST.fullmatch(self.imap_host):
            return _("Enter the host's name alone, such as imap.example.com: no http://, no port.")
        return ""

    def _imap_security_problem(self) -> str:
        if (
            self.imap_host
            and self.imap_security == ImapSecurity.NONE
            and not _is_this_machine(self.imap_host)
        ):
            return _("The password would cross the network unencrypted: choose STARTTLS or TLS.")
        return ""

    @property
    def is_paused(self) -> bool:
        """Whether it is paused by this host's clock: for display. Dispatch asks Postgres."""
        return bool(self.pause_reason) and (self.paused_until is None or self.paused_until > timezone.now())

    @property
    def minds_log_ins(self) -> bool:
        """Whether its provider refuses those who log in often; see accounts.presets."""
        preset = PRESETS.get(self.provider)
        return preset is not None and preset.minds_log_ins


def _host(name: str) -> str:
    """As name servers and certificates have it; as it is where that can't be."""
    name = name.strip().lower().rstrip(".")
    try:
        return ascii_domain(name)
    except ValueError:
        return name


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
