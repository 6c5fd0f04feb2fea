"""A batch over a real SMTP server: what is sent, what is logged, what follows from a refusal."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Campaign, Contact
from config.demo.smtp_server import Action, LocalSmtpServer
from sending.dispatch import dispatch
from sending.models import Batch, QueuedEmail, SendLog, Suppression
from sending.sender import send_batch
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db


class Scripted:
    """Answers by phase and recipient: {("rcpt", "person2@example.com"): "550 5.1.1 No such user"}."""

    def __init__(self):
        self.answers = {}

    def __call__(self, phase, login, rcpt):
        return self.answers.get((phase, rcpt)) or self.answers.get((phase, login))


@pytest.fixture
def script():
    return Scripted()


@pytest.fixture
def server(script):
    with LocalSmtpServer({"one": "secret1", "two": "secret2"}, script=script) as server:
        yield server


@pytest.fixture
def accounts(server):
    set_pace()
    return [
        make_account(name, port=server.port, username=name, password=f"secret{n}")
        for n, name in enumerate(("one", "two"), start=1)
    ]


def send(count=6, **fields) -> Batch:
    """Queues a campaign for so many, dispatches and sends one batch."""
    actions.queue_campaign(make_campaign(make_list(count), **fields))
    dispatch()
    batch = Batch.objects.latest("id")
    send_batch(batch.pk)
    batch.refresh_from_db()
    return batch


def states():
    return list(QueuedEmail.objects.order_by("id").values_list("status", flat=True))


def received(server):
    return [record.rcpt for record in server.received]


def test_a_batch_goes_out_in_order_over_all_accounts_with_one_log_in_each(server, accounts):
    logins = []
    server.script = lambda phase, login, rcpt: logins.append(login) if phase == "auth" else None
    batch = send(6)
    assert received(server) == [f"person{n}@example.com" for n in range(1, 7)]
    assert [record.login for record in server.received] == ["one", "two"] * 3
    assert len(logins) <= 2
    assert states() == ["sent"] * 6
    assert (batch.sent, batch.failed, batch.size) == (6, 0, 6)
    assert SendLog.objects.filter(outcome="sent", code=250).count() == 6


def test_a_batch_of_n_costs_n_ledger_rows_and_for_each_ten_a_constant_number_of_other_statements(
    server, accounts
):
    def statements(count, name):
        actions.queue_campaign(make_campaign(make_list(count, name, name), name=name))
        long_ago = "2020-01-01T00:00Z"
        Batch.objects.update(created=long_ago, started=long_ago, finished=long_ago)
        dispatch()
        with CaptureQueriesContext(connection) as captured:
            send_batch(Batch.objects.latest("id").pk)
        inserts = [q for q in captured if "INSERT INTO sending_sendlog" in q["sql"]]
        return len(inserts), len(captured) - len(inserts)

    set_pace(batch_size=40)
    few, ten, twenty, forty = (statements(count, f"of{count}-") for count in (2, 10, 20, 40))
    assert [few[0], ten[0], twenty[0], forty[0]] == [2, 10, 20, 40]
    assert few[1] == ten[1]
    assert twenty[1] - ten[1] == (forty[1] - twenty[1]) / 2 <= 6


def test_the_log_line_says_what_was_sent_and_what_is_left(server, accounts, caplog):
    caplog.set_level("INFO")
    send(25)
    assert "Batch sent: 10 emails, 0 failures. Queue remaining: 15" in caplog.text
    assert "secret" not in caplog.text
    assert "person1@" not in caplog.text


def test_the_log_line_and_the_batch_tell_failures_from_what_is_tried_again_or_uncertain(
    server, accounts, script, caplog
):
    caplog.set_level("INFO")
    script.answers["rcpt", "person1@example.com"] = "550 5.1.1 No such user"
    script.answers["rcpt", "person2@example.com"] = "450 4.2.1 Busy"
    script.answers["rcpt", "person3@example.com"] = "450 4.2.1 Busy"
    script.answers["dot", "person5@example.com"] = Action.KEEP_AND_DROP
    batch = send(6)
    told = "Batch sent: 2 emails, 1 failure, 2 to be tried again, 1 uncertain. Queue remaining: 2"
    assert told in caplog.text
    assert (batch.sent, batch.failed, batch.retried, batch.uncertain) == (2, 1, 2, 1)


def test_a_mail_that_was_tried_often_enough_is_a_failure(server, accounts, script, caplog):
    caplog.set_level("INFO")
    set_pace(max_retries=0)
    script.answers["rcpt", "person1@example.com"] = "450 4.2.1 Busy"
    send(2)
    assert "Batch sent: 1 email, 1 failure. Queue remaining: 0" in caplog.text


def test_a_second_wake_up_of_the_same_batch_sends_nothing(server, accounts):
    batch = send(3)
    assert "started before" in send_batch(batch.pk)
    assert len(server.received) == 3


def test_an_unknown_recipient_fails_alone_and_is_suppressed(server, accounts, script):
    script.answers["rcpt", "person2@example.com"] = "550 5.1.1 No such user"
    batch = send(4)
    assert states() == ["sent", "failed", "sent", "sent"]
    assert (batch.sent, batch.failed) == (3, 1)
    assert Suppression.objects.get().email == "person2@example.com"
    assert QueuedEmail.objects.get(status="failed").last_reply == "550 5.1.1 No such user"


def test_a_daily_limit_pauses_the_account_and_costs_its_mails_nothing(server, accounts, script, caplog):
    caplog.set_level("INFO")
    for n in (1, 3, 5):
        script.answers["dot", f"person{n}@example.com"] = "550 5.4.5 Daily user sending limit exceeded"
    send(6)
    assert states() == ["pending", "sent", "pending", "sent", "pending", "sent"]
    assert set(QueuedEmail.objects.filter(status="pending").values_list("attempts", flat=True)) == {0}
    assert "Batch sent: 3 emails, 0 failures, 3 returned to the queue. Queue remaining: 3" in caplog.text
    one = SmtpAccount.objects.get(name="one")
    assert one.paused_until > timezone.now()
    assert "daily limit" in one.pause_reason
    assert SendLog.objects.filter(account=one).count() == 1  # its other mails were not even tried


def test_a_code_means_what_the_account_s_provider_means_by_it(server, accounts, script):
    SmtpAccount.objects.filter(name="one").update(provider="workspace")
    for n in (1, 2):  # RFC 3463 has 5.4.5 for a congested network; for Google it is the daily limit
        script.answers["dot", f"person{n}@example.com"] = "550 5.4.5 Refus"
    send(2)
    assert states() == ["pending", "failed"]
    assert SmtpAccount.objects.get(name="one").is_paused
    assert not SmtpAccount.objects.get(name="two").is_paused


def test_a_wrong_password_pauses_the_account_until_it_is_mended_and_the_other_sends_on(server, accounts):
    SmtpAccount.objects.filter(name="one").update(username="one")
    one = SmtpAccount.objects.get(name="one")
    one.password = "wrong"
    one.save()
    send(4)
    assert states() == ["pending", "sent", "pending", "sent"]
    one.refresh_from_db()
    assert one.is_paused
    assert one.paused_until is None
    assert "wrong" in one.pause_reason
    assert "secret" not in one.pause_reason


def test_a_host_that_is_away_rests_its_account_and_the_other_sends_on(server, accounts):
    SmtpAccount.objects.filter(name="two").update(port=9)
    send(4)
    assert states() == ["sent", "pending", "sent", "pending"]
    assert SmtpAccount.objects.get(name="two").is_paused


def test_a_connection_lost_before_the_final_dot_is_tried_again(server, accounts, script):
    from config.demo.smtp_server import Action

    script.answers["rcpt", "person1@example.com"] = Action.DROP
    send(2)
    assert states() == ["retry", "sent"]


def test_a_connection_lost_after_the_final_dot_is_uncertain_and_not_sent_again(server, accounts, script):
    from config.demo.smtp_server import Action

    script.answers["dot", "person1@example.com"] = Action.KEEP_AND_DROP
    send(2)
    assert states() == ["uncertain", "sent"]
    assert received(server).count("person1@example.com") == 1


def test_a_row_that_cannot_be_rendered_fails_alone(server, accounts):
    actions.queue_campaign(make_campaign(make_list(3)))
    Contact.objects.get(email="person2@example.com").delete()
    dispatch()
    send_batch(Batch.objects.get().pk)
    assert states() == ["sent", "failed", "sent"]


def test_an_error_between_two_mails_leaves_nothing_uncertain(server, accounts, settings):
    """A composer that is missing can't be in the middle of a mail."""
    settings.SENDING_COMPOSER = "tests.test_sender.missing"
    with pytest.raises(ImportError):
        send(3)
    assert states() == ["pending"] * 3
    assert received(server) == []


