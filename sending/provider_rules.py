"""What the known providers answer. Rules about words that nobody else uses hold for any server."""

from sending.replies import (
    ACCOUNT_BLOCKED,
    APP_PASSWORD,
    BROWSER_LOGIN,
    CONTENT_LATER,
    CONTENT_REFUSED,
    HOST_BLOCKED,
    LIMIT_REACHED,
    LOGIN_WANTED,
    NOT_AS_SENDER,
    OWN_MAILBOX_FULL,
    RECIPIENT_GONE,
    RECIPIENT_LATER,
    RECIPIENT_REFUSED,
    RETRY_AND_REST,
    SENDER_REFUSED,
    SMTP_AUTH_OFF,
    SUSPECTED,
    TRY_LATER,
    UNPROVEN_DOMAIN,
    UNVERIFIED_SENDER,
)
from sending.rules import AUTH, AUTH_ON, DATA_ON, DOT, EVER, MAIL_ON, RCPT_ON, Rule, Service

GMAIL_CODES = "https://support.google.com/a/answer/3726730"
GMAIL_RELAY = "https://support.google.com/a/answer/6140680"
GOOGLE = (
    Rule(r"^\d+ 5\.4\.5 ", LIMIT_REACHED, "550 5.4.5 Daily sending quota exceeded",
         GMAIL_CODES, EVER, Service.GOOGLE),
    Rule(r"daily (user )?sending (limit|quota)|daily smtp relay (sending )?limit", LIMIT_REACHED,
         "550 5.7.1 Daily SMTP relay limit exceeded for customer", GMAIL_RELAY),
    Rule(r"e?-?mail quota exceeded", LIMIT_REACHED, "550 5.7.1 Email quota exceeded.",
         GMAIL_CODES, MAIL_ON, Service.GOOGLE),
    Rule(r"mail sending denied", ACCOUNT_BLOCKED, "550 5.7.0 Mail Sending denied.", GMAIL_CODES, MAIL_ON),
    Rule(r"invalid credentials for relay", SENDER_REFUSED,
         "550 5.7.1 Invalid credentials for relay for one of the domains in: example.com", GMAIL_CODES,
         MAIL_ON),
    Rule(r"the ip you're using to send mail is not authorized", HOST_BLOCKED,
         "550 5.7.1 The IP you're using to send mail is not authorized to send email directly to our"
         " servers.",
         GMAIL_CODES),
    Rule(r"peak smtp relay limit", TRY_LATER,
         "450 4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error.", GMAIL_RELAY),
    Rule(r"^53\d 5\.7\.9 |application(-specific)? password", APP_PASSWORD,
         "534 5.7.9 Application-specific password required", GMAIL_CODES, AUTH),
    Rule(r"^534 5\.7\.14 |(with|through|via) your web browser", BROWSER_LOGIN,
         "534 5.7.14 Please log in through your web browser and then try again", GMAIL_CODES, AUTH),
    Rule(r"for rcpt domain", RECIPIENT_LATER,
         "421 4.7.0 TLS required for RCPT domain, closing connection.", GMAIL_CODES, RCPT_ON),
    Rule(r"receiving e?mail (too quickly|at a rate)", RECIPIENT_LATER,
         "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents"
         " additional messages from being delivered.", GMAIL_CODES, RCPT_ON),
    Rule(r"unusual (rate|amount) of unsolicited", SUSPECTED,
         "421 4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your"
         " IP address.", GMAIL_CODES),
    Rule(r"^4.*message is (likely )?(suspicious|unsolicited)", CONTENT_LATER,
         "421 4.7.0 Our system has detected that this message is suspicious due to the nature of the"
         " content and/or the links within.", GMAIL_CODES, DOT),
    Rule(r"^\d+ [45]\.7\.(2[67]|3[02]|40) ", UNPROVEN_DOMAIN,
         "550 5.7.30 Your email has been blocked because the sender is unauthenticated: DKIM did not pass.",
         GMAIL_CODES, MAIL_ON, Service.GOOGLE),
)  # fmt: skip

