"""The dispatcher: claims the next batch, or says how long there is nothing to claim."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, Sum
from django.db.models.functions import Lower, Now
from django_q.tasks import async_task

from accounts.addresses import ascii_domain
from accounts.models import SmtpAccount
from sending import capacity, lanes
from sending.campaign import ORDER, campaign_model
from sending.dealing import deal
from sending.models import Batch, Pacing, QueuedEmail, Suppression, Tally

LOCK = 0x62617463  # "batc": Postgres' advisory lock of the dispatcher
LOOK_AHEAD = 500  # rows, once a suppressed address was met
POLL = 0.25  # seconds until another look when another dispatcher or a batch is at work


@dataclass(frozen=True)
class Dispatched:
    """What a look at the queue led to."""

    batches: int
    mails: int
    next_in: float | None  # seconds until there may be more to do; None: nothing waits


@dataclass(frozen=True)
class Claim:
    mail: int
    account: int


def dispatch() -> Dispatched:
    """Claims what is due now, in one short transaction, and wakes a worker for every batch.

    Any number of processes may call it at any time: the pace, the limits and the claims hold,
    since all of them are decided under the dispatcher's lock and by Postgres' clock.
    """
    with transaction.atomic():
        if not _lock():
            return Dispatched(0, 0, POLL)
        if not _somebody_waits():
            return Dispatched(0, 0, None)
        pacing = Pacing.load()
        accounts = _lock_accounts()
        due = lanes.due(pacing, list(accounts))
        claims = _claim(pacing, accounts, due.accounts)
        batches = [_write_batch(accounts, lane, part) for lane, part in _split(pacing, claims)]
    return Dispatched(len(batches), len(claims), _next_look(pacing, due, claims))


def _lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return cursor.fetchone()[0]


def _somebody_waits() -> bool:
    return campaigns_that_wait().exists()


def _next_look(pacing: Pacing, due: lanes.Due, claims: list[Claim]) -> float:
    if claims:
        return min(pacing.batch_interval, due.next_in or pacing.batch_interval)
    return max(due.next_in, POLL) if due.next_in is not None else pacing.batch_interval


def _lock_accounts() -> dict[int, SmtpAccount]:
    # NO KEY: the ledger's foreign keys may still be checked meanwhile.
    usable = SmtpAccount.objects.usable().order_by("id").select_for_update(no_key=True)
    return {account.pk: account for account in usable}


def _claim(pacing: Pacing, accounts: dict[int, SmtpAccount], due: set[int]) -> list[Claim]:
    if not due:
        return []
    left = capacity.remaining({pk: accounts[pk].daily_limit for pk in due})
    slots = pacing.batch_size
    if pacing.scope == Pacing.Scope.ACCOUNT:
        left = {pk: min(pacing.batch_size, n) for pk, n in left.items()}
        slots = sum(left.values())
    claims: list[Claim] = []
    for campaign in campaigns_that_wait():
        if len(claims) >= slots or not any(left.values()):
            break
        own = {a.pk for a in campaign.accounts.all()} or set(left)
        claims += _claim_campaign(campaign.pk, slots - len(claims), left, own)
    return claims


def _claim_campaign(campaign: int, slots: int, left: dict[int, int], own: set[int]) -> list[Claim]:
    """Claims up to `slots` mails of one campaign on its own accounts; takes them off `left`."""
    usable = {pk: n for pk, n in left.items() if pk in own and n > 0}
    mails = _pick_unsuppressed(campaign, min(slots, sum(usable.values())))
    claims = [Claim(mail, account) for mail, account in zip(mails, deal(len(mails), usable), strict=True)]
    for claim in claims:
        left[claim.account] -= 1
    return claims


def campaigns_that_wait():
    """Campaigns that may send now and have pending mails, in the order of sending."""
    waiting = (
        Tally.objects.filter(campaign=OuterRef("pk"), status=QueuedEmail.Status.PENDING)
        .values("campaign")
        .annotate(n=Sum("count"))
        .filter(n__gt=0)
    )
    return (
        campaign_model()
        .objects.filter(Exists(waiting), status="sending")
        .filter(Q(scheduled_at=None) | Q(scheduled_at__lte=Now()))
        .order_by(*ORDER)
        .prefetch_related("accounts")
        .only("pk")
    )


def _pick_unsuppressed(campaign: int, count: int) -> list[int]:
    """Ids of the campaign's next mails, locked. Those suppressed since they were queued end here."""
    picked: list[int] = []
    look = count
    while len(picked) < count:
        rows = _pick(campaign, look, after=picked)
        picked += [pk for pk, is_suppressed in rows if not is_suppressed]
        _suppress([pk for pk, is_suppressed in rows if is_suppressed])
        if len(rows) < look:
            break
        look = LOOK_AHEAD  # where some are suppressed, many may be
    return picked[:count]


def _pick(campaign: int, count: int, after: list[int]) -> list[tuple[int, bool]]:
    suppressed = Suppression.objects.annotate(address=Lower("email")).filter(address=Lower(OuterRef("email")))
    return list(
        QueuedEmail.objects.filter(campaign=campaign, status=QueuedEmail.Status.PENDING)
        .filter(id__gt=after[-1] if after else 0)
        .order_by("id")
        .annotate(is_suppressed=Exists(suppressed))
        .select_for_update(skip_locked=True, of=("self",))
        .values_list("id", "is_suppressed")[:count]
    )


def _suppress(mails: list[int]) -> None:
    if mails:
        QueuedEmail.objects.filter(pk__in=mails, status=QueuedEmail.Status.PENDING).update(
            status=QueuedEmail.Status.SUPPRESSED, finished_at=Now()
        )


def _split(pacing: Pacing, claims: list[Claim]) -> list[tuple[int | None, list[Claim]]]:
    if pacing.scope == Pacing.Scope.ALL:
        return [(None, claims)] if claims else []
    accounts = dict.fromkeys(claim.account for claim in claims)
    return [(a, [claim for claim in claims if claim.account == a]) for a in accounts]


WRITE_CLAIMS = """
UPDATE sending_queuedemail mail
SET status = 'sending', batch_id = %s, account_id = claim.account, position = claim.position - 1,
    message_id = COALESCE(NULLIF(mail.message_id, ''), claim.message_id),
    dated_at = COALESCE(mail.dated_at, now())
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) WITH ORDINALITY
         AS claim(mail, account, message_id, position)
WHERE mail.id = claim.mail AND mail.status = 'pending'
"""


def _write_batch(accounts: dict[int, SmtpAccount], lane: int | None, claims: list[Claim]) -> Batch:
    batch = Batch.objects.create(
        account_id=lane, size=len(claims), lease=Now() + timedelta(seconds=settings.BATCH_LEASE)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE_CLAIMS,
            [
                batch.pk,
                [claim.mail for claim in claims],
                [claim.account for claim in claims],
                [message_id(accounts[claim.account].email) for claim in claims],
            ],
        )
        if cursor.rowcount != len(claims):
            raise RuntimeError(f"claimed {len(claims)} mails, could write {cursor.rowcount}")
    # django-q2's queue is in the same database: the wake-up commits with the claim, or not at all.
    async_task("sending.jobs.send_batch", batch.pk)
    return batch


def message_id(sender: str) -> str:
    """A new Message-ID (RFC 5322 section 3.6.4) in the domain of this address."""
    try:
        domain = ascii_domain(sender.rpartition("@")[2])
    except ValueError:
        domain = "batchwise.invalid"  # such an address is refused when it is used; others go on
    return f"<{uuid4()}@{domain}>"
