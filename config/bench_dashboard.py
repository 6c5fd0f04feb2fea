"""`make bench ARGS="--dashboard"`: what the dashboard costs with ten million mails in the queue.

It fills a database of its own (var/bench) with campaigns that are over, that are sent, and that wait; with
the ledger of three months, so many mails a day as the accounts let out; and with the batches. Then it asks
for the dashboard as a browser does. ARGS="--dashboard 1000000" makes a smaller one; `--explain` prints the
plan of each statement that takes longer than EXPLAINED.
"""

import statistics
import time
from dataclasses import dataclass
from typing import Any

import psutil
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import SmtpAccount
from campaigns.models import Campaign
from sending import settle
from sending.models import Heartbeat

CAMPAIGNS, ACCOUNTS, A_DAY, BATCH = 40, 40, 75_000, 10
SENDING_FROM = 30  # campaigns of this number and above are under way, the ones before are over
ROUNDS = 7
EXPLAINED = 0.010  # seconds

# The state of mail n: of a campaign that is over mostly sent; of one that is sent a third; then pending.
MAILS = """
INSERT INTO sending_queuedemail (campaign_id, email, status, account_id, attempts, message_id, last_reply,
    queued_at, finished_at, next_attempt_at)
SELECT %(first_campaign)s + c, 'person' || n || '@example' || n %% 997 || '.com', state,
    CASE WHEN state IN ('sent', 'failed', 'retry') THEN %(first_account)s + n %% %(accounts)s END,
    CASE WHEN state IN ('sent', 'failed', 'retry') THEN 1 ELSE 0 END,
    CASE WHEN state IN ('sent', 'failed', 'retry') THEN '<' || n || '.bench@sender.example>' ELSE '' END,
    CASE state WHEN 'failed' THEN '550 5.1.1 No such user' WHEN 'retry' THEN '450 4.2.1 Try later'
        ELSE '' END,
    now() - interval '90 days',
    CASE WHEN state NOT IN ('pending', 'retry') THEN now() END,
    CASE WHEN state = 'retry' THEN now() + n %% 300 * interval '1 second' END
FROM (
    SELECT n, c, CASE
        WHEN n %% 100 = 1 THEN 'failed'
        WHEN n %% 200 = 2 THEN 'suppressed'
        WHEN c >= %(sending_from)s AND n %% 300 = 3 THEN 'retry'
        WHEN c = %(sending_from)s - 1 THEN 'cancelled'
        WHEN c < %(sending_from)s OR n %% 3 = 0 THEN 'sent'
        ELSE 'pending' END AS state
    FROM (SELECT n, (n - 1) / (%(rows)s / %(campaigns)s) AS c FROM generate_series(1, %(rows)s) n) numbered
) row
"""
BATCHES = """
INSERT INTO sending_batch (size, sent, failed, created, started, finished, lease, token)
SELECT %(batch)s, %(batch)s, 0, at, at, at, at, gen_random_uuid()
FROM (SELECT now() - n * (%(batch)s * 86400.0 / %(a_day)s) * interval '1 second' AS at
      FROM generate_series(%(attempts)s / %(batch)s + 1, 1, -1) n) b
"""
# One attempt of each mail that was tried; the newest are of the campaigns under way.
LEDGER = """
INSERT INTO sending_sendlog
    (queued_email_id, batch_id, account_id, at, phase, code, enhanced_code, text, outcome, scope, duration)
SELECT id, %(first_batch)s + (n - 1) / %(batch)s, account_id,
    now() - (%(attempts)s - n) * (86400.0 / %(a_day)s) * interval '1 second',
    CASE status WHEN 'sent' THEN 'dot' ELSE 'rcpt' END,
    CASE status WHEN 'sent' THEN 250 WHEN 'failed' THEN 550 ELSE 450 END,
    CASE status WHEN 'sent' THEN '' WHEN 'failed' THEN '5.1.1' ELSE '4.2.1' END,
    '', status, CASE status WHEN 'sent' THEN '' ELSE 'recipient' END, 0.3
FROM (SELECT id, account_id, status, row_number() OVER (ORDER BY id) AS n
      FROM sending_queuedemail WHERE status IN ('sent', 'failed', 'retry')) tried
ORDER BY n
"""
TALLY = """
INSERT INTO sending_tally (campaign_id, account_id, status, count)
SELECT campaign_id, account_id, status, count(*) FROM sending_queuedemail GROUP BY 1, 2, 3
"""


def main(rows: int, *, explain: bool) -> None:
    """Fills the database, which takes some ten minutes for ten million rows, and prints a table.

    Without rows it looks at the database as it is.
    """
    started = time.monotonic()
    if rows:
        fill(rows)
    print(f"Filled in {time.monotonic() - started:.0f} s; {_size()}.\n")
    measure(explain=explain)


