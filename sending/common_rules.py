"""What any server's reply means: first by words, then by enhanced status code, then by code.

Sources: RFC 5321 section 4.2 (codes), RFC 3463 and the IANA registry of enhanced status codes,
RFC 4954 (AUTH), RFC 3207 (STARTTLS); Postfix's wordings stand for those of many relays.
"""

from accounts.phases import Phase
from sending.provider_rules import YAHOO_CODES
from sending.replies import (
    ACCOUNT_BLOCKED,
    CONTENT_REFUSED,
    HOST_BLOCKED,
    LIMIT_REACHED,
    LOG_IN_NOT_OFFERED,
    LOGIN_WANTED,
    NOT_AS_SENDER,
    OWN_MAILBOX_FULL,
    RECIPIENT_GONE,
    RECIPIENT_LATER,
    RECIPIENT_REFUSED,
    REFUSED_VAGUELY,
    RETRY_AND_REST,
    SENDER_REFUSED,
    TLS_WANTED,
    TRY_LATER,
    UNPROVEN_DOMAIN,
    UNREACHABLE,
    WRONG_PASSWORD,
)
from sending.rules import AUTH, AUTH_ON, CONNECTING, DATA_ON, EVER, MAIL, MAIL_ON, RCPT, RCPT_ON, Rule

VERIFY = "https://www.postfix.org/ADDRESS_VERIFICATION_README.html"
POSTFIX = "https://www.postfix.org/postconf.5.html"
ANVIL = "https://www.postfix.org/TUNING_README.html"
SASL = "https://www.postfix.org/SASL_README.html"
POSTFWD = "https://github.com/deltachat/deltachat-core/issues/647"
CBPOLICYD = "https://github.com/bbottema/simple-java-mail/issues/348"
IONOS = "https://www.ionos.com/help/email/general-topics/what-are-the-mass-mailing-limits/"
QQ = "https://github.com/chengazhen/cursor-auto-free/issues/294"
LOOKUP = "https://github.com/Mailu/Mailu/pull/633"
MIMECAST = "https://community.mimecast.com/s/article/email-security-cloud-gateway-mimecast-smtp-error-codes"
AUTHSMTP = "https://www.authsmtp.com/faqs/faq-29.html"
EXIM = "https://docs.cpanel.net/whm/server-configuration/tweak-settings/"
WEBDE = (
    "http://www.sitepackage.de/service/dokumentation/auswertung/"
    "typische-fehlermeldungen-bei-unzustellbarkeit.html"
)
RFC3207 = "RFC 3207 section 4"
RFC3463 = "RFC 3463"
RFC4954 = "RFC 4954 section 6"
RFC5248 = "RFC 5248, IANA SMTP Enhanced Status Codes"
RFC5321 = "RFC 5321 section 4.2"
RFC7372 = "RFC 7372"
RFC7489 = "RFC 7489 section 10.3"

