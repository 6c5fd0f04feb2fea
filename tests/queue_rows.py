"""Rows of the queue, the ledger and the heartbeats in any state, made through the ORM."""

from datetime import timedelta
from uuid import uuid4

from django.db.models.functions import Now
from django.utils import timezone

from sending.models import Batch, Heartbeat, QueuedEmail, SendLog
from tests.factories import make_campaign

FINAL = ("sent", "failed", "cancelled", "suppressed")


def make_queue(campaign, status="pending", count=1, account=None, **fields):
    """Queue rows as they are in this state."""
    if status in FINAL:
        fields["finished_at"] = timezone.now()
    if status == "retry":
        fields.setdefault("next_attempt_at", timezone.now() + timedelta(minutes=5))
    if status in ("sending", "uncertain"):
        fields |= {"batch": make_batch(), "dated_at": timezone.now()}
    return QueuedEmail.objects.bulk_create(
        QueuedEmail(
            campaign=campaign,
            email=f"{status}{n}-{uuid4().hex[:8]}@example.com",
            status=status,
            account=account,
            position=n if status in ("sending", "uncertain") else None,
            message_id="" if status == "pending" else f"<{uuid4()}@sender.example>",
            **fields,
        )
        for n in range(count)
    )


def make_batch(**fields) -> Batch:
    return Batch.objects.create(size=1, lease=timezone.now() + timedelta(minutes=2), **fields)


def make_sent(campaign, account, count, age=timedelta(0)):
    """Mails that were sent this long ago, with their ledger rows."""
    mails = make_queue(campaign, "sent", count, account)
    for mail in mails:
        SendLog.objects.create(
            queued_email=mail,
            batch=make_batch(),
            account=account,
            at=Now() - age,
            phase="dot",
            code=250,
            outcome="sent",
            duration=0.1,
        )
    return mails


def log(mail: QueuedEmail, outcome: str, account, scope: str = "recipient", **fields) -> SendLog:
    """A ledger row of the mail: a refusal for the moment, where the fields say nothing else."""
    values = {"phase": "rcpt", "code": 450, "enhanced_code": "4.2.1", "text": "Busy", "duration": 0.1}
    return SendLog.objects.create(
        queued_email=mail,
        batch=make_batch(),
        account=account,
        outcome=outcome,
        scope=scope,
        **values | fields,
    )


def queued(name="News", **fields):
    return make_campaign(name=name, **{"status": "sending", "queued_at": timezone.now(), **fields})


def beat(age=timedelta(0), outcome="10 mails dispatched"):
    Heartbeat.objects.update_or_create(
        job="dispatch",
        defaults={"at": Now() - age, "host": "mail-1", "duration": 0.1, "outcome": outcome},
    )
