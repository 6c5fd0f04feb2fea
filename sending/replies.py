"""What a server's reply means: scope before severity. Pure; the rules are a table, first match wins.

Sources: RFC 5321 section 4.2 (codes), RFC 3463 (enhanced codes), the providers' pages in each rule.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from accounts.phases import Phase


class Scope(StrEnum):
    """Whom a refusal is about."""

    NONE = "none"  # nobody: the mail was accepted
    RECIPIENT = "recipient"
    ACCOUNT = "account"
    CONTENT = "content"
    CONNECTION = "connection"  # lost before the final dot: the mail was not accepted
    UNKNOWN = "unknown"  # lost after it: the mail may have been accepted


class Pause(StrEnum):
    """How long an account rests after a refusal that is about it."""

    SHORTLY = "shortly"  # some minutes
    WINDOW = "window"  # until its rolling 24 hours free
    MENDED = "mended"  # until a person mended it


@dataclass(frozen=True)
class Verdict:
    """outcome: the ledger's word (SendLog.Outcome). pause and cure: for Scope.ACCOUNT only."""

    scope: Scope
    outcome: str
    pause: Pause | None = None
    cure: str = ""
    suppress: bool = False


SENT = Verdict(Scope.NONE, "sent")
UNCERTAIN = Verdict(Scope.UNKNOWN, "uncertain")
LOST_CONNECTION = Verdict(Scope.CONNECTION, "retry")
RECIPIENT_GONE = Verdict(Scope.RECIPIENT, "failed", suppress=True)
RECIPIENT_REFUSED = Verdict(Scope.RECIPIENT, "failed")
RECIPIENT_LATER = Verdict(Scope.RECIPIENT, "retry")
CONTENT_REFUSED = Verdict(Scope.CONTENT, "failed")
CANT_COMPOSE = Verdict(Scope.RECIPIENT, "failed")


def _account(pause: Pause, cure: str) -> Verdict:
    return Verdict(Scope.ACCOUNT, "returned", pause, cure)


APP_PASSWORD = _account(Pause.MENDED, "The provider wants an app password: make one and enter it.")
WRONG_PASSWORD = _account(Pause.MENDED, "User name or password is wrong: enter the right ones.")
SENDER_REFUSED = _account(Pause.MENDED, "The server does not let this account send: check its settings.")
LIMIT_REACHED = _account(Pause.WINDOW, "The provider's daily limit is used up: lower the daily limit here.")
TRY_LATER = _account(Pause.SHORTLY, "The server wants a rest; sending goes on by itself.")
RETRY_AND_REST = replace(TRY_LATER, outcome="retry")
UNREACHABLE = _account(Pause.SHORTLY, "The server can't be reached; check host, port and security.")


@dataclass(frozen=True)
class Rule:
    """Matches "code enhanced-code text" in some phases; example is the reply it was written for."""

    pattern: str
    verdict: Verdict
    example: str
    phases: tuple[str, ...] = tuple(Phase.values)

    def matches(self, phase: str, reply: str) -> bool:
        return phase in self.phases and re.search(self.pattern, reply, re.IGNORECASE) is not None


AUTH, MAIL, RCPT = (Phase.AUTH.value,), (Phase.MAIL.value,), (Phase.RCPT.value,)
BEFORE_MAIL = (Phase.CONNECT.value, Phase.TLS.value)
RULES = (
    # https://support.google.com/a/answer/3726730, https://support.google.com/mail/answer/22839
    Rule(r"^\d+ 5\.4\.5 |daily (user )?sending (limit|quota)", LIMIT_REACHED,
         "550 5.4.5 Daily user sending limit exceeded"),
    Rule(r"^53\d 5\.7\.9 |application-specific password", APP_PASSWORD,
         "534 5.7.9 Application-specific password required", AUTH),
    Rule(r"^4", TRY_LATER, "454 4.7.0 Too many login attempts, please try again later", AUTH),
    Rule(r"^5", WRONG_PASSWORD, "535 5.7.8 Username and Password not accepted", AUTH),
    Rule(r"", UNREACHABLE, "421 4.3.2 Service not available", BEFORE_MAIL),
    # RFC 5321 section 3.8: 421 closes the channel, whatever was asked. Once the recipient is named it
    # costs an attempt: a mail that provokes it would stand at the head of the queue for ever.
    Rule(r"^421 ", TRY_LATER, "421 4.7.0 Try again later, closing connection", (*AUTH, *MAIL)),
    Rule(r"^421 ", RETRY_AND_REST, "421 4.7.0 Try again later, closing connection"),
    # https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements
    Rule(r"^432 4\.3\.2 ", TRY_LATER, "432 4.3.2 Concurrent connections limit exceeded"),
    Rule(r"^552 |^\d+ 5\.3\.4 ", CONTENT_REFUSED, "552 5.3.4 Message size exceeds fixed limit", MAIL),
    Rule(r"^4", TRY_LATER, "451 4.3.0 Temporary server error", MAIL),
    Rule(r"^5\d\d 5\.6\.7 ", RECIPIENT_REFUSED, "553 5.6.7 The server can't take this address", MAIL),
    Rule(r"^5", SENDER_REFUSED, "530 5.7.0 Authentication Required", MAIL),
    Rule(r"^5\d\d (5\.1\.(1|10) |5\.2\.1 )", RECIPIENT_GONE, "550 5.1.1 The email account does not exist"),
    Rule(r"\brelay(ing)? (access )?(denied|not permitted|prohibited)|unable to relay", SENDER_REFUSED,
         "554 5.7.1 <a@example.com>: Relay access denied", RCPT),
    Rule(r"^5\d\d 5\.[1-5]\.", RECIPIENT_REFUSED, "552 5.2.2 Mailbox full", RCPT),
    Rule(r"^5\d\d 5\.7\.", CONTENT_REFUSED, "550 5.7.1 Message rejected as spam"),
    Rule(r"^5", RECIPIENT_REFUSED, "550 No such user here", RCPT),
    Rule(r"^5", CONTENT_REFUSED, "554 Transaction failed"),
    Rule(r"^4", RECIPIENT_LATER, "450 4.2.1 The user is receiving mail too quickly"),
)  # fmt: skip


def judge(phase: str, code: int | None, enhanced_code: str, text: str, *, after_dot: bool = False) -> Verdict:
    """What a failed attempt means. code None: no reply came; after_dot: and the dot was sent.

    A reply outside RFC 5321's classes before the final dot is as good as a lost connection; after
    it, nobody knows.
    """
    if after_dot:
        return UNCERTAIN
    if code is None:
        if phase in BEFORE_MAIL:
            return UNREACHABLE
        return TRY_LATER if phase == Phase.AUTH else LOST_CONNECTION
    reply = f"{code} {enhanced_code} {text}" if enhanced_code else f"{code} {text}"
    for rule in RULES:
        if rule.matches(phase, reply):
            return rule.verdict
    return UNCERTAIN if phase == Phase.DOT else LOST_CONNECTION
