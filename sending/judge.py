"""What became of an attempt: scope before severity, by phase, code, enhanced code, text and provider.

Pure. The rules are tables, first match wins: the providers' own, then words, enhanced codes, codes.
"""

import re

from accounts.phases import Phase
from accounts.presets import Provider
from sending.common_rules import COMMON_RULES
from sending.provider_rules import PROVIDER_RULES
from sending.replies import LOST_CONNECTION, TRY_LATER, UNCERTAIN, UNREACHABLE, Verdict
from sending.rules import CONNECTING, Rule, Service, service_of

RULES = (*PROVIDER_RULES, *COMMON_RULES)


def judge(
    phase: str,
    code: int | None,
    enhanced_code: str,
    text: str,
    *,
    provider: str = Provider.CUSTOM,
    host: str = "",
    after_dot: bool = False,
) -> Verdict:
    """What a failed attempt means.

    code None: no reply came; after_dot: and the dot was sent. provider, host: the account's, since
    the same code means different things from different services.
    """
    if after_dot:
        return UNCERTAIN
    if code is None or not _is_refusal(code):
        return _no_reply(phase)
    rule = find_rule(service_of(provider, host), phase, code, enhanced_code, text)
    return rule.verdict if rule else _no_reply(phase)


def find_rule(service: Service | None, phase: str, code: int, enhanced_code: str, text: str) -> Rule | None:
    """The first rule that matches a refusal."""
    # A server may quote an address such as dmarc@example.com, or a page: neither says what happened.
    words = re.sub(r"\S+(@|://)\S+", "…", text)
    reply = f"{code} {enhanced_code} {words} " if enhanced_code else f"{code} {words} "
    return next((rule for rule in RULES if rule.matches(service, phase, reply)), None)


def _is_refusal(code: int) -> bool:
    """Whether this is a 4yz or 5yz reply: no other says that nothing was accepted (RFC 5321, 4.2.1)."""
    return 400 <= code <= 599


def _no_reply(phase: str) -> Verdict:
    """A reply that is no refusal is as good as none."""
    if phase in CONNECTING:
        return UNREACHABLE
    if phase == Phase.AUTH:
        return TRY_LATER
    return UNCERTAIN if phase == Phase.DOT else LOST_CONNECTION
