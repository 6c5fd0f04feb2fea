"""What servers answer, and what follows from it. The cases are real replies, shortened."""

from re import _parser as regex_parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.phases import Phase
from accounts.presets import Provider
from accounts.reply import SmtpReply, parse_reply
from sending.judge import RULES, find_rule, judge
from sending.replies import RETRY_AND_REST, Pause, Scope
from sending.rules import Service, service_of

GMAIL = {"provider": Provider.GMAIL, "host": "smtp.gmail.com"}
WORKSPACE = {"provider": Provider.WORKSPACE, "host": "smtp.gmail.com"}
GOOGLE_RELAY = {"provider": Provider.CUSTOM, "host": "smtp-relay.gmail.com"}
M365 = {"provider": Provider.MICROSOFT365, "host": "smtp.office365.com"}
YAHOO = {"provider": Provider.CUSTOM, "host": "smtp.mail.yahoo.com"}
ZOHO = {"provider": Provider.CUSTOM, "host": "smtppro.zoho.eu"}
SES = {"provider": Provider.CUSTOM, "host": "email-smtp.eu-west-1.amazonaws.com"}
SENDGRID = {"provider": Provider.CUSTOM, "host": "smtp.sendgrid.net"}
OTHER = {"provider": Provider.CUSTOM, "host": "mail.example.com"}

SHORTLY = (Scope.ACCOUNT, "returned", Pause.SHORTLY, False)
WINDOW = (Scope.ACCOUNT, "returned", Pause.WINDOW, False)
MENDED = (Scope.ACCOUNT, "returned", Pause.MENDED, False)
GONE = (Scope.RECIPIENT, "failed", None, True)
REFUSED = (Scope.RECIPIENT, "failed", None, False)
LATER = (Scope.RECIPIENT, "retry", None, False)
CONTENT = (Scope.CONTENT, "failed", None, False)
CONTENT_LATER = (Scope.CONTENT, "retry", None, False)
REST = (Scope.ACCOUNT, "retry", Pause.SHORTLY, False)
LOST = (Scope.CONNECTION, "retry", None, False)
UNCERTAIN = (Scope.UNKNOWN, "uncertain", None, False)

# Exim asks the sender's server before it takes a mail, and quotes what that says, here Gmail's words.
CALLOUT = (
    "550-Postmaster verification failed while checking <newsletter@news.example.com>\n"
    "550-Called:   192.0.2.9\n550-Sent:     RCPT TO:<postmaster@news.example.com>\n"
    "550-Response: 550-5.1.1 The email account that you tried to reach does not exist. Please try"
    " 550-5.1.1 double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces."
    " For more information, go to 550 5.1.1 a640c23a62f3a.123 - gsmtp\n"
    "550-Several RFCs state that you are required to have a postmaster\n"
    "550-mailbox for each mail domain. This host does not accept mail\n"
    "550-from domains whose servers reject the postmaster address.\n550 Sender verify failed"
)

