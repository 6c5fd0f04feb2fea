"""Does it add up? Compares what the SMTP server keeps, the ledger and the queue."""

from collections import Counter
from email.parser import BytesHeaderParser
from pathlib import Path

from accounts.models import SmtpAccount
from sending.models import QueuedEmail, SendLog


def problems(mail: Path, queued: int) -> list[str]:
    """What is lost, doubled or over a limit, in sentences; empty when the promises held.

    mail: the SMTP server's folder. queued: how many mails were queued.
    """
    received = [BytesHeaderParser().parsebytes(path.read_bytes()) for path in mail.glob("*.eml")]
    by_recipient = Counter(message["X-Rcpt-To"].lower() for message in received)
    by_login = Counter(message["X-Login"] for message in received)
    states = Counter(QueuedEmail.objects.values_list("status", flat=True))
    sent = {
        email.lower() for email in QueuedEmail.objects.filter(status="sent").values_list("email", flat=True)
    }
    logged = SendLog.objects.filter(outcome="sent").count()
    uncertain = states["uncertain"]

    found = []
    if sum(states.values()) != queued:
        found.append(f"{queued} were queued, {sum(states.values())} are in the queue")
    if missing := sent - set(by_recipient):
        found.append(f"{len(missing)} count as sent and did not arrive")
    if len(set(by_recipient) - sent) > uncertain:
        found.append(f"{len(set(by_recipient) - sent)} arrived and do not count as sent")
    if doubled := sum(n > 1 for n in by_recipient.values()):
        found.append(f"{doubled} arrived more than once")
    if logged != len(sent):
        found.append(f"the ledger knows {logged} sent mails, the queue {len(sent)}")
    for account in SmtpAccount.objects.all():
        if by_login[account.username] > account.daily_limit:
            found.append(f"{account} sent {by_login[account.username]}, its limit is {account.daily_limit}")
    return found