def test_three_content_refusals_in_a_row_pause_the_campaign_and_the_rest_goes_back(server, accounts, script):
    for n in range(1, 6):
        script.answers["dot", f"person{n}@example.com"] = "550 5.7.1 Message rejected as spam"
    send(6)
    assert states() == ["failed"] * 3 + ["pending"] * 3
    campaign = Campaign.objects.get()
    assert campaign.status == "paused"
    assert "spam" in campaign.pause_reason


def test_a_worker_that_froze_before_it_handed_back_sends_nothing_more(server, accounts, script, monkeypatch):
    """While it was frozen, recovery made the first unlogged mail uncertain and gave the others back."""
    from sending import settle

    def freeze_past_the_lease(*args):
        Batch.objects.update(lease="2020-01-01T00:00Z")
        settle.recover()
        return hand_back(*args)

    hand_back = settle.hand_back_account
    monkeypatch.setattr(settle, "hand_back_account", freeze_past_the_lease)
    script.answers["rcpt", "person1@example.com"] = "421 4.7.0 Try again later"
    send(6)
    assert received(server) == []
    assert Counter(states()) == {"pending": 4, "uncertain": 1, "retry": 1}


def test_an_account_that_is_slower_than_the_lease_rests_all_the_same(server, accounts, monkeypatch):
    """Else it would be dealt first for ever, since it uses nothing up."""
    from accounts.connection import SmtpConnection
    from sending import settle

    def open_slowly(self):
        Batch.objects.update(lease="2020-01-01T00:00Z")
        settle.recover()
        connect(self)

    connect = SmtpConnection.open
    monkeypatch.setattr(SmtpConnection, "open", open_slowly)
    SmtpAccount.objects.filter(name="one").update(port=9)
    send(4)
    assert SmtpAccount.objects.get(name="one").is_paused
    assert states() == ["pending"] * 4


