"""A worker that loses its database: nothing is sent that can't be recorded, nothing twice, nothing lost."""

import threading

import psycopg
import pytest
from django.db import OperationalError, connection

from accounts.models import SmtpAccount
from campaigns.models import Campaign
from sending import database, settle
from sending.models import Batch, QueuedEmail, SendLog, Suppression
from sending.sender import send_batch
from tests.batches import (
    LONG_AGO,
    accounts_at,
    claim,
    people,
    queue,
    received,
    send,
    send_all,
    send_next,
    states,
)
from tests.cluster import wait_for
from tests.factories import set_pace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def accounts(smtp_server):
    set_pace()
    return accounts_at(smtp_server, "one")


@pytest.fixture
def impatient(monkeypatch):
    """A worker that waits for its database for a moment only."""
    monkeypatch.setattr(database, "PATIENCE", 1.5)


@pytest.fixture
def fault():
    """fault(table, event, what): a real error of PostgreSQL at this event on the table; returns its cure.

    once: only the first time. A sequence counts, since no rollback takes that back.
    """
    made = []

    def cure() -> None:
        for table in made:
            run(f"DROP TRIGGER IF EXISTS fault ON {table}")
        made.clear()

    def cause(table: str, event: str, what: str, *, once: bool) -> None:
        made.append(table)
        condition = "nextval('fault_count') = 1" if once else "true"
        run(f"""
            CREATE OR REPLACE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF {condition} THEN {what}; END IF; RETURN coalesce(NEW, OLD); END $$;
            CREATE TRIGGER fault BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION fault()
        """)

    run("CREATE SEQUENCE IF NOT EXISTS fault_count; ALTER SEQUENCE fault_count RESTART")
    cause.cure = cure
    yield cause
    cure()
    connection.close()  # the test's own may be dead, too
    run("DROP FUNCTION IF EXISTS fault(); DROP SEQUENCE fault_count")


def run(sql: str, **options) -> None:
    """Runs it on a connection of its own."""
    parameters = connection.get_connection_params() | {"cursor_factory": None, **options}
    with psycopg.connect(**parameters, autocommit=True) as own:
        own.execute(sql)


TERMINATED = "PERFORM pg_terminate_backend(pg_backend_pid())"
DISK_FULL = "RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'"


def terminate_others() -> None:
    """What an administrator does, or a failover: all connections to this database end."""
    name = connection.settings_dict["NAME"]
    run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'", dbname="postgres")


def let_nobody_in(yes: bool) -> None:
    run(f"ALTER DATABASE {connection.settings_dict['NAME']} ALLOW_CONNECTIONS {not yes}", dbname="postgres")


@pytest.mark.parametrize("phase", ["connect", "mail", "data", "dot"])
def test_a_backend_that_ends_while_a_mail_is_in_hand_loses_and_repeats_nothing(smtp_server, phase):
    ended = []

    def script(where, login, rcpt):
        if where == phase and not ended:
            ended.append(rcpt)
            terminate_others()

    smtp_server.script = script
    send(4)
    assert ended
    assert received(smtp_server) == people(1, 2, 3, 4)
    assert states() == ["sent"] * 4
    assert SendLog.objects.count() == 4


def test_a_backend_that_ends_again_and_again_loses_and_repeats_nothing(smtp_server):
    smtp_server.script = lambda phase, *_: terminate_others() if phase == "dot" else None
    send(3)
    assert received(smtp_server) == people(1, 2, 3)
    assert states() == ["sent"] * 3


def test_a_database_that_is_away_for_a_while_holds_the_next_mail_up_and_nothing_else(smtp_server, caplog):
    sent_while_away = []

    def come_back():
        wait_for(lambda: "The database is away" in caplog.text)
        sent_while_away.extend(received(smtp_server))
        let_nobody_in(False)

    def script(phase, login, rcpt):
        if (phase, rcpt) == ("dot", "person2@example.com"):
            let_nobody_in(True)
            terminate_others()
            threading.Thread(target=come_back).start()

    smtp_server.script = script
    try:
        send(4)
    finally:
        let_nobody_in(False)
    assert sent_while_away == ["person1@example.com", "person2@example.com"]
    assert received(smtp_server) == people(1, 2, 3, 4)
    assert states() == ["sent"] * 4


WRITES = {
    "the ledger": ("sending_sendlog", "INSERT"),
    "the start": ("sending_batch", "UPDATE OF started"),
    "the lease": ("sending_batch", "UPDATE OF lease"),
    "the hand-back and the settling": ("sending_queuedemail", "UPDATE"),
    "the end of the batch": ("sending_batch", "UPDATE OF finished"),
    "the suppression": ("sending_suppression", "INSERT"),
    "the account's pause": ("accounts_smtpaccount", "UPDATE"),
    "the campaign's pause": ("campaigns_campaign", "UPDATE OF pause_reason"),
}