NDR = "https://learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr/non-delivery-reports-in-exchange-online"
SUBMISSION = "https://learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements"
SMTP_AUTH = (
    "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/"
    "authenticated-client-smtp-submission"
)
MICROSOFT = (
    Rule(r"submission ?quota ?(was )?exceeded", LIMIT_REACHED,
         "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", SUBMISSION, MAIL_ON),
    Rule(r"^\d+ 5\.7\.23[236] ", LIMIT_REACHED,
         "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending"
         " email to external recipients (tenant external recipient rate limit)", NDR, MAIL_ON),
    Rule(r"^\d+ 5\.1\.90 |reached your daily limit", LIMIT_REACHED,
         "550 5.1.90 Your message can't be sent because you've reached your daily limit for message"
         " recipients", NDR, MAIL_ON),
    Rule(r"STOREDRV\.Submission.*QuotaExceeded", OWN_MAILBOX_FULL,
         "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException."
         "MapiExceptionShutoffQuotaExceeded", SUBMISSION, MAIL_ON),
    Rule(r"SendAsDenied|to send as this sender|^\d+ 5\.7\.60 ", NOT_AS_SENDER,
         "554 5.2.252 SendAsDenied; a@example.com not allowed to send as b@example.com", NDR, MAIL_ON),
    Rule(r"unusual activity in your|\bwe.{1,3}ve .{0,20}blocked your account", ACCOUNT_BLOCKED,
         "550 5.3.4 Requested action not taken; We noticed some unusual activity in your Hotmail account. To"
         " help protect you, we've temporarily blocked your account.",
         "https://github.com/nodemailer/smtp-connection/issues/37", MAIL_ON),
    Rule(r"OutboundSpamException|WASCL UserAction", ACCOUNT_BLOCKED,
         "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException", NDR, MAIL_ON),
    Rule(r"STOREDRV\.Submission.*InvalidRecipients", RECIPIENT_REFUSED,
         "554 5.2.0 STOREDRV.Submission.Exception:InvalidRecipientsException", SUBMISSION, DATA_ON),
    # Of those that are not named above: the recipient was taken before.
    Rule(r"^5.*STOREDRV\.Submission\.Exception", CONTENT_REFUSED,
         "554 5.2.0 STOREDRV.Submission.Exception:MessageRejectedException", SUBMISSION, DATA_ON),
    Rule(r"^\d+ 5\.1\.8 ", ACCOUNT_BLOCKED, "550 5.1.8 Access denied, bad outbound sender",
         NDR, MAIL_ON, Service.MICROSOFT),
    Rule(r"^\d+ 5\.7\.(50[1-3]|705|708|800) ", ACCOUNT_BLOCKED,
         "550 5.7.501 Access denied, spam abuse detected", NDR),
    Rule(r"^\d+ 5\.7\.750 ", UNVERIFIED_SENDER,
         "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains.",
         NDR, MAIL_ON),
    Rule(r"^\d+ 5\.7\.(509|515) ", UNPROVEN_DOMAIN,
         "550 5.7.509 Access denied, sending domain example.com does not pass DMARC verification",
         NDR, MAIL_ON),
    Rule(r"^\d+ 5\.7\.(511|60[6-9]|6[1-4]\d) ", HOST_BLOCKED,
         "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", NDR),
    Rule(r"^\d+ 4\.7\.([56]\d\d|8[5-9]\d) |exceeded permitted limits", TRY_LATER,
         "451 4.7.500 Server busy. Please try again later from [192.0.2.1].", NDR),
    Rule(r"recipient thread limit", RECIPIENT_LATER,
         "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", NDR, RCPT_ON),
    Rule(r"^432 4\.3\.2 ", TRY_LATER, "432 4.3.2 Concurrent connections limit exceeded", SUBMISSION),
    Rule(r"^451 4\.7\.0 temporary server error", RETRY_AND_REST,
         "451 4.7.0 Temporary server error. Please try again later. PRX4", NDR, RCPT_ON),
    Rule(r"SmtpClientAuthentication is disabled|security defaults"
         r"|basic authentication is (disabled|not supported)",
         SMTP_AUTH_OFF,
         "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
         SMTP_AUTH, AUTH),
    Rule(r"^\d+ 5\.7\.(12[49]?|13[3-6]|505|507|513|703) |RST\.(NotAuthorized|Auth\w*Required|Sender\w+"
         r"|Restricted\w+)",
         RECIPIENT_REFUSED,
         "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", NDR, RCPT_ON),
    Rule(r"^5\d\d 5\.(4\.1|7\.504) .*recipient address rejected", RECIPIENT_GONE,
         "550 5.4.1 Recipient address rejected: Access denied.", NDR, RCPT_ON),
    Rule(r"^550 5\.5\.0 .*mailbox unavailable", RECIPIENT_GONE,
         "550 5.5.0 Requested action not taken: mailbox unavailable", NDR, RCPT_ON, Service.MICROSOFT),
    Rule(r"^\d+ 5\.2\.12[12] |recipient has (exceeded|reached) .{0,30}limit", RECIPIENT_LATER,
         "550 5.2.122 The recipient has exceeded their limit for the number of messages they can receive"
         " per hour.", NDR, RCPT_ON),
)  # fmt: skip