def fill(rows: int) -> None:
    """The rows; without indexes and triggers, which are put back for all of them at once."""
    accounts = [
        SmtpAccount.objects.create(
            name=f"Account {n}", email=f"a{n}@sender.example", host="127.0.0.1", port=9, daily_limit=2_000
        )
        for n in range(ACCOUNTS)
    ]
    campaigns = [
        Campaign.objects.create(
            name=f"Campaign {n}", subject="-", text="-", status=_status(n), queued_at=Now()
        )
        for n in range(CAMPAIGNS)
    ]
    values = {
        "rows": rows, "campaigns": CAMPAIGNS, "accounts": ACCOUNTS, "a_day": A_DAY, "batch": BATCH,
        "sending_from": SENDING_FROM,
        "first_campaign": campaigns[0].pk, "first_account": accounts[0].pk,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        indexes = _without_indexes(cursor, "sending_queuedemail", "sending_sendlog", "sending_batch")
        cursor.execute(MAILS, values)
        tried = "SELECT count(*) FROM sending_queuedemail WHERE status IN ('sent', 'failed', 'retry')"
        cursor.execute(tried)
        values["attempts"] = cursor.fetchone()[0]
        cursor.execute(BATCHES, values)
        cursor.execute("SELECT min(id) FROM sending_batch")
        values["first_batch"] = cursor.fetchone()[0]
        cursor.execute(LEDGER, values)
        cursor.execute(TALLY)
        for index in indexes:
            cursor.execute(index)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


def measure(*, explain: bool) -> None:
    """A full render and an unchanged one, as the page asks for them every two seconds."""
    client = Client()
    user, _ = get_user_model().objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client.force_login(user)
    beat = {"at": Now(), "duration": 0.1, "outcome": "10 mails"}
    Heartbeat.objects.update_or_create(job="dispatch", host="bench", defaults=beat)
    settle.compact_tally()
    page, fragment = "/admin/", "/admin/dashboard/?fragment"
    client.get(page)
    print("| dashboard | median of 7 | slowest | of it processor |\n| --- | --- | --- | --- |")
    _row("the whole page", [_timed(client, page)[0] for _ in range(ROUNDS)])
    _row("its figures, something changed", [_timed(client, fragment)[0] for _ in range(ROUNDS)])
    _row("its figures, nothing changed (304)", [_timed_unchanged(client, fragment) for _ in range(ROUNDS)])
    with CaptureQueriesContext(connection) as captured:
        client.get(fragment)
    slowest = sorted(captured.captured_queries, key=lambda query: -float(query["time"]))
    print(f"\n{len(captured)} statements; the slowest:")
    for query in slowest[:8]:
        print(f"  {1000 * float(query['time']):6.0f} ms  {' '.join(query['sql'].split())[:130]}")
    if explain:
        _explain(query["sql"] for query in slowest if float(query["time"]) > EXPLAINED)


def _status(number: int) -> str:
    if number == SENDING_FROM - 1:
        return "cancelled"
    return "paused" if number == CAMPAIGNS - 1 else "sending"


def _without_indexes(cursor: Any, *tables: str) -> list[str]:
    """Drops the indexes that keep no constraint; returns the statements that make them again."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = ANY(%s::regclass[]) AND NOT indisprimary "
        "AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)",
        [list(tables)],
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f"DROP INDEX {name}")
    return [statement for _, statement in found]


@dataclass(frozen=True)
class _Cost:
    """Seconds that passed, and those in which a processor worked for it, here and in PostgreSQL.

    On a busy machine the second figure tells more.
    """

    passed: float
    worked: float


def _timed(client: Client, url: str, etag: str = "") -> tuple[_Cost, Any]:
    backend = _backend()
    before, started = _worked(backend), time.perf_counter()
    response = client.get(url, headers={"If-None-Match": etag} if etag else {})
    return _Cost(time.perf_counter() - started, _worked(backend) - before), response


def _timed_unchanged(client: Client, url: str) -> _Cost:
    """Again while a mail leaves the 24 hours in between, which is a change."""
    etag = ""
    while True:
        cost, response = _timed(client, url, etag)
        if response.status_code == 304:
            return cost
        etag = response["ETag"]


def _backend() -> psutil.Process:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return psutil.Process(cursor.fetchone()[0])


def _worked(backend: psutil.Process) -> float:
    used = backend.cpu_times()
    return time.process_time() + used.user + used.system


def _row(what: str, costs: list[_Cost]) -> None:
    passed = [cost.passed * 1000 for cost in costs]
    worked = statistics.median(cost.worked * 1000 for cost in costs)
    print(f"| {what} | {statistics.median(passed):.0f} ms | {max(passed):.0f} ms | {worked:.0f} ms |")


def _size() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM sending_queuedemail), (SELECT count(*) FROM sending_sendlog), "
            "(SELECT count(*) FROM sending_batch), pg_size_pretty(pg_database_size(current_database()))"
        )
        mails, ledger, batches, size = cursor.fetchone()
    return f"{mails:,} mails, {ledger:,} ledger rows, {batches:,} batches, {size}"


def _explain(statements: Any) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + statement)
            print("\n" + statement.strip() + "\n" + "\n".join(line for (line,) in cursor.fetchall()))
