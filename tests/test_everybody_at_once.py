"""Workers, jobs and staff at once, over connections and sessions that break: nothing lost, doubled, over."""

import logging
import os
import random
import re
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import Error, connection
from django.db.models import Sum

from accounts.models import SmtpAccount
from campaigns import actions as campaign_actions
from campaigns.models import Campaign
from config.demo.smtp_server import Action, LocalSmtpServer
from sending import actions, retry, settle
from sending.dispatch import dispatch
from sending.models import Batch, Pacing, QueuedEmail, SendLog, Tally
from sending.sender import send_batch
from sending.suppression import suppress, unsuppress
from tests.cluster import wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db(transaction=True)
# RACE_MAILS=700 RACE_SEED=3 pytest ...: longer, and another course of things.
MAILS, SEED = int(os.environ.get("RACE_MAILS", 120)), os.environ.get("RACE_SEED", "7")
LEASE, PEOPLE, CAMPAIGNS = 2, 300, 4
LIMIT, LOWERED = 150, 100
USERS = {f"u{n}": f"secret{n}" for n in range(5)}
# phase, share of the times, answer; SLOW outlasts time-out and lease.
ANSWERS: list[tuple[str, float, str | Action]] = [
    ("connect", 0.01, Action.DROP),
    ("mail", 0.01, "451 4.3.0 Later"),
    ("rcpt", 0.02, "450 4.2.1 Busy"),
    ("rcpt", 0.02, "550 5.2.1 No"),
    ("rcpt", 0.01, Action.DROP),
    ("rcpt", 0.005, "550 5.4.5 Daily user sending limit exceeded"),
    ("data", 0.01, Action.SLOW),
    ("dot", 0.01, "554 5.6.0 No"),
    ("dot", 0.01, "451 4.3.0 Later"),
    ("dot", 0.02, Action.DROP),
    ("dot", 0.03, Action.KEEP_AND_DROP),
    ("dot", 0.02, Action.SLOW),
]
END_A_SESSION = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s) ORDER BY random() LIMIT 1
"""


class World:
    """What happens at once, each deed in a thread and a session of its own, until so many mails arrived."""

    def __init__(self, server: LocalSmtpServer) -> None:
        self.server = server
        self.again: Counter[int] = Counter()  # mails that a person sent again, which may double them
        self.problems: list[str] = []
        self.ended = threading.Event()
        self.spared = connection.connection.info.backend_pid

    def run(self) -> None:
        deeds = [*[self.send] * 4, *[self.staff] * 2, self.tend, self.resolve, self.mend_accounts, self.cut]
        threads = [
            threading.Thread(target=self._repeat, args=(deed, random.Random(f"{SEED} {number}")))
            for number, deed in enumerate(deeds)
        ]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: len(self.server.received) >= MAILS, 120)
        finally:
            self.ended.set()
        for thread in threads:
            thread.join()

    def _repeat(self, deed: Callable[[random.Random], None], rng: random.Random) -> None:
        while not self.ended.wait(rng.uniform(0, 0.1)):
            try:
                deed(rng)
            except campaign_actions.Refused:
                continue
            except Error as error:  # its session was ended; all else is ours
                if "terminat" not in str(error) and "closed" not in str(error):
                    self.problems.append(f"{deed.__name__}: {error}")
                connection.close()
            except Exception as error:
                self.problems.append(f"{deed.__name__}: {error!r}")
        connection.close()

    def send(self, rng: random.Random) -> None:
        dispatch()
        batch = Batch.objects.filter(started=None, finished=None).order_by("?").first()
        if batch:
            send_batch(batch.pk)

    def tend(self, rng: random.Random) -> None:
        settle.recover()
        actions.cancel_leftovers()
        settle.compact_tally()
        retry.retry_due()

    def staff(self, rng: random.Random) -> None:
        campaign = rng.choice(list(Campaign.objects.all()))
        address = f"person{rng.randint(1, PEOPLE)}@example.com"
        deeds: list[Callable[[], object]] = [
            lambda: campaign_actions.pause_campaign(campaign),
            *[lambda: campaign_actions.resume_campaign(campaign)] * 5,
            lambda: campaign_actions.retry_failed(campaign),
            lambda: campaign_actions.queue_campaign(campaign),
            lambda: suppress(address, "manual"),
            lambda: unsuppress(address),
            lambda: Pacing.objects.update(
                scope=rng.choice(["all", "account"]), batch_size=rng.choice([3, 9])
            ),
        ]
        if rng.random() < 0.005:
            campaign_actions.cancel_campaign(campaign)
        rng.choice(deeds)()

    def resolve(self, rng: random.Random) -> None:
        mails = list(QueuedEmail.objects.filter(status="uncertain").values_list("pk", flat=True))
        for pk in rng.sample(mails, len(mails) // 3):
            if rng.random() < 0.5:
                actions.resolve_as_sent([pk])
            else:
                self.again[pk] += 1  # first: it may go out at once
                self.again[pk] -= 1 - actions.resolve_by_resending([pk])

    def mend_accounts(self, rng: random.Random) -> None:
        SmtpAccount.objects.exclude(pause_reason="").update(pause_reason="", paused_until=None)
        SmtpAccount.objects.filter(name=rng.choice(list(USERS))).update(
            daily_limit=rng.choice([LIMIT, LOWERED])
        )

    def cut(self, rng: random.Random) -> None:
        if rng.random() < 0.2:
            with connection.cursor() as cursor:
                cursor.execute(END_A_SESSION, [self.spared])


@pytest.fixture
def quiet():
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def answers() -> Callable[[str, str, str], str | Action | None]:
    rng = random.Random(SEED)

    def script(phase: str, login: str, rcpt: str) -> str | Action | None:
        roll = rng.random()
        for at, share, answer in ANSWERS:
            if at == phase and roll < share:
                return answer
            roll -= share if at == phase else 0
        return None

    return script


def test_whoever_meets_whom_nothing_is_lost_doubled_or_over_a_limit(settings, quiet):
    settings.BATCH_LEASE, settings.SMTP_TIMEOUT = LEASE, 0.5
    with LocalSmtpServer(USERS, script=answers()) as server:
        server.slowness = LEASE + 0.5
        for name, password in USERS.items():
            make_account(name, port=server.port, username=name, password=password, daily_limit=LIMIT)
        set_pace(max_retries=2)
        people = make_list(PEOPLE)
        for number in range(CAMPAIGNS):
            campaign_actions.queue_campaign(make_campaign(people, name=f"News {number}"))
        world = World(server)
        world.run()
        Batch.objects.update(lease="2020-01-01T00:00Z")
        settle.recover()
        received = list(server.received)
    assert world.problems == []

    mails = {mail.message_id: mail for mail in QueuedEmail.objects.exclude(message_id="")}
    copies = Counter(re.search(rb"(?m)^Message-ID: (\S+)", one.raw)[1].decode() for one in received)
    doubled = [mails[key].pk for key, count in copies.items() if count > 1 + world.again[mails[key].pk]]
    assert doubled == []
    forgotten = [mails[key] for key in copies if mails[key].status not in ("sent", "uncertain")]
    assert [mail.pk for mail in forgotten if not world.again[mail.pk]] == []
    proven = set(SendLog.objects.filter(outcome="sent", code=250).values_list("queued_email", flat=True))
    assert proven <= {mails[key].pk for key in copies}

    assert [login for login, count in Counter(one.login for one in received).items() if count > LIMIT] == []
    rows = QueuedEmail.objects.values_list("campaign", "account", "status")
    tally = Tally.objects.values_list("campaign", "account", "status").annotate(n=Sum("count"))
    assert {tuple(key): n for *key, n in tally if n} == Counter(rows)
    assert not QueuedEmail.objects.filter(status="sending").exists()