YAHOO_CODES = "https://senders.yahooinc.com/smtp-error-codes"
YAHOO = (
    Rule(r"#AUTH\d", APP_PASSWORD, "535 5.7.0 (#AUTH005) Too many bad auth attempts.",
         "https://help.yahoo.com/kb/SLN15241.html", AUTH),
    Rule(r"^554 6\.6\.0 ", SUSPECTED, "554 6.6.0 Error sending message for delivery.",
         "https://github.com/nodemailer/nodemailer/issues/1336", DOT, Service.YAHOO),
    Rule(r"permanently deferred", HOST_BLOCKED,
         "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT"
         " succeed.", YAHOO_CODES),
    Rule(r"\[BL\d+\]", HOST_BLOCKED,
         "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in"
         " Spamhaus's list", YAHOO_CODES),
    Rule(r"^5\d\d delivery error: .*(user doesn't have a|mailbox not found|mailbox is disabled)",
         RECIPIENT_GONE, "554 delivery error: dd This user doesn't have a yahoo.com account", YAHOO_CODES,
         RCPT_ON),
)  # fmt: skip

ZOHO_POLICY = "https://www.zoho.com/mail/help/usage-policy.html"
ZOHO = (
    Rule(r"unusual sending activity.*unblock", ACCOUNT_BLOCKED,
         "550 5.4.6 Unusual sending activity detected. Learn more. To unblock Click here.",
         ZOHO_POLICY, AUTH_ON),
    Rule(r"unusual sending activity", SUSPECTED,
         "550 5.4.6 Unusual sending activity detected. Please try after sometime.", ZOHO_POLICY, AUTH_ON),
    Rule(r"^550 5\.4\.6 ", SUSPECTED, "550 5.4.6 Unusual activity", ZOHO_POLICY, AUTH_ON, Service.ZOHO),
    Rule(r"(sender address|outgoing) blocked", ACCOUNT_BLOCKED, "554 5.1.8 Sender Address Blocked",
         ZOHO_POLICY, AUTH_ON, Service.ZOHO),
    Rule(r"relaying disallowed as|sender is not allowed to relay", NOT_AS_SENDER,
         "553 Relaying disallowed as a@example.com",
         "https://www.zoho.com/zeptomail/help/api/smtp-error-codes.html", MAIL_ON),
)  # fmt: skip

SES_CODES = "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html"
SES_ERRORS = "https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html"
SES = (
    Rule(r"daily message quota", LIMIT_REACHED, "454 Throttling failure: Daily message quota exceeded",
         SES_CODES),
    Rule(r"maximum sending rate", TRY_LATER, "454 Throttling failure: Maximum sending rate exceeded",
         SES_CODES),
    Rule(r"^5.*address (is )?not verified", UNVERIFIED_SENDER,
         "554 Message rejected: Email address is not verified. The following identities failed the check"
         " in region EU-WEST-1: a@example.com", SES_ERRORS, MAIL_ON),
    Rule(r"sending (is |has been )?(paused|suspended|disabled)", ACCOUNT_BLOCKED,
         "554 Message rejected: Sending paused for this account.", SES_ERRORS, AUTH_ON),
    Rule(r"not authorized to perform|account not subscribed|configuration set .{0,80}does not exist",
         SENDER_REFUSED,
         "554 Access denied: User arn:aws:iam::123:user/ses is not authorized to perform ses:SendRawEmail",
         SES_CODES, AUTH_ON),
)  # fmt: skip