def test_a_batch_with_no_time_left_for_its_delay_gives_the_rest_back(server, accounts, settings):
    settings.BATCH_BUDGET = 5
    set_pace(delay=299)
    send(3)
    assert states() == ["sent", "pending", "pending"]


def test_a_worker_told_to_stop_gives_the_rest_back(server, accounts):
    from sending import drain

    def stop_at_third(phase, login, rcpt):
        if phase == "dot" and rcpt == "person3@example.com":
            drain.stopping.set()

    server.script = stop_at_third
    try:
        send(6)
    finally:
        drain.stopping.clear()
    assert states() == ["sent"] * 3 + ["pending"] * 3


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_smtp_talks(server, accounts):
    import psycopg

    seen = []

    def look(*_):
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as own:
            open_ones = own.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
            seen.append(open_ones.fetchone()[0])

    server.script = look
    send(2)
    assert seen
    assert set(seen) == {0}


def test_a_second_wake_up_while_the_first_is_at_work_sends_nothing(server, accounts):
    actions.queue_campaign(make_campaign(make_list(2)))
    dispatch()
    batch = Batch.objects.get()
    Batch.objects.update(started=timezone.now(), token="0" * 32)
    assert "started before" in send_batch(batch.pk)
    assert received(server) == []
    assert states() == ["sending"] * 2


def test_a_worker_that_is_cut_as_its_mail_was_just_taken_over_leaves_it_uncertain(
    server, accounts, monkeypatch
):
    from accounts.connection import SmtpConnection
    from sending import drain

    def send_and_be_cut(self, *args, **options):
        hand_over(self, *args, **options)
        drain.stopping.set()
        drain.over.set()
        raise drain.Cut

    hand_over = SmtpConnection.send
    monkeypatch.setattr(SmtpConnection, "send", send_and_be_cut)
    try:
        send(3)
    finally:
        drain.stopping.clear()
        drain.over.clear()
    assert received(server) == ["person1@example.com"]
    assert states() == ["uncertain", "pending", "pending"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_batch_was_recovered_while_a_mail_was_in_its_hand_begins_no_other(server, accounts):
    from sending import settle

    def recover():
        Batch.objects.update(lease="2020-01-01T00:00Z")
        settle.recover()
        connection.close()

    def recover_at_the_first(phase, login, rcpt):
        if (phase, rcpt) == ("dot", "person1@example.com"):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(recover).result()

    server.script = recover_at_the_first
    actions.queue_campaign(make_campaign(make_list(4)))
    dispatch()
    assert "was recovered" in send_batch(Batch.objects.get().pk)
    assert received(server) == ["person1@example.com"]
    assert states() == ["sent"] + ["pending"] * 3