CASES = [
    (OTHER, "rcpt", "550 5.7.1 You have exceeded the maximum number of messages per month", WINDOW),
    (OTHER, "mail", "452 4.3.1 Limit of 250 messages from this hosting account reached in 24 hours", WINDOW),
    (OTHER, "rcpt", "450 4.2.1 Too many messages for this recipient, please try your message again", LATER),
    (OTHER, "rcpt", "550 5.2.1 Mailbox rate limit exceeded, please resend your message later", LATER),
    (OTHER, "dot", "552 5.2.0 Message rejected as spam by the recipient's mailbox", CONTENT),
    (OTHER, "rcpt", "450 4.2.1 Recipient has received too many messages in the last 24 hours", LATER),
    (OTHER, "rcpt", "452 4.2.1 recipient exceeded the number of messages it may receive per day", LATER),
    (OTHER, "rcpt", "550 5.2.1 The recipient has received more than 500 messages in the last 24 hou", LATER),
    (OTHER, "rcpt", "450 4.2.1 You have exceeded the number of messages per day", WINDOW),
    (OTHER, "rcpt", "450 4.7.1 Too many invalid recipients, try again in 24 hours", SHORTLY),
    (OTHER, "rcpt", "451 4.7.1 Too many connections; please retry in 24 hours", SHORTLY),
    (OTHER, "rcpt", "450 Recipient has exceeded the max messages per day", LATER),
    (OTHER, "auth", "454 4.7.0 Too many login attempts in the last 24 hours", SHORTLY),
    (OTHER, "rcpt", "550 5.7.1 24-hour limit reached", WINDOW),
    (OTHER, "rcpt", "550 5.2.1 Mailbox inactive for more than 180 days", GONE),
    (OTHER, "rcpt", "552 5.2.1 Mailbox full: quota exceeded", REFUSED),
    (OTHER, "rcpt", "450 4.2.1 The user you are trying to contact has received too many messages in the last"
     " 24 hours", LATER),
    (OTHER, "rcpt", "550 5.2.1 The email account that you tried to reach has exceeded its message rate",
     LATER),
    (OTHER, "rcpt", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
     GONE),
    (OTHER, "rcpt", "550 5.1.1 User unknown (LDAP lookup)", GONE),
    (OTHER, "rcpt", "550 No such user - directory lookup failed", GONE),
    (OTHER, "dot", "550 5.2.2 over storage limit, message rejected", REFUSED),
    (OTHER, "dot", "554 5.4.6 Too many hops, message rejected", REFUSED),
    (OTHER, "dot", "552 5.2.2 Message rejected: quota exceeded", REFUSED),
    (OTHER, "dot", "550 5.2.1 Message rejected: mailbox disabled", REFUSED),
    # iCloud said so of good addresses, too, for a day in April 2021.
    (OTHER, "rcpt", "550 5.1.1 <a@example.com>: user lookup success but no user record found", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 <a@industrial.example>: Recipient address rejected: User unknown", GONE),
    (OTHER, "rcpt", "550 This account has been disabled due to excessive sending", REFUSED),
    (OTHER, "rcpt", "550 5.1.2 Host lookup failed, DNS SERVFAIL", REFUSED),
    (OTHER, "rcpt", "550 Invalid recipient, your trial account can only send to verified addresses", REFUSED),
    (OTHER, "dot", "552 5.2.0 x This message has been rejected due to content judged to be spam by", CONTENT),
    (OTHER, "dot", "552 5.2.0 Message contains bare CR and is violating 822.bis section 2.3", CONTENT),
    (OTHER, "rcpt", "421 Domain x.y is not allowed to send: bytes limit exceeded, try again after", SHORTLY),
    (OTHER, "dot", "421 Domain x.y is not allowed to send: recipient limit exceeded, try again aft", SHORTLY),
    (OTHER, "dot", "421 Domain x.y is not allowed to send: Please activate your Mailgun account. Ch", MENDED),
    (OTHER, "auth", "535 Login fail. Account is abnormal, service not open, password is incorrect", MENDED),
    (OTHER, "dot", "550 5.7.1 send spam mail rejected: exceeded hour limit", SHORTLY),
    (OTHER, "rcpt", "550 RCPT:ERR exceeded hour limit", SHORTLY),
    (OTHER, "rcpt", "550 Your user account has been disabled", MENDED),
    (OTHER, "rcpt", "554 The SMTP account has been disabled, contact support", MENDED),
    (OTHER, "rcpt", "550 Domain x.y has exceeded the max emails per day (500/500 (100%)) allowed", WINDOW),
    (OTHER, "rcpt", "451 4.7.1 You have sent more than 500 emails in the last 24 hours", WINDOW),
    (M365, "dot", "550 5.3.4 Requested action not taken; We noticed some unusual activity in your H", MENDED),
    (M365, "dot", "451 4.2.0 STOREDRV.Submission.Exception:StorageTransientException", LATER),
    (M365, "dot", "554 5.2.0 STOREDRV.Submission.Exception:InvalidRecipientsException", REFUSED),
    (OTHER, "rcpt", "550 Callout verification failed: 550 550 5.7.1 Relaying denied", REFUSED),
    (OTHER, "rcpt", "550 Callout verification failed: 550 5.7.1 Client host blocked using zen.x", REFUSED),
    (OTHER, "rcpt", "554 5.7.1 <a@x.y>: Recipient address rejected: Sender quota exceeded", WINDOW),
    (OTHER, "rcpt", "450 4.7.1 recipient address suppressed for now", LATER),
    (OTHER, "rcpt", "550 5.7.1 The recipient has blocked your account", REFUSED),
    (OTHER, "dot", "550 5.7.1 Message rejected: sender rated as spammer", CONTENT),
    (M365, "dot", "554 5.2.0 WASCL UserAction verdict is not None. Actual verdict is Suspend", MENDED),
    (M365, "dot", "554 5.2.0 STOREDRV.Submission.Exception:SomeOtherException; Failed to process", CONTENT),
    (M365, "auth", "550 5.7.30 Basic authentication is not supported for Client Submission", MENDED),
    (OTHER, "rcpt", "550 Sender rate overlimit - 105.2 / 1h", SHORTLY),
    (OTHER, "rcpt", "451 Sender rate exceeds 100 messages per 1h", SHORTLY),
    (OTHER, "rcpt", "550 5.4.6 <a@example.com>: Sender Domain Daily Limit Exceeded", WINDOW),
    (OTHER, "dot", "550 5.7.1 Unconfigured Sending Domain <example.com>", MENDED),
    (OTHER, "dot", "550 5.7.1 Exceeded Messaging Limits", WINDOW),
    ({**OTHER, "host": "smtp.aol.com"}, "dot", "554 6.6.0 Error sending message for delivery.", WINDOW),
    (OTHER, "dot", "412 Account pending approval", MENDED),
    (SES, "dot", "554 Message rejected: Sending disabled for this account.", MENDED),
    (SES, "dot", "554 Transaction failed: Configuration set news does not exist.", MENDED),
    (OTHER, "dot", "550 5.7.1 Insufficient credits", WINDOW),
    (OTHER, "dot", "452 4.3.1 Insufficient credits", WINDOW),
    (OTHER, "rcpt", "550 You have reached your monthly limit of 1000 emails", WINDOW),
    (OTHER, "rcpt", "554 5.7.1 <a@example.com>: Policy rejection: Message quota exceeded", SHORTLY),
    (OTHER, "rcpt", "554 5.7.1 <a@example.com>: b exceeded the limit of 100 messages in 24 hours", WINDOW),
    (OTHER, "rcpt", "550 Your SMTP service has been suspended", MENDED),
    (OTHER, "rcpt", "550 SMTP auth disabled for this user", MENDED),
    (OTHER, "dot", "554 5.7.1 Your email account has been suspended", MENDED),
    (OTHER, "dot", "554 5.7.1 Sending of mail is temporarily disabled for your account", MENDED),
    (OTHER, "rcpt", "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", MENDED),
    (OTHER, "rcpt", "550 JunkMail rejected - pc [192.0.2.1] is in an RBL", MENDED),
    (OTHER, "rcpt", "550 Submitter failed to authenticate", MENDED),
    (OTHER, "rcpt", "550 Exceeding outbound thread limit", SHORTLY),
    (OTHER, "rcpt", "451 Internal resources are temporarily unavailable", REST),
    (OTHER, "rcpt", "451 IP temporarily blacklisted", SHORTLY),
    (OTHER, "rcpt", "451 Could not complete sender verify callout", SHORTLY),
    (OTHER, "rcpt", "454 4.7.0 TLS not available due to local problem", REST),
    (OTHER, "rcpt", "550 SMTP AUTH is required for message submission", MENDED),
    (OTHER, "rcpt", "550 5.7.3 Cannot achieve Exchange Server authentication", MENDED),
    (GOOGLE_RELAY, "rcpt", "550 5.7.1 The IP you're using to send mail is not authorized to send", MENDED),
    (M365, "rcpt", "550 5.7.1 RESOLVER.RST.RestrictedToRecipientsPermission; not authorized", REFUSED),
    (OTHER, "rcpt", "550 5.7.1 recipient address was suppressed due to customer policy", REFUSED),
    (OTHER, "rcpt", "452 4.2.2 You have exceeded your storage limit", LATER),
    (OTHER, "rcpt", "452 4.2.2 The user's daily mail quota is used up", LATER),
    (OTHER, "rcpt", "554 5.7.1 <a@example.com>: Recipient address rejected: Access denied", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 <a@example.com>: Recipient address rejected: undeliverable address: host mx"
     " said: 554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 <a@example.com>: Recipient address rejected: unverified address: unknown mail"
     " transport error", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 <a@example.com>: Recipient address rejected: undeliverable address: host"
     " unknown[192.0.2.9] said: 550 User unknown", GONE),
    (GMAIL, "dot", "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail", WINDOW),
    (WORKSPACE, "mail", "550 5.4.5 Daily sending quota exceeded", WINDOW),
    (WORKSPACE, "dot", "550 5.4.5 Limite d'envoi quotidienne atteinte", WINDOW),
    (GOOGLE_RELAY, "dot", "550 5.4.5 Daily SMTP relay limit exceeded for user.", WINDOW),
    (GOOGLE_RELAY, "rcpt", "550 5.7.1 Daily SMTP relay limit exceeded for customer.", WINDOW),
    (GOOGLE_RELAY, "rcpt", "450 4.2.1 Peak SMTP relay limit exceeded for customer.", SHORTLY),
    (GOOGLE_RELAY, "rcpt", "550 5.7.0 Mail relay denied [192.0.2.1]. Invalid credentials for relay", MENDED),
    (GMAIL, "auth", "454 4.7.0 Too many login attempts, please try again later.", SHORTLY),
    (GMAIL, "auth", "534 5.7.9 Application-specific password required.", MENDED),
    (GMAIL, "auth", "534 5.7.14 Please log in through your web browser and then try again.", MENDED),
    (GMAIL, "auth", "535 5.7.8 Username and Password not accepted.", MENDED),
    (GMAIL, "mail", "530 5.7.0 Authentication Required.", MENDED),
    (GMAIL, "connect", "421 4.7.0 Try again later, closing connection.", SHORTLY),
    (GMAIL, "rcpt", "421 4.7.0 Temporary System Problem. Try again later.", REST),
    (GMAIL, "rcpt", "421 4.7.0 TLS required for RCPT domain, closing connection.", LATER),
    (GMAIL, "rcpt", "450 4.2.1 The user you are trying to contact is receiving mail too quickly.", LATER),
    (GMAIL, "rcpt", "550 5.2.1 The user you are trying to contact is receiving mail at a rate that", LATER),
    (GMAIL, "rcpt", "550 5.2.1 The email account that you tried to reach is disabled.", GONE),
    (GMAIL, "rcpt", "452 4.2.2 The email account that you tried to reach is over quota.", LATER),
    (GMAIL, "rcpt", "552 5.2.2 The email account that you tried to reach is over quota.", REFUSED),
    (GMAIL, "rcpt", "550 5.1.1 The email account that you tried to reach does not exist.", GONE),
    (GMAIL, "rcpt", "553 5.1.2 We weren't able to find the recipient domain.", GONE),
    (GMAIL, "rcpt", "553 5.1.3 The recipient address is not a valid RFC 5321 address.", REFUSED),
    (GMAIL, "dot", "552 5.2.3 Your message exceeded Google's message size limits.", CONTENT),
    (GMAIL, "dot", "552 5.7.0 This message was blocked because its content presents a potential", CONTENT),
    (GMAIL, "dot", "550 5.7.1 Our system has detected that this message is likely unsolicited", CONTENT),
    (GMAIL, "dot", "421 4.7.0 Our system has detected that this message is suspicious", CONTENT_LATER),
    (GMAIL, "dot", "421 4.7.28 Our system has detected an unusual rate of unsolicited mail", WINDOW),
    (GMAIL, "dot", "550 5.7.26 This mail has been blocked because the sender is unauthenticated.", MENDED),
    (M365, "dot", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", WINDOW),
    (M365, "dot", "550 5.1.90 Your message can't be sent because you've reached your daily limit", WINDOW),
    (M365, "dot", "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException", MENDED),
    (M365, "dot", "554 5.2.252 SendAsDenied; a@example.com not allowed to send as b@example.com", MENDED),
    (M365, "dot", "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiException", MENDED),
    (M365, "dot", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", MENDED),
    (M365, "dot", "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed", MENDED),
    (M365, "dot", "550 5.1.8 Access denied, bad outbound sender", MENDED),
    (M365, "rcpt", "550 5.7.501 Access denied, spam abuse detected", MENDED),
    (M365, "rcpt", "550 5.7.705 Access denied, tenant has exceeded threshold.", MENDED),
    (M365, "mail", "432 4.3.2 Concurrent connections limit exceeded.", SHORTLY),
    (M365, "dot", "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", LATER),
    (M365, "dot", "550 5.2.122 The recipient has exceeded their limit for the number of messages", LATER),
    (M365, "dot", "451 4.7.0 Temporary server error. Please try again later. PRX4", REST),
    (M365, "rcpt", "451 4.7.500 Server busy. Please try again later from [192.0.2.1].", SHORTLY),
    (M365, "auth", "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled", MENDED),
    (M365, "auth", "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.", MENDED),
    (M365, "mail", "530 5.7.57 Client not authenticated to send mail.", MENDED),
    (M365, "rcpt", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP", GONE),
    (M365, "rcpt", "550 5.4.1 Recipient address rejected: Access denied.", GONE),
    (M365, "rcpt", "550 5.4.1 Relay Access Denied", MENDED),
    (M365, "rcpt", "550 5.5.0 Requested action not taken: mailbox unavailable", GONE),
    (M365, "rcpt", "550 5.7.513 Client host [192.0.2.1] blocked by example.com using Block list", REFUSED),
    (M365, "rcpt", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", MENDED),
    (M365, "rcpt", "550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized", REFUSED),
    (M365, "rcpt", "550 5.7.508 Access denied, [2001:db8::1] has exceeded permitted limits", SHORTLY),
    (M365, "dot", "552 5.2.2 Submission quota exceeded", WINDOW),
    (M365, "dot", "550 The message can't be submitted: the sender's submission quota was exceeded", WINDOW),
    (M365, "rcpt", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication requi", REFUSED),
    (YAHOO, "auth", "535 5.7.0 (#AUTH005) Too many bad auth attempts.", MENDED),
    (YAHOO, "dot", "554 6.6.0 Error sending message for delivery.", WINDOW),
    (YAHOO, "mail", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to", SHORTLY),
    (YAHOO, "mail", "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred;", MENDED),
    (YAHOO, "connect", "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1", MENDED),
    (YAHOO, "dot", "554 delivery error: dd This user doesn't have a yahoo.com account", GONE),
    (YAHOO, "dot", "554 delivery error: dd Sorry, your message to a@yahoo.com cannot be delivered."
     " This account is over quota.", REFUSED),
    (YAHOO, "rcpt", "450 User is receiving mail too quickly", LATER),
    (YAHOO, "dot", "554 5.7.9 Message not accepted for policy reasons.", CONTENT),
    (ZOHO, "dot", "550 5.4.6 Unusual sending activity detected. To unblock Click here.", MENDED),
    (ZOHO, "dot", "550 5.4.6 Unusual sending activity detected. Please try after sometime.", WINDOW),
    (ZOHO, "auth", "554 5.1.8 Sender Address Blocked", MENDED),
    (ZOHO, "dot", "554 5.1.8 Email Outgoing Blocked", MENDED),
    (ZOHO, "dot", "553 Relaying disallowed as a@example.com", MENDED),
    (ZOHO, "rcpt", "535 Authentication Failed", MENDED),
    (ZOHO, "dot", "552 5.7.1 virus EICAR detected by Zoho Mail", CONTENT),
    (SES, "dot", "454 Throttling failure: Maximum sending rate exceeded", SHORTLY),
    (SES, "dot", "454 Throttling failure: Daily message quota exceeded", WINDOW),
    (SES, "connect", "421 Too many concurrent SMTP connections", SHORTLY),
    (SES, "auth", "535 Authentication Credentials Invalid", MENDED),
    (SES, "dot", "554 Message rejected: Email address is not verified. The following identities", MENDED),
    (SES, "dot", "554 Message rejected: Sending paused for this account.", MENDED),
    (SES, "dot", "554 Access denied: User u is not authorized to perform ses:SendRawEmail", MENDED),
    (SES, "dot", "552 Message is too long.", CONTENT),
    (SENDGRID, "auth", "451 Authentication failed: Maximum credits exceeded", WINDOW),
    (SENDGRID, "auth", "535 Authentication failed: Bad username / password", MENDED),
    (SENDGRID, "dot", "550 The from address does not match a verified Sender Identity.", MENDED),
    (SENDGRID, "mail", "550 Unauthenticated senders not allowed", MENDED),
    (SENDGRID, "dot", "403 You are not authorized to send from that email address", MENDED),
    (SENDGRID, "rcpt", "452 Too many recipients received this hour (throttled)", SHORTLY),
    (OTHER, "connect", "421 4.7.0 mx.example.com Error: too many connections from 192.0.2.1", SHORTLY),
    (OTHER, "connect", "554 No SMTP service here", SHORTLY),
    (OTHER, "mail", "450 4.7.1 Error: too much mail from 192.0.2.1", SHORTLY),
    (OTHER, "mail", "452 4.3.1 Insufficient system storage", SHORTLY),
    (OTHER, "mail", "552 5.3.4 Message size exceeds fixed limit", CONTENT),
    (OTHER, "mail", "530 5.7.0 Must issue a STARTTLS command first", MENDED),
    (OTHER, "mail", "550 5.7.1 Not permitted", MENDED),
    (OTHER, "rcpt", "550 5.7.1 Unable to relay", MENDED),
    (OTHER, "rcpt", "454 4.7.1 <a@example.com>: Relay access denied", MENDED),
    (OTHER, "rcpt", "553 5.7.1 <a@example.com>: Sender address rejected: not owned by user b", MENDED),
    (OTHER, "rcpt", "550 5.1.0 <a@example.com>: Sender address rejected: User unknown in table", MENDED),
    (OTHER, "rcpt", "550 Verification failed for <a@example.com> No such user. Sender verify failed", MENDED),
    (OTHER, "rcpt", "550 5.7.1 Sender address blocked by the recipient", REFUSED),
    (OTHER, "rcpt", "550 5.7.1 <a@example.com>: SPF check failed", MENDED),
    (OTHER, "rcpt", "450 4.2.1 <a@example.com>: Recipient rate limit exceeded", LATER),
    (OTHER, "rcpt", "421 4.3.2 Shutting down", REST),
    (OTHER, "mail", "421 4.3.2 Shutting down", SHORTLY),
    (OTHER, "dot", "452 4.3.1 Insufficient system storage", REST),
    (OTHER, "rcpt", "550 User unknown: relay1@example.com", GONE),
    (OTHER, "rcpt", "550 5.1.1 <dmarc@example.com>: User unknown", GONE),
    (OTHER, "rcpt", "450 4.2.1 <throttle@example.com>: Mailbox busy", LATER),
    (OTHER, "dot", "550 5.7.1 Spam, see https://example.com/help?dmarc=1", CONTENT),
    (OTHER, "dot", "550 5.7.1 Message is not authenticated", CONTENT),
    (OTHER, "mail", "552 5.2.2 Mailbox full", MENDED),
    (OTHER, "rcpt", "552 5.2.2 Mailbox full", REFUSED),
    (OTHER, "rcpt", "452 4.2.2 Mailbox full", LATER),
    (OTHER, "rcpt", "504 5.5.2 <a>: Recipient address rejected: need fully-qualified address", REFUSED),
    (OTHER, "rcpt", "553 5.1.8 Domain of sender address a@example.com does not exist", MENDED),
    (OTHER, "rcpt", "450 4.1.8 <a@example.com>: Sender address rejected: Domain not found", SHORTLY),
    (OTHER, "rcpt", "504 5.5.2 <pc>: Helo command rejected: need fully-qualified hostname", MENDED),
    (OTHER, "rcpt", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen", MENDED),
    (OTHER, "dot", "554 5.7.1 Message contains a link on a blacklist", CONTENT),
    (OTHER, "rcpt", "450 4.2.0 <a@example.com>: Recipient address rejected: Greylisted", LATER),
    (OTHER, "rcpt", "451 4.7.1 Greylisting in action, please come back in 5 minutes", LATER),
    (OTHER, "rcpt", "450 4.1.1 <a@example.com>: Recipient address rejected: User unknown", LATER),
    (OTHER, "rcpt", "550 5.1.1 <a@example.com>: Recipient address rejected: User unknown", GONE),
    (OTHER, "rcpt", "550 No such user here", GONE),
    (OTHER, "rcpt", "550 Requested action not taken: mailbox unavailable", REFUSED),
    (OTHER, "rcpt", "554 5.7.1 <a@example.com>: Recipient address rejected: You have exceeded your"
     " Outmail quota.", WINDOW),
    (OTHER, "dot", "550 Domain example.com has exceeded the max emails per hour (100/100) allowed.", SHORTLY),
    (OTHER, "rcpt", "550 5.7.1 Rejected by policy", REFUSED),
    (OTHER, "rcpt", "550 5.7.1 Rejected as spam", CONTENT),
    (OTHER, "dot", "550 5.7.1 Message rejected as spam", CONTENT),
    (OTHER, "dot", "550 5.7.1 Email rejected per DMARC policy for example.com", MENDED),
    (OTHER, "dot", "451 4.3.0 Error: queue file write error", REST),
    (OTHER, "rcpt", "451 4.3.0 <a@example.com>: Temporary lookup failure", REST),
    (OTHER, "rcpt", "451 4.3.5 <a@example.com>: Recipient address rejected: Server configuration problem",
     REST),
    (OTHER, "rcpt", "451 Temporary local problem - please try later", REST),
    (SES, "dot", "451 Temporary service failure", REST),
    (SES, "rcpt", "421 Maximum message count per session reached", SHORTLY),
    (OTHER, "data", "554 5.7.1 <DATA>: Data command rejected: only 10 messages per day", WINDOW),
    (OTHER, "data", "554 5.7.1 <DATA>: Data command rejected: limit of 400 rcpts per 24 hours for client a"
     " reached", WINDOW),
    (OTHER, "rcpt", "554 5.7.1 <a@example.com>: Recipient address rejected: only 5 recipients per 5 minutes"
     " allowed", SHORTLY),
    (OTHER, "rcpt", "450 4.7.1 <a@example.com>: Recipient address rejected: Policy Rejection- Quota"
     " Exceeded.", SHORTLY),
    (OTHER, "rcpt", "450-Requested mail action not taken: mailbox unavailable\n450 Mail send limit exceeded.",
     SHORTLY),
    (OTHER, "rcpt", "451-Requested action aborted\n451 Mails per session limit exceeded.", SHORTLY),
    (OTHER, "dot", "554 5.7.0 Your message could not be sent. The limit on the number of allowed outgoing"
     " messages was exceeded. Try again later.", SHORTLY),
    (OTHER, "rcpt", "550 5.7.1 Your mail limit has been reached.", SHORTLY),
    (OTHER, "dot", "554 5.7.1 message count quota exceeded", SHORTLY),
    (OTHER, "dot", "550 5.7.1 User b is not authorized to send as a@example.com", MENDED),
    (OTHER, "rcpt", "550 5.7.1 Sender is not authorised to send mail on behalf of a@example.com", MENDED),
    (OTHER, "rcpt", "550 5.7.1 You are not allowed to send mail to this list from outside", REFUSED),
    (GMAIL, "dot", "550 5.7.1 Email quota exceeded.", WINDOW),
    (GMAIL, "mail", "550 5.7.1 Email quota exceeded.", WINDOW),
    (WORKSPACE, "dot", "550 5.7.0 Mail Sending denied. The service is disabled for user.", MENDED),
    (GOOGLE_RELAY, "rcpt", "550 5.7.1 Invalid credentials for relay for one of the domains in: a.example",
     MENDED),
    (GMAIL, "dot", "421 4.7.26 This mail has been rate limited because it is unauthenticated.", MENDED),
    (M365, "dot", "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit for"
     " sending email to external recipients (tenant external recipient rate limit)", WINDOW),
    (M365, "dot", "550 5.7.236 Your message can't be sent from this domain", WINDOW),
    (M365, "rcpt", "550 5.7.1 RESOLVER.RST.AuthenticationRequired; authentication required", REFUSED),
    (OTHER, "dot", "550 5.4.5 Mail system congestion", REFUSED),
    (OTHER, "dot", "554 5.4.6 Too many hops", REFUSED),
    (OTHER, "rcpt", '550 Outgoing mail from "a@example.com" has been suspended.', MENDED),
    (OTHER, "dot", '550 Outgoing mail from "example.com" has been suspended.', MENDED),
    (OTHER, "rcpt", "550 Domain example.com has an outgoing mail suspension.  Message discarded.", MENDED),
    (OTHER, "rcpt", "550 Message was not accepted -- invalid mailbox. Local mailbox a@mail.ru is unavailable:"
     " message sending for this account is disabled", MENDED),
    (OTHER, "dot", "550 Message sending for this account is disabled", MENDED),
    (OTHER, "rcpt", "550 Message was not accepted -- invalid mailbox. Local mailbox a@mail.ru is unavailable:"
     " account is disabled", GONE),
    (OTHER, "rcpt", "550 5.7.1 This account is temporarily disabled from sending", MENDED),
    (OTHER, "rcpt", "550 5.7.13 Sender account disabled", MENDED),
    (OTHER, "rcpt", "525 5.7.13 Disabled recipient address", REFUSED),
    (OTHER, "rcpt", "451 Account outbounds disabled", MENDED),
    (OTHER, "rcpt", "554 5.7.1 Your mailbox is disabled", MENDED),
    (OTHER, "rcpt", "554 5.7.1 <a@example.com>: Recipient address rejected: Disabled by user from hPanel",
     MENDED),
    (OTHER, "data", "502 5.7.0 Your SMTP account is not yet activated. Please contact us", MENDED),
    (OTHER, "rcpt", "550 that SMTP username's account is not allowed to send", MENDED),
    (OTHER, "rcpt", "550 that IP address is not allowed to send", MENDED),
    (OTHER, "dot", "550 Domain a.mailgun.org is not allowed to send: Please activate your Mailgun account.",
     MENDED),
    (OTHER, "rcpt", "550 Your account is not allowed to send to this group", REFUSED),
    (OTHER, "rcpt", "550-The mail server could not deliver mail to a@example.com.  The account\n550-or domain"
     " may not exist, they may be blacklisted, or missing the proper dns\n550 entries.", REFUSED),
    (OTHER, "rcpt", "550-Verification failed for <a@example.com>\n550-The mail server could not deliver mail"
     " to a@example.com. The account or domain may not exist, they may be blacklisted\n550 Sender verify"
     " failed", MENDED),
    (OTHER, "connect", "554-No SMTP service\n554 IP address is black listed.", MENDED),
    (OTHER, "rcpt", "554 Transaction failed: IP address is black listed.", MENDED),
    (OTHER, "rcpt", "550 5.7.1 IP address blacklisted by recipient", REFUSED),
    (OTHER, "rcpt", "550 5.7.1 The sender is on the recipient's blacklist", REFUSED),
    (OTHER, "rcpt", "550 user in blacklist", REFUSED),
    (OTHER, "rcpt", "550 5.7.1 Your domain has been blocked by this user", REFUSED),
    (OTHER, "rcpt", "450 4.7.1 Sender address blocked by the recipient for now", LATER),
    (OTHER, "rcpt", "550 5.7.1 Recipient does not accept mail from your sender domain", REFUSED),
    (OTHER, "rcpt", "550 5.7.10 Encryption required by recipient", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 <a@example.com>: Recipient address rejected: undeliverable address:"
     " host mx[192.0.2.9] said: 554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 <a@example.com>: Recipient address rejected: undeliverable address:"
     " host mx[192.0.2.9] said: 550 5.7.1 Relaying denied", REFUSED),
    (OTHER, "rcpt", "450 4.1.1 <a@example.com>: Recipient address rejected: unverified address:"
     " host mx[192.0.2.9] said: 421 Too many connections", LATER),
    (OTHER, "rcpt", "450 <a@example.com>: Recipient address rejected: undeliverable address:"
     " host mx[192.0.2.9] said: 550 sorry, no mailbox here by that name. (#5.7.17)", LATER),
    (OTHER, "rcpt", "550 <a@example.com>: Sender address rejected: undeliverable address:"
     " host mx[192.0.2.9] said: 550 User unknown", MENDED),
    (OTHER, "rcpt", "550 Send quota exceeded", WINDOW),
    (OTHER, "dot", "550 Send quota exceeded", WINDOW),
    (OTHER, "rcpt", "550 Benutzer hat zuviele Mails auf dem Server. / User has too many messages on the"
     " server.", REFUSED),
    (OTHER, "rcpt", "552 Too much mail data", REFUSED),
    (OTHER, "rcpt", "450 4.2.1 The recipient has exceeded message rate limit. Try again later.", LATER),
    (OTHER, "rcpt", "450 4.2.1 The recipient has reached its daily limit of incoming messages", LATER),
    (OTHER, "rcpt", "450 4.1.1 Recipient address not verified yet", LATER),
    (OTHER, "rcpt", "550 5.1.1 Message rejected as spam", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 Mail rejected by policy", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 Refused due to recipient preferences", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 Sender rejected", MENDED),
    (OTHER, "rcpt", "550 5.1.0 <a@example.com> sender rejected", MENDED),
    (M365, "rcpt", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", REFUSED),
    (OTHER, "rcpt", "550 The address that you are sending to does not exist", GONE),
    (OTHER, "rcpt", "550 5.1.10 Recipient not found [AB1.outbound.protection.outlook.com]", GONE),
    (OTHER, "rcpt", "550 This sending account is disabled", REFUSED),
    (M365, "rcpt", "550 5.7.12 Sender was not authenticated by organization", REFUSED),
    (OTHER, "dot", "550 5.7.1 RESOLVER.RST.SenderNotAuthenticatedForMailbox; not allowed", REFUSED),
    (OTHER, "auth", "503 5.5.1 Error: authentication not enabled", MENDED),
    (OTHER, "auth", "535 5.7.0 NEOBHODIM parol prilozheniya / Application password is REQUIRED", MENDED),
    (OTHER, "rcpt", "550 Too many invalid recipients", SHORTLY),
    (OTHER, "rcpt", "550 5.1.1 Too many invalid recipients", SHORTLY),
    (OTHER, "dot", "550 Your message could not be delivered due to too many invalid recipients", SHORTLY),
    (OTHER, "rcpt", "554 This IP has been blocked for the day, for attempting to mail too many invalid"
     " recipients. IB113", SHORTLY),
    (OTHER, "rcpt", "550 5.7.1 <a@example.com>: Sender address rejected: undeliverable address: host"
     " mx[192.0.2.9] said: 550 Mailbox not found (in reply to RCPT TO command)", MENDED),
    (OTHER, "rcpt", "550-Verification failed for <a@example.com>\n550-Called:   192.0.2.9\n550-Sent:     RCPT"
     " TO:<a@example.com>\n550-Response: 550 Mailbox not found\n550 Sender verify failed", MENDED),
    (OTHER, "rcpt", CALLOUT, MENDED),
    (OTHER, "rcpt", CALLOUT.replace("\n550 Sender verify failed", ""), MENDED),
    (OTHER, "dot", "550 5.1.0 Sender mailbox not found", MENDED),
    (YAHOO, "dot", "554 delivery error: dd This user doesn't have a yahoo.com account", GONE),
    (OTHER, "rcpt", "550 Mailbox not found", GONE),
    (OTHER, "rcpt", "550 5.7.1 Mail rejected: reverse DNS for your IP address not found", REFUSED),
    (OTHER, "rcpt", "554 5.7.1 Client address unknown", REFUSED),
    (OTHER, "rcpt", "550 5.7.1 Unknown account, authentication needed", REFUSED),
    (OTHER, "rcpt", "550 This account has been disabled due to abuse", REFUSED),
    (OTHER, "rcpt", "550 5.1.2 User reject", REFUSED),
    (OTHER, "auth", "454 4.7.0 Your account has been temporarily locked. Try again in 15 minutes", SHORTLY),
    (OTHER, "rcpt", "450 4.2.1 The mailbox is temporarily disabled", LATER),
    (OTHER, "auth", "535 5.7.8 Error: authentication failed: generic failure", SHORTLY),
    (OTHER, "auth", "535 5.7.0 Too many failed login attempts", SHORTLY),
    (OTHER, "rcpt", "550 Please turn on SMTP Authentication in your mail client.", MENDED),
    (OTHER, "rcpt", "503 This mail server requires authentication when attempting to send", MENDED),
    (OTHER, "rcpt", "503 5.5.1 Error: need MAIL command", REST),
    (OTHER, "data", "503 Bad sequence of commands", REST),
    (M365, "mail", "451 5.7.3 STARTTLS is required to send mail", MENDED),
    (OTHER, "mail", "550 Mail frequency limited, please try again later", SHORTLY),
    (OTHER, "rcpt", "550 Number of recipients per hour exceeded", SHORTLY),
    ({**OTHER, "host": "smtp.googlemail.com"}, "dot", "550 5.7.1 Email quota exceeded.", WINDOW),
    (OTHER, "rcpt", "550 5.7.1 This group requires authentication of the sender", REFUSED),
    (OTHER, "rcpt", "550 5.7.1 message requires authentication SPF or DKIM", MENDED),
    (OTHER, "rcpt", "550 5.1.1 No such user. Contact the postmaster for help", GONE),
    (OTHER, "rcpt", "550 This group's server requires authentication of senders", REFUSED),
    (OTHER, "rcpt", "550 5.7.1 This relay requires authentication", MENDED),
    (OTHER, "rcpt", "550 SMTP requires authentication", MENDED),
    (OTHER, "rcpt", "554 5.7.1 Sending mail requires authentication, check your mail client", MENDED),
    (OTHER, "rcpt", "503 5.5.1 Bad sequence of commands, please authenticate first", MENDED),
    (OTHER, "data", "503 5.5.1 Error: need RCPT command [smtp-auth.example.com]", REST),
    (OTHER, "rcpt", "550 5.1.1 User unknown or your IP is not allowed", REFUSED),
    (OTHER, "rcpt", "550 User unknown; sending IP 192.0.2.1 is banned", REFUSED),
    (OTHER, "rcpt", "550 No such user: this client is not authorized", REFUSED),
    (OTHER, "rcpt", "550 5.1.2 User unknown: the client 192.0.2.1 has no permission", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 User unknown, IP-address 192.0.2.1 has bad history", REFUSED),
    (OTHER, "rcpt", "550 5.1.1 User unknown. IP: 192.0.2.1", GONE),
    (OTHER, "rcpt", "550 5.1.1 user not found [mx7.client-hosting.example]", GONE),
    (OTHER, "dot", "354 What?", UNCERTAIN),
    (OTHER, "dot", "250 Daily sending limit exceeded", UNCERTAIN),
    (OTHER, "rcpt", "252 Cannot verify; relay denied", LOST),
]  # fmt: skip


def _read(line: str) -> SmtpReply:
    lines = line.split("\n")
    return parse_reply(int(lines[0][:3]), "\n".join(each[4:] for each in lines))


@pytest.mark.parametrize(("account", "phase", "line", "expected"), CASES, ids=[case[2] for case in CASES])
def test_a_reply_is_judged_by_whom_it_is_about(account, phase, line, expected):
    reply = _read(line)
    verdict = judge(phase, reply.code, reply.enhanced_code, reply.text, **account)
    assert (verdict.scope, verdict.outcome, verdict.pause, verdict.suppress) == expected


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.example)
def test_each_rule_is_reached_by_the_reply_it_was_written_for_in_each_of_its_phases(rule):
    reply = _read(rule.example)
    reached = {
        phase: find_rule(rule.service, phase, reply.code, reply.enhanced_code, reply.text)
        for phase in rule.phases
    }
    assert reached == dict.fromkeys(rule.phases, rule)


def test_a_reply_that_is_cut_keeps_its_end_which_decides():
    quoted = "550-Response: " + "The email account that you tried to reach does not exist. " * 20
    reply = _read(f"550-Verification failed for <a@example.com>\n{quoted}\n550 Sender verify failed")
    assert len(reply.text) == 500
    assert reply.text.endswith("does not exist. Sender verify failed")
    verdict = judge("rcpt", reply.code, reply.enhanced_code, reply.text, **OTHER)
    assert (verdict.scope, verdict.outcome, verdict.pause, verdict.suppress) == MENDED


def test_each_refusal_of_an_account_says_what_mends_it_and_no_other_pauses_one():
    for verdict in {rule.verdict for rule in RULES}:
        is_account = verdict.scope == Scope.ACCOUNT
        assert bool(verdict.cure) == (verdict.pause is not None) == is_account
        assert (verdict.outcome == "returned") == (is_account and verdict != RETRY_AND_REST)


def test_only_a_refused_recipient_is_suppressed():
    assert {rule.verdict.scope for rule in RULES if rule.verdict.suppress} == {Scope.RECIPIENT}


@pytest.mark.parametrize(
    ("account", "service"),
    [
        (GMAIL, Service.GOOGLE),
        (WORKSPACE, Service.GOOGLE),
        (GOOGLE_RELAY, Service.GOOGLE),
        (M365, Service.MICROSOFT),
        (YAHOO, Service.YAHOO),
        (ZOHO, Service.ZOHO),
        (SES, None),
        (OTHER, None),
        ({"provider": Provider.CUSTOM, "host": "SMTP.Zoho.com."}, Service.ZOHO),
        ({"provider": Provider.CUSTOM, "host": "notgmail.com"}, None),
        ({"provider": Provider.CUSTOM, "host": ""}, None),
    ],
)
def test_a_service_is_known_by_the_provider_or_the_end_of_its_host(account, service):
    assert service_of(**account) == service


@pytest.mark.parametrize(
    ("phase", "after_dot", "expected"),
    [
        ("connect", False, SHORTLY),
        ("tls", False, SHORTLY),
        ("auth", False, SHORTLY),
        ("mail", False, LOST),
        ("rcpt", False, LOST),
        ("data", False, LOST),
        ("dot", True, UNCERTAIN),
        ("dot", False, UNCERTAIN),
    ],
)
def test_without_a_reply_the_phase_decides(phase, after_dot, expected):
    verdict = judge(phase, None, "", "The connection was closed", after_dot=after_dot)
    assert (verdict.scope, verdict.outcome, verdict.pause, verdict.suppress) == expected


enhanced_codes = st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True) | st.just("")
texts = st.text(max_size=80) | st.sampled_from([rule.example for rule in RULES])
hosts = st.sampled_from([account["host"] for account in (GMAIL, M365, YAHOO, ZOHO, OTHER)])


@given(st.sampled_from(Phase.values), st.none() | st.integers(0, 999), enhanced_codes, texts, hosts)
def test_no_failure_is_ever_taken_for_sent(phase, code, enhanced, text, host):
    assert judge(phase, code, enhanced, text, host=host).outcome != "sent"
    assert judge(phase, None, enhanced, text, host=host, after_dot=True).outcome == "uncertain"


@given(st.integers(0, 399) | st.integers(600, 999), enhanced_codes, texts, hosts)
def test_after_the_dot_only_a_refusal_says_that_nothing_was_accepted(code, enhanced, text, host):
    assert judge("dot", code, enhanced, text, host=host).outcome == "uncertain"


@given(st.sampled_from(Phase.values), st.integers(400, 599), enhanced_codes, texts, hosts)
def test_a_temporary_refusal_never_suppresses_an_address(phase, code, enhanced, text, host):
    verdict = judge(phase, code, enhanced, text, host=host)
    assert not (verdict.suppress and code < 500)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.pattern)
def test_no_pattern_repeats_a_repetition(rule):
    """Nested quantifiers are what makes a search take exponential time."""
    assert _depth_of_repetition(regex_parser.parse(rule.pattern)) <= 1


def _depth_of_repetition(parsed) -> int:
    deepest = 0
    for operation, argument in parsed:
        inner = max((_depth_of_repetition(part) for part in _subpatterns(argument)), default=0)
        deepest = max(deepest, inner + (str(operation) in ("MAX_REPEAT", "MIN_REPEAT")))
    return deepest


def _subpatterns(argument):
    if isinstance(argument, regex_parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from _subpatterns(part)