# Suppressing is for good: not where the words tell of a sender, of its host, of a while, or of a dislike.
NOTHING_ELSE = (
    r"^5(?!.*(sender|sending account|outgoing|temporar|spam|polic|reputation|preferenc|blocked|too many"
    r"|\bip[- ]address|\bip has|\b(your|the|sending|this|client) ip\b|(?<![\w.-])client(?![\w.-]*[.-]\w)"
    r"|\bdns\b|host lookup|lookup succe|authenticat|abuse|excessive|suspicious|\btrial\b|user reject"
    r"|postmaster verif))"
)
# At the dot it may be a link in the message that is on a list.
BEFORE_DOT = tuple(phase for phase in EVER if phase != Phase.DOT)
BY_WORDS = (
    # Postfix may ask the recipient's server before it answers RCPT: what that says of us holds there only.
    Rule(r"^5.*recipient address rejected: un\w+ address: .*(5\.1\.1 |no mailbox here|no such user"
         r"|user unknown|unknown (user|recipient|mailbox|address))",
         RECIPIENT_GONE, "550 5.1.1 <a@example.com>: Recipient address rejected: undeliverable address: host"
         " mx.example.com[192.0.2.9] said: 550 5.1.1 <a@example.com> User doesn't exist (in reply to RCPT TO"
         " command)", VERIFY, RCPT),
    Rule(r"^5.*unrouteable address", RECIPIENT_REFUSED, "550 Unrouteable address", EXIM, RCPT),
    Rule(r"^5.*callout verification failed: (?!.*(no such user|user unknown|unknown user|5\.1\.1 ))",
         RECIPIENT_REFUSED, "550 Callout verification failed: 550 550 5.7.1 Relaying denied", EXIM, RCPT),
    Rule(r"^5.*recipient address rejected: un\w+ address: ", RECIPIENT_REFUSED,
         "550 5.1.1 <a@example.com>: Recipient address rejected: undeliverable address: host"
         " mx.example.com[192.0.2.9] said: 554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org"
         " (in reply to RCPT TO command)", VERIFY, RCPT),
    Rule(r"^4.*recipient address rejected: un\w+ address: ", RECIPIENT_LATER,
         "450 4.1.1 <a@example.com>: Recipient address rejected: unverified address: host"
         " mx.example.com[192.0.2.9] said: 451 4.7.1 Too many connections (in reply to RCPT TO command)",
         VERIFY, RCPT),
    # Postfix says what it thinks of client and sender at RCPT, too (smtpd_delay_reject).
    Rule(r"^4.*(sender (address rejected|verif)|domain of sender|helo command rejected|client host rejected)",
         TRY_LATER, "450 4.1.8 <a@example.com>: Sender address rejected: Domain not found", POSTFIX, MAIL_ON),
    Rule(r"^5.*((block|reject|black ?list)\w* by \w* ?(recipient|user)"
         r"|recipient('s| is| has| does| doesn't) .{0,40}(block|black ?list|accept)"
         r"|(encryption|tls) .{0,20}(for|by) \w* ?recipient"
         r"|to this (recipient|group|list|distribution (group|list)))", RECIPIENT_REFUSED,
         "550 5.7.1 Sender address blocked by the recipient", RFC3463, RCPT_ON),
    Rule(r"^5.*sender rejected", NOT_AS_SENDER, "550 5.1.0 <a@example.com> sender rejected",
         "https://support.konto.pl/kb/a2164/blad-5_1_0.aspx", MAIL_ON),
    Rule(r"^5.*(sender (address|mailbox|domain(?!.{0,20} limit)|verif)|postmaster verif|domain of sender"
         r"|from address|not owned by user)", NOT_AS_SENDER,
         "553 5.7.1 <a@example.com>: Sender address rejected: not owned by user b", POSTFIX, MAIL_ON),
    Rule(r"^5.*(not|n't) (allowed|permitted|authori[sz]ed) to send (|e?-?mail |messages? )(as|from|using"
         r"|on behalf)", NOT_AS_SENDER, "550 User b is not authorized to send as a@example.com", AUTHSMTP,
         MAIL_ON),
    Rule(r"^4.*temporar\w* .{0,20}(black|block) ?list", TRY_LATER, "451 IP temporarily blacklisted",
         MIMECAST),
    Rule(r"blocked using|banned sending ip|in an rbl\b"
         r"|(client|host|\bip\b|network|\d\.\d+\.\d+\.\d+\]?) .{0,80}(black|block) ?list", HOST_BLOCKED,
         "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", POSTFIX,
         BEFORE_DOT),
    # Once the recipient is named it may be the one that is listed: "The account or domain may not exist, they
    # may be blacklisted, or missing the proper dns entries", says cPanel of any recipient it can't route.
    Rule(r"(black|block) ?list", HOST_BLOCKED, "554 5.7.1 Your address is on our blacklist", POSTFIX,
         (*CONNECTING, *AUTH, *MAIL)),
    Rule(r"^5.*((helo command|client host) rejected|invalid helo)", SENDER_REFUSED,
         "504 5.5.2 <pc>: Helo command rejected: need fully-qualified hostname", POSTFIX, MAIL_ON),
    Rule(r"must issue a starttls|(starttls|encryption) (is )?required|^538 ", TLS_WANTED,
         "530 5.7.0 Must issue a STARTTLS command first", RFC3207, AUTH_ON),
    Rule(r"relay(ing)? (access )?(denied|disallowed|prohibited|not)|(unable|permitted|allowed) to relay"
         r"|do(es)? not relay|rcpthosts", SENDER_REFUSED, "454 4.7.1 <a@example.com>: Relay access denied",
         POSTFIX, MAIL_ON),
    Rule(r"auth(entication)? (is )?required|requires (smtp )?auth(?!.{0,30} senders?\b)|turn on smtp auth"
         r"|not authenticated|without authentication|failed to authenticate|^503 .*\bauth(enticate)? first"
         r"|cannot achieve exchange server authentication",
         LOGIN_WANTED,
         "550 5.7.1 Client was not authenticated", RFC4954, (*MAIL, *RCPT)),
    Rule(r"^4.*your (user |email |e-mail |mail |smtp )?(account|mailbox) .{0,20}temporar\w* (disabled"
         r"|suspended|blocked|locked)", TRY_LATER,
         "454 4.7.0 Your account has been temporarily locked. Try again in 15 minutes", RFC4954, AUTH_ON),
    Rule(r"(your (user |email |e-mail |mail |smtp )?(account|mailbox|domain)|smtp account) .{0,40}(disabled"
         r"|suspended|blocked|locked)"
         r"|(disabled|suspended|blocked) (for|on) your (email |e-mail |mail |smtp )?account"
         r"|(your|smtp) (smtp |email |mail )?(service|auth\w*) .{0,20}(disabled|suspended|blocked)"
         r"|^5(25|\d\d 5\.7\.13) (?!.*recipient)",
         ACCOUNT_BLOCKED,
         "525 5.7.13 User account disabled", RFC5248, AUTH_ON),
    Rule(r"^5.*(dmarc|\bspf\b|authentication checks)", UNPROVEN_DOMAIN,
         "550 5.7.1 Unauthenticated email from example.com is not accepted due to domain's DMARC policy",
         RFC7489, MAIL_ON),
    Rule(r"^4.*gr[ae]y.?list", RECIPIENT_LATER,
         "450 4.2.0 <a@example.com>: Recipient address rejected: Greylisted", POSTFIX, RCPT_ON),
    # A mailbox that is full says so in words that others use of a sender.
    Rule(r"^4\d\d 4\.2\.2 ", RECIPIENT_LATER,
         "452 4.2.2 <a@example.com>: You have exceeded your storage limit", RFC3463, RCPT),
    Rule(r"^5\d\d 5\.2\.2 ", RECIPIENT_REFUSED, "552 5.2.2 The user's daily mail quota is used up", RFC3463,
         RCPT),
    Rule(r"^\d+ [45]\.2\.1 (?!.*(quota|full|disabled|inactive))"
         r"(?!.*\b(sender|sending|you|your)\b(?! (message|e?-?mail|are trying|tried)))"
         r".*(\brate\b|limit|throttl|too (many|fast)|exceed|more than \d)", RECIPIENT_LATER,
         "450 4.2.1 <a@example.com>: Recipient rate limit exceeded", RFC3463, RCPT_ON),
    Rule(r"(daily|monthly) .{0,40}(limit|quota)|messaging limits|(insufficient|not enough) credit"
         r"|(limit|quota|only \d).{0,60} (per|in|within) (the )?(last )?(day|24 ?h|month)"
         r"|24.?hours? limit"
         r"|(sending|outgoing) (limit|quota)|send(er)? quota|you have exceeded your .{0,40}(limit|quota)",
         LIMIT_REACHED, "554 5.7.1 <a@example.com>: Recipient address rejected: You have exceeded your quota",
         POSTFIX, AUTH_ON),
    Rule(r"^(?!.*(recipient has|log-?in)).*(exceed|too many|max|more than \d).{0,60}(?<!again)(?<!retry)"
         r" (per|in|within) (the )?(last )?(day|24 ?h|month)", LIMIT_REACHED,
         "550 Domain example.com has exceeded the max emails per day (500/500 (100%)) allowed.", EXIM,
         MAIL_ON),
    # How long they last is not said; most count by the hour.
    Rule(r"mail send limit|mail limit has been reached|message count quota|policy rejection.{0,20}quota"
         r"|limit .{0,40}outgoing messages|(mails|messages|message count) per session", TRY_LATER,
         "450 Requested mail action not taken: mailbox unavailable Mail send limit exceeded.", IONOS,
         AUTH_ON),
    Rule(r"sender rate\b|outbound thread limit", TRY_LATER, "451 Sender rate exceeds 100 messages per 1h",
         "https://github.com/madeITBelgium/vesta/issues/3", AUTH_ON),
    Rule(r"(exceed|limit|too many|max|only \d).{0,60}(per|this) \d* ?(hour|minute)|hourly"
         r"|\bhour limit|per \d* ?(hour|minute) exceed", TRY_LATER,
         "550 Domain example.com has exceeded the max emails per hour (100/100 (100%)) allowed.", EXIM,
         AUTH_ON),
    Rule(r"^5.*(mailbox|inbox|account|user|recipient).{0,40}(full|over.?quota|quota exceeded)",
         RECIPIENT_REFUSED, "554 delivery error: dd Sorry, your message cannot be delivered. This account is"
         " over quota.", YAHOO_CODES, RCPT_ON),
    Rule(r"^5.*user has (too many messages|exhausted)", RECIPIENT_REFUSED,
         "550 Benutzer hat zuviele Mails auf dem Server. / User has too many messages on the server.", WEBDE,
         RCPT_ON),
    Rule(r"^4.*(temporary (local problem|(service|lookup) failure)|server configuration (problem|error)"
         r"|tls (is )?not available|(internal resources|account service) .{0,20}unavailable)",
         RETRY_AND_REST, "451 4.3.0 <a@example.com>: Temporary lookup failure", LOOKUP, RCPT_ON),
    # QQ's words for each reason there may be: most want a person, and a wrong log-in must not be tried on.
    Rule(r"^535 .*password is incorrect", WRONG_PASSWORD, "535 Login fail. Account is abnormal, service is"
         " not open, password is incorrect, login frequency limited, or system is busy.", QQ, AUTH),
    # Of recipients that are invalid: so Cisco's gateways answer for a while, of good ones, too.
    Rule(r"too many ((invalid|unknown|bad|nonexistent) )?(connections|concurrent|messages|e?-?mails"
         r"|recipients|addresses|users|requests|errors)|too much mail from|rate.?limit|throttl"
         r"|too (fast|frequent)|frequency limit|slow down|concurrent connections", TRY_LATER,
         "421 4.7.0 mx.example.com Error: too many connections from 192.0.2.1", ANVIL),
    # It speaks of the conversation, which the next one begins anew.
    Rule(r"^503 .*(sequence|mail first|need (mail|rcpt))", RETRY_AND_REST,
         "503 5.5.1 Error: need MAIL command", RFC5321, RCPT_ON),
    Rule(NOTHING_ELSE + r".*(no such (user|mailbox|recipient|address|account)|no mailbox here"
         r"|(user|recipient|mailbox|address|account) (is )?(unknown|not found)"
         r"|unknown (user|recipient|mailbox|address|account)|invalid (recipient|mailbox)"
         r"|(user|recipient|mailbox|address|account).{0,40}(does not|doesn't|no longer) exist)",
         RECIPIENT_GONE, "550 No such user here", POSTFIX, RCPT),
    # 5.7 is policy: that an account is disabled for one may be said of ours.
    Rule(NOTHING_ELSE + r"(?!\d\d 5\.7\.).*((user|recipient|mailbox|address) (is )?(disabled|inactive)"
         r"|account .{0,40}(disabled|inactive))", RECIPIENT_GONE,
         "550 5.2.1 The email account that you tried to reach is disabled.", YAHOO_CODES, RCPT),
    # Cyrus SASL's words, through Postfix, while its password service is away.
    Rule(r"^535 .*generic failure|too many (failed|bad|invalid) (log-?in|auth)", TRY_LATER,
         "535 5.7.8 Error: authentication failed: generic failure", SASL, AUTH),
    # These two are about the log-in, whatever enhanced code follows.
    Rule(r"^530 ", LOGIN_WANTED, "530 5.7.0 Please log in first", RFC4954, MAIL_ON),
    Rule(r"^535 ", WRONG_PASSWORD, "535 5.7.8 Authentication credentials invalid", RFC4954, MAIL_ON),
)  # fmt: skip

