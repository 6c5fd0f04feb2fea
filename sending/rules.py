"""The form of a rule about servers' replies, and which mail services have rules of their own."""

import re
from dataclasses import dataclass
from enum import StrEnum

from accounts.phases import Phase
from accounts.presets import Provider
from sending.replies import Verdict


class Service(StrEnum):
    """Who runs the server that an account sends through, where that changes what a code means.

    Others, such as Amazon SES and SendGrid, are known by their words alone.
    """

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    YAHOO = "yahoo"
    ZOHO = "zoho"


OF_PROVIDER: dict[str, Service] = {
    Provider.GMAIL: Service.GOOGLE,
    Provider.WORKSPACE: Service.GOOGLE,
    Provider.MICROSOFT365: Service.MICROSOFT,
}
# Of accounts whose provider is "Another SMTP server": by the end of the host's name.
OF_HOST: dict[str, Service] = {
    "gmail.com": Service.GOOGLE,
    "googlemail.com": Service.GOOGLE,
    "office365.com": Service.MICROSOFT,
    "outlook.com": Service.MICROSOFT,
    "yahoo.com": Service.YAHOO,
    "aol.com": Service.YAHOO,
    "zoho.com": Service.ZOHO,
    "zoho.eu": Service.ZOHO,
    "zoho.in": Service.ZOHO,
    "zoho.com.au": Service.ZOHO,
    "zoho.com.cn": Service.ZOHO,
    "zoho.jp": Service.ZOHO,
    "zoho.sa": Service.ZOHO,
    "zohocloud.ca": Service.ZOHO,
}


def service_of(provider: str, host: str) -> Service | None:
    """The service behind an account's provider (accounts.presets) and SMTP host; None: one we don't know."""
    if provider in OF_PROVIDER:
        return OF_PROVIDER[provider]
    host = host.lower().rstrip(".")
    return next(
        (service for end, service in OF_HOST.items() if host == end or host.endswith("." + end)), None
    )


CONNECTING = (Phase.CONNECT, Phase.TLS)
AUTH, MAIL, RCPT, DOT = (Phase.AUTH,), (Phase.MAIL,), (Phase.RCPT,), (Phase.DOT,)
DATA_ON = (Phase.DATA, Phase.DOT)
RCPT_ON = (Phase.RCPT, *DATA_ON)
MAIL_ON = (Phase.MAIL, *RCPT_ON)
AUTH_ON = (Phase.AUTH, *MAIL_ON)
EVER = (*CONNECTING, *AUTH_ON)


@dataclass(frozen=True)
class Rule:
    """What replies of one kind mean.

    pattern: searched for in "code enhanced-code text", in any case of letters. example: the reply
    it was written for, source: where that stands. service: for its servers only, since elsewhere
    the same words or codes may mean something else.
    """

    pattern: str
    verdict: Verdict
    example: str
    source: str
    phases: tuple[Phase, ...] = EVER
    service: Service | None = None

    def matches(self, service: Service | None, phase: str, reply: str) -> bool:
        return (
            phase in self.phases
            and self.service in (None, service)
            and re.search(self.pattern, reply, re.IGNORECASE) is not None
        )