@pytest.mark.parametrize("what", [TERMINATED, DISK_FULL])
@pytest.mark.parametrize("write", WRITES)
def test_each_write_of_a_worker_survives_a_fault(smtp_server, smtp_script, fault, write, what):
    """The batch needs each kind of write: a suppression, a pause of the campaign and of the account."""
    smtp_script.answers["rcpt", "person1@example.com"] = "550 5.1.1 No such user"
    for n in (2, 3, 4):
        smtp_script.answers["dot", f"person{n}@example.com"] = "550 5.7.1 Message rejected as spam"
    queue(6)
    batch = claim()
    if write == "the account's pause":
        smtp_script.answers["dot", "person2@example.com"] = "421 4.7.0 Too much"
    fault(*WRITES[write], what, once=True)
    told = send_batch(batch.pk)
    assert "Batch sent" in told
    assert Batch.objects.filter(finished=None).count() == 0
    assert Suppression.objects.get().email == "person1@example.com"
    if write == "the account's pause":
        assert SmtpAccount.objects.get().is_paused
        assert states() == ["failed", "retry"] + ["pending"] * 4
    else:
        assert Campaign.objects.get().status == "paused"
        assert states() == ["failed"] * 4 + ["pending"] * 2
    assert not smtp_server.received


def test_a_worker_that_cannot_record_stops_at_once_and_its_mail_is_never_repeated(
    smtp_server, fault, impatient
):
    """A full disk: the first mail was accepted, but nobody can write that down."""
    queue(4)
    batch = claim()
    fault("sending_sendlog", "INSERT", DISK_FULL, once=False)
    with pytest.raises(OperationalError):
        send_batch(batch.pk)
    assert received(smtp_server) == people(1)
    fault.cure()
    assert states() == ["sending"] * 4  # nothing is known yet
    Batch.objects.filter(finished=None).update(lease=LONG_AGO)
    settle.recover()
    assert states() == ["uncertain"] + ["pending"] * 3
    send_all()
    assert states() == ["uncertain"] + ["sent"] * 3
    assert received(smtp_server) == people(1, 2, 3, 4)


def test_a_batch_that_cannot_be_settled_is_settled_by_recovery_as_the_ledger_says(
    smtp_server, fault, impatient
):
    queue(3)
    batch = claim()
    fault("sending_queuedemail", "UPDATE", DISK_FULL, once=False)
    with pytest.raises(OperationalError):
        send_batch(batch.pk)
    fault.cure()
    Batch.objects.filter(finished=None).update(lease=LONG_AGO)
    settle.recover()
    assert states() == ["sent"] * 3
    assert received(smtp_server) == people(1, 2, 3)


def test_a_pause_that_cannot_be_written_stops_the_worker_before_the_next_mail(
    smtp_server, smtp_script, fault, impatient
):
    smtp_script.answers["dot", "person1@example.com"] = "421 4.7.0 Too much"
    queue(3)
    batch = claim()
    fault("accounts_smtpaccount", "UPDATE", DISK_FULL, once=False)
    with pytest.raises(OperationalError):
        send_batch(batch.pk)
    assert not smtp_server.received
    assert states() == ["retry", "pending", "pending"]  # nothing was in its hand: settled at once
    fault.cure()
    del smtp_script.answers["dot", "person1@example.com"]
    send_all()
    assert received(smtp_server) == people(1, 2, 3)


def test_a_batch_whose_mails_cannot_be_read_goes_back_whole(smtp_server, fault, impatient):
    """Nothing was begun, so nothing is uncertain."""
    queue(3)
    batch = claim()
    run("ALTER TABLE campaigns_contact RENAME TO elsewhere")
    try:
        with pytest.raises(Exception, match="campaigns_contact"):
            send_batch(batch.pk)
    finally:
        run("ALTER TABLE elsewhere RENAME TO campaigns_contact")
    assert states() == ["pending"] * 3
    send_next()
    assert states() == ["sent"] * 3
    assert QueuedEmail.objects.filter(attempts=1).count() == 3


def test_a_process_that_froze_in_a_transaction_loses_its_locks_in_time():
    """Else recovery would wait for what a frozen worker, or recoverer, has locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('idle_in_transaction_session_timeout')::interval")
        assert cursor.fetchone()[0].total_seconds() == 30