SENDGRID_CODES = (
    "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/smtp-errors-and-troubleshooting"
)
SENDGRID = (
    Rule(r"maximum credits exceeded", LIMIT_REACHED, "451 Authentication failed: Maximum credits exceeded",
         SENDGRID_CODES),
    Rule(r"verified sender identity|not authorized to send from that", UNVERIFIED_SENDER,
         "550 The from address does not match a verified Sender Identity.", SENDGRID_CODES, MAIL_ON),
    Rule(r"unauthenticated senders", LOGIN_WANTED, "550 Unauthenticated senders not allowed",
         SENDGRID_CODES, MAIL_ON),
)  # fmt: skip

SPARKPOST_CODES = "https://support.sparkpost.com/docs/deliverability/bounce-classification-codes"
POSTMARK_CODES = "https://postmarkapp.com/developer/api/overview#error-codes"
RELAYS = (
    Rule(r"unconfigured sending domain", UNVERIFIED_SENDER,
         "550 5.7.1 Unconfigured Sending Domain <example.com>", SPARKPOST_CODES, MAIL_ON),
    Rule(r"^5.*recipient address (was )?suppressed", RECIPIENT_REFUSED,
         "550 5.7.1 recipient address was suppressed due to customer policy", SPARKPOST_CODES, RCPT_ON),
    Rule(r"not a sender signature", UNVERIFIED_SENDER,
         "400 The 'From' address you supplied (a@example.com) is not a Sender Signature on your account.",
         POSTMARK_CODES, MAIL_ON),
    Rule(r"account (is )?pending approval", ACCOUNT_BLOCKED,
         "412 While your account is pending approval, all recipient addresses must share the same domain.",
         POSTMARK_CODES, MAIL_ON),
)  # fmt: skip

CPANEL = "https://api.docs.cpanel.net/openapi/cpanel/operation/suspend_outgoing"
SMTP2GO = (
    "https://support.smtp2go.com/hc/en-gb/articles/"
    "360015283053-550-that-SMTP-username-s-account-is-not-allowed-to-send"
)
# What they say of the account that sends often reads like what others say of a recipient.
SENDING_STOPPED = (
    Rule(r"outgoing mail (from .{0,80} has been suspended|suspension)", ACCOUNT_BLOCKED,
         '550 Outgoing mail from "a@example.com" has been suspended.', CPANEL, MAIL_ON),
    Rule(r"sending (for|from) (this|your) (account|mailbox|address) .{0,12}(disabled|suspended|blocked)"
         r"|(disabled|suspended) (for|from) sending"
         r"|(sender account|account outbounds) .{0,20}(disabled|suspended|blocked)", ACCOUNT_BLOCKED,
         "550 Message was not accepted -- invalid mailbox. Local mailbox a@example.com is unavailable:"
         " message sending for this account is disabled", "https://mailout.ru/2015/09", MAIL_ON),
    Rule(r"disabled by user from hpanel", ACCOUNT_BLOCKED, "554 5.7.1 Disabled by user from hPanel",
         "https://support.hostinger.com/en/articles/1583452-i-was-suspended-for-mass-mail", MAIL_ON),
    Rule(r"smtp account is not (yet )?activated", ACCOUNT_BLOCKED,
         "502 5.7.0 Your SMTP account is not yet activated.",
         "https://github.com/supabase/agent-skills/issues/133", MAIL_ON),
    # Mailgun's: it names the moment, an hour away at most for a new account.
    Rule(r"is not allowed to send: .{0,40}limit exceeded", TRY_LATER,
         "421 Domain example.com is not allowed to send: recipient limit exceeded, try again after Sun, 05"
         " Oct 2025 19:22:44 UTC", "https://github.com/coopdevs/timeoverflow/issues/820", MAIL_ON),
    Rule(r"(account|ip address|domain \S+) is not allowed to send(:|\.| *$)", ACCOUNT_BLOCKED,
         "550 that SMTP username's account is not allowed to send", SMTP2GO, MAIL_ON),
)  # fmt: skip

PROVIDER_RULES = (*SENDING_STOPPED, *GOOGLE, *MICROSOFT, *YAHOO, *ZOHO, *SES, *SENDGRID, *RELAYS)
