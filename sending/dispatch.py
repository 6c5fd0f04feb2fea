"""The dispatcher: claims the next batch, or says how long there is nothing to claim."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, Sum
from django.db.models.functions import Now
from django_q.tasks import async_task

from accounts.addresses import ascii_domain
from accounts.clock import database_now
from accounts.models import SmtpAccount
from sending import capacity, lanes
from sending.campaign import ORDER, campaign_model
from sending.dealing import Share, deal
from sending.models import Batch, Pacing, QueuedEmail, Tally
from sending.spacing import most_in_a_batch
from sending.suppression import IS_SUPPRESSED

LOCK = 0x62617463  # "batc": Postgres' advisory lock of the dispatcher
LOOK_AHEAD = 500  # rows, once a suppressed address was met
MOST_LOOKS = 10  # ahead, in one dispatch: suppressing takes a while, with all accounts locked
POLL = 0.25  # seconds until another look when another dispatcher or a batch is at work


@dataclass(frozen=True)
class Dispatched:
    """What a look at the queue led to."""

    batches: int
    mails: int
    next_in: float | None  # seconds until there may be more to do; None: nothing waits


@dataclass
class _Looks:
    """How often a dispatch may still look ahead, past mails that it suppresses."""

    left: int = MOST_LOOKS


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
        if seconds := _until_it_opens(pacing):
            return Dispatched(0, 0, seconds)
        accounts = lock_accounts()
        due = lanes.due(pacing, list(accounts))
        looks = _Looks()
        batches = claim(pacing, accounts, due.accounts, looks=looks)
    mails = sum(batch.size for batch in batches)
    if not (mails or looks.left):
        return Dispatched(0, 0, POLL)  # the next mail that goes out may come behind many that don't
    return Dispatched(len(batches), mails, _next_look(pacing, due, mails))


def _lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return cursor.fetchone()[0]


def _somebody_waits() -> bool:
    return campaigns_that_wait().exists()


def _until_it_opens(pacing: Pacing) -> float:
    """Seconds until the sending window opens; 0 where it is open."""
    if pacing.window.is_always_open:
        return 0
    now = database_now()
    opens_at = pacing.window.opens_at(now)
    return max((opens_at - now).total_seconds(), POLL) if opens_at else 0


def _next_look(pacing: Pacing, due: lanes.Due, mails: int) -> float:
    if mails:
        return min(pacing.batch_interval, due.next_in or pacing.batch_interval)
    return max(due.next_in, POLL) if due.next_in is not None else pacing.batch_interval


def lock_accounts() -> dict[int, SmtpAccount]:
    """The accounts that may send now, by id, locked until the transaction ends."""
    # NO KEY: the ledger's foreign keys may still be checked meanwhile.
    usable = SmtpAccount.objects.usable().order_by("id").select_for_update(no_key=True)
    return {account.pk: account for account in usable}


def claim(
    pacing: Pacing,
    accounts: dict[int, SmtpAccount],
    due: set[int],
    moment: datetime | None = None,
    looks: _Looks | None = None,
) -> list[Batch]:
    """Claims batches for those of the locked accounts that are due, as their capacity at the moment is.

    Needs the transaction that locked the accounts, and nothing else: the limits hold without the
    dispatcher's lock, which keeps the pace.
    """
    claims = _claim(pacing, _shares(pacing, accounts, due, moment), looks or _Looks())
    return [_write_batch(accounts, lane, part) for lane, part in _split(pacing, claims)]


def _shares(
    pacing: Pacing, accounts: dict[int, SmtpAccount], due: set[int], moment: datetime | None
) -> dict[int, Share]:
    shares = {}
    for pk, known in capacity.look(due, moment).items() if due else ():
        spaced = most_in_a_batch(accounts[pk], known.spaced_for, pacing.batch_interval)
        bounds = (known.left, pacing.batch_size, spaced)
        room = min(bound for bound in bounds if bound is not None)
        shares[pk] = Share(known.left, room, accounts[pk].minds_log_ins)
    return shares


def _claim(pacing: Pacing, shares: dict[int, Share], looks: _Looks) -> list[Claim]:
    """Claims mails in the order of their campaigns, as far as the batch size and the accounts' shares go."""
    room = sum(share.room for share in shares.values())
    slots = min(room, pacing.batch_size) if pacing.scope == Pacing.Scope.ALL else room
    claims: list[Claim] = []
    for campaign in campaigns_that_wait() if slots else ():
        own = {a.pk for a in campaign.accounts.all()} or set(shares)
        claims += _claim_campaign(campaign.pk, slots - len(claims), shares, own, claims, looks)
        if len(claims) >= slots or not looks.left:  # a later campaign must not go first
            break
    return claims


def _claim_campaign(
    campaign: int,
    slots: int,
    shares: dict[int, Share],
    own: set[int],
    earlier: list[Claim],
    looks: _Looks,
) -> list[Claim]:
    """Claims up to `slots` mails of one campaign on its own accounts; takes them off their shares."""
    usable = {pk: share for pk, share in shares.items() if pk in own and share.room > 0}
    mails = _pick_unsuppressed(campaign, min(slots, sum(share.room for share in usable.values())), looks)
    dealt = deal(len(mails), usable, in_use={claimed.account for claimed in earlier})
    claims = [Claim(mail, account) for mail, account in zip(mails, dealt, strict=True)]
    for claimed in claims:
        shares[claimed.account] = shares[claimed.account].less_one()
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


def _pick_unsuppressed(campaign: int, count: int, looks: _Looks) -> list[int]:
    """Ids of the campaign's next mails, locked; none where no look is left.

    Those suppressed since they were queued end here.
    """
    picked: list[int] = []
    look = count
    while len(picked) < count:
        rows = _pick(campaign, look, after=picked)
        picked += [pk for pk, is_suppressed in rows if not is_suppressed]
        _suppress([pk for pk, is_suppressed in rows if is_suppressed])
        if len(picked) >= count or len(rows) < look or not looks.left:
            break
        looks.left -= 1
        look = LOOK_AHEAD  # where some are suppressed, many may be
    # Before the rest was looked for they don't go: the next batch would come an interval later.
    return picked[:count] if len(picked) >= count or looks.left else []


def _pick(campaign: int, count: int, after: list[int]) -> list[tuple[int, bool]]:
    return list(
        QueuedEmail.objects.filter(campaign=campaign, status=QueuedEmail.Status.PENDING)
        .filter(id__gt=after[-1] if after else 0)
        .order_by("id")
        .annotate(is_suppressed=IS_SUPPRESSED)
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
    accounts = dict.fromkeys(claimed.account for claimed in claims)
    return [(a, [claimed for claimed in claims if claimed.account == a]) for a in accounts]


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
                [claimed.mail for claimed in claims],
                [claimed.account for claimed in claims],
                [message_id(accounts[claimed.account].email) for claimed in claims],
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