BY_ENHANCED_CODE = (
    Rule(r"^\d+ (5\.7\.2[0-467]|4\.7\.2[67]) ", UNPROVEN_DOMAIN,
         "550 5.7.22 No valid author-matched DKIM signature found", RFC7372, MAIL_ON),
    Rule(r"^\d+ 5\.7\.25 ", HOST_BLOCKED, "550 5.7.25 Reverse DNS validation failed", RFC7372, MAIL_ON),
    Rule(r"^\d+ [45]\.7\.28 ", TRY_LATER, "450 4.7.28 Mail flood detected", RFC5248, MAIL_ON),
    Rule(r"^5\d\d 5\.(2\.3|3\.4|6\.[1-6]) ", CONTENT_REFUSED, "552 5.3.4 Message size exceeds fixed limit",
         RFC3463, MAIL_ON),
    Rule(r"^5\d\d 5\.6\.7 ", RECIPIENT_REFUSED, "553 5.6.7 The server takes no address beyond ASCII.",
         RFC5248, MAIL_ON),
    Rule(r"^5\d\d 5\.1\.[78] ", NOT_AS_SENDER, "501 5.1.7 Bad sender's mailbox address syntax",
         RFC3463, MAIL_ON),
    Rule(NOTHING_ELSE + r"\d\d 5\.1\.([126]|10) ", RECIPIENT_GONE,
         "550 5.1.1 Bad destination mailbox address", RFC3463, RCPT_ON),
    # Once the message was seen, words about it outweigh a code of the recipient's.
    Rule(r"^5\d\d 5\.(?!2\.2 |4\.6 )[124]\.(?!.*(quota|full|disabled))"
         r".*(spam|content|virus|bare (cr|lf)|message (contains|rejected|blocked|refused))",
         CONTENT_REFUSED, "552 5.2.0 This message has been rejected due to content judged to be spam by the"
         " internet community IB212", "https://blog.mailchannels.com/top-smtp-error-messages-june-2016",
         DATA_ON),
    Rule(r"^5\d\d 5\.[124]\.0 ", REFUSED_VAGUELY, "550 5.1.0 Address rejected.", RFC3463, RCPT_ON),
    Rule(r"^5\d\d 5\.([124]\.|7\.17 )", RECIPIENT_REFUSED,
         "550 5.2.1 Mailbox disabled by policy", RFC3463, RCPT_ON),
    Rule(r"^5\d\d 5\.2\.2 .*(full|quota)", OWN_MAILBOX_FULL, "552 5.2.2 Mailbox full", RFC3463, MAIL),
    Rule(r"^4\d\d 4\.3\.[0-35] ", RETRY_AND_REST, "452 4.3.1 Insufficient system storage", RFC3463,
         RCPT_ON),
    # Before the message was seen it can't be its fault. RFC 3463: "the sender is not authorized to send to
    # the destination", by recipient or by host; where all are refused, the account rests (effects).
    Rule(r"^5\d\d 5\.7\.(?!.*(spam|content|virus))", REFUSED_VAGUELY,
         "554 5.7.1 <a@example.com>: Recipient address rejected: Access denied",
         "https://github.com/docker-mailserver/docker-mailserver/issues/4416", RCPT),
    Rule(r"^5\d\d 5\.[67]\.", CONTENT_REFUSED, "550 5.7.1 Message rejected as spam", RFC3463, RCPT_ON),
)  # fmt: skip

