"""Batches sent in the test's own process, over a real SMTP server."""

from collections import Counter

from accounts.models import SmtpAccount
from campaigns import actions
from config.demo.smtp_server import LocalSmtpServer
from sending.dispatch import dispatch
from sending.models import Batch, QueuedEmail
from sending.retry import retry_due
from sending.sender import send_batch
from tests.factories import make_account, make_campaign, make_list
from tests.smtp_fixtures import USERS

LONG_AGO = "2020-01-01T00:00Z"


def accounts_at(server: LocalSmtpServer, *names: str) -> list[SmtpAccount]:
    """Accounts of these USERS; all of them where none is named."""
    return [
        make_account(name, port=server.port, username=name, password=USERS[name]) for name in names or USERS
    ]


def claim() -> Batch | None:
    """Dispatches the next batch, whatever the pace says; None: nothing can be claimed."""
    Batch.objects.update(created=LONG_AGO, started=LONG_AGO, finished=LONG_AGO)
    return Batch.objects.latest("id") if dispatch().batches else None


def queue(count: int, **fields):
    """Queues a campaign to person1@example.com and so on; returns it."""
    campaign = make_campaign(make_list(count), **fields)
    actions.queue_campaign(campaign)
    return campaign


def send(count: int, **fields) -> str:
    """Queues a campaign for so many and sends one batch of it; returns what the job says."""
    queue(count, **fields)
    return send_next()


def send_next() -> str:
    batch = claim()
    return send_batch(batch.pk) if batch else "nothing to send"


def send_all(most: int = 50) -> int:
    """Sends batches, with all retries and rests at once, until nothing is left. Returns how many."""
    for batches in range(most):
        QueuedEmail.objects.filter(status="retry").update(next_attempt_at=LONG_AGO)
        SmtpAccount.objects.exclude(paused_until=None).update(paused_until=LONG_AGO)
        retry_due()
        if send_next() == "nothing to send":
            return batches
    raise AssertionError(f"after {most} batches there is mail left: {states()}")


def states() -> list[str]:
    return list(QueuedEmail.objects.order_by("id").values_list("status", flat=True))


def received(server: LocalSmtpServer) -> Counter[str]:
    return Counter(message.rcpt for message in list(server.received))


def people(*numbers: int) -> Counter[str]:
    """One mail each."""
    return Counter(f"person{n}@example.com" for n in numbers)


def assert_nothing_lost_or_doubled(server: LocalSmtpServer) -> None:
    """What was sent arrived, once; what arrived counts so or is uncertain, one mail of a batch at most."""
    assert [rcpt for rcpt, n in received(server).items() if n > 1] == []
    mails = QueuedEmail.objects.all()
    sent = set(mails.filter(status="sent").values_list("email", flat=True))
    uncertain = list(mails.filter(status="uncertain").values_list("email", "batch_id"))
    assert sent <= set(received(server)) <= sent | {email for email, _ in uncertain}
    assert len({batch for _, batch in uncertain}) == len(uncertain)