BY_CODE = (
    # Section 3.8: 421 closes the channel, whatever was asked.
    Rule(r"^421 ", RETRY_AND_REST, "421 Service not available, closing transmission channel", RFC5321,
         RCPT_ON),
    Rule(r"^421 ", TRY_LATER, "421 Service not available, closing transmission channel", RFC5321,
         (*CONNECTING, *AUTH, *MAIL)),
    Rule(r"", UNREACHABLE, "554 No SMTP service here", RFC5321, CONNECTING),
    Rule(r"^4", TRY_LATER, "454 4.7.0 Too many login attempts, please try again later", RFC4954, AUTH),
    Rule(r"^50\d ", LOG_IN_NOT_OFFERED, "503 5.5.1 Error: authentication not enabled", RFC4954, AUTH),
    Rule(r"^5", WRONG_PASSWORD, "535 5.7.8 Username and Password not accepted", RFC4954, AUTH),
    Rule(r"^552 ", CONTENT_REFUSED, "552 Message is too long", RFC5321, MAIL),
    Rule(r"^4", TRY_LATER, "451 4.3.0 Temporary server error", RFC5321, MAIL),
    Rule(r"^5", SENDER_REFUSED, "550 5.7.1 Not allowed to send", RFC5321, MAIL),
    Rule(r"^4", RECIPIENT_LATER, "450 4.2.1 The mailbox is busy", RFC5321, RCPT_ON),
    Rule(r"^5", REFUSED_VAGUELY, "550 Requested action not taken: mailbox unavailable", RFC5321, RCPT),
    Rule(r"^5", CONTENT_REFUSED, "554 Transaction failed", RFC5321, DATA_ON),
)  # fmt: skip

COMMON_RULES = (*BY_WORDS, *BY_ENHANCED_CODE, *BY_CODE)
