"""A test mail counts against its account's limits, and stops counting only where nothing was accepted."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from accounts.connection import SmtpConnection
from accounts.models import SmtpAccount
from accounts.removal import reasons_against
from config.demo.smtp_server import Action
from sending import capacity, freshness, last_hours
from sending.composer import Letter
from sending.dispatch import dispatch
from sending.models import Suppression, TestMail
from sending.status import queue_status
from sending.testmail import Refused, send_test
from tests.cluster import wait_for
from tests.factories import make_account, set_pace
from tests.queue_rows import make_queue, make_sent, queued
from tests.smtp_fixtures import account_at

pytestmark = pytest.mark.django_db
LETTER = Letter("Spring", "Dear Anna", "<p>Dear Anna", to_name="Anna")
TO = "maria@office.example"
HOUR = timedelta(hours=1)


@pytest.fixture
def account(smtp_server) -> SmtpAccount:
    account = account_at(smtp_server.port, name="one", daily_limit=3)
    account.save()
    return account


def send(account, to=TO, letter=LETTER):
    return send_test(letter, account.pk, to, campaign=None, user=None)


def look(account):
    return capacity.look([account.pk])[account.pk]


def test_it_arrives_marked_as_a_test_and_the_servers_reply_is_told(account, smtp_server):
    told = send(account)
    (mail,) = smtp_server.received
    assert (mail.mail_from, mail.rcpt) == (account.email, TO)
    assert b"Subject: [Test] Spring\r\n" in mail.raw
    assert b"Anna" not in mail.raw.partition(b"\r\n\r\n")[0]  # it isn't to the contact
    assert (told.tone, told.said[:4]) == ("good", "250 ")
    row = TestMail.objects.get()
    assert (row.outcome, row.phase, row.code) == ("sent", "dot", 250)
    assert row.message_id.encode() in mail.raw


def test_it_counts_like_any_other_mail_in_every_window(account):
    SmtpAccount.objects.update(hourly_limit=1, minute_limit=1)
    assert look(account).left == 1
    send(account)
    known = look(account)
    assert (known.used, known.left, known.held_by) == (1, 0, "hour")
    TestMail.objects.update(counts_at=Now() - 2 * HOUR)
    assert (look(account).used, look(account).left) == (1, 1)
    TestMail.objects.update(counts_at=Now() - 25 * HOUR)
    assert look(account).used == 0


def test_with_the_limit_used_up_nothing_is_sent_and_the_reason_told(account, smtp_server):
    make_sent(queued(), account, 2)
    send(account)
    with pytest.raises(Refused, match="has used its 24 h limit; its next mail may go tomorrow"):
        send(account)
    assert len(smtp_server.received) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_enabled": False}, "“one” is disabled"),
        ({"pause_reason": "It needs a new password."}, "“one” is paused: It needs a new password."),
    ],
)
def test_an_account_that_may_not_send_sends_no_test(account, smtp_server, changes, reason):
    SmtpAccount.objects.update(**changes)
    with pytest.raises(Refused, match=reason):
        send(account)
    assert not smtp_server.received
    assert not TestMail.objects.exists()


def test_a_pause_that_is_over_holds_nothing_back(account):
    SmtpAccount.objects.update(pause_reason="The server wanted a rest.", paused_until=Now() - HOUR)
    assert send(account).tone == "good"


@pytest.mark.parametrize("to", ["", "nobody", "a@x.example, b@x.example", "a@x.example\r\nBcc: b@x.example"])
def test_only_one_whole_address_is_taken(account, to):
    with pytest.raises(Refused, match="Enter one address"):
        send(account, to)


def test_a_suppressed_address_gets_nothing(account, smtp_server):
    Suppression.objects.create(email="MARIA@office.example")
    with pytest.raises(Refused, match="suppression list"):
        send(account)
    assert not smtp_server.received


@pytest.mark.parametrize(
    ("phase", "answer", "said"),
    [
        ("rcpt", "550 5.1.1 No such user", "550 5.1.1 No such user"),
        ("mail", "451 4.3.0 Try again later", "451 4.3.0 Try again later"),
        ("dot", "554 5.7.1 Looks like spam", "554 5.7.1 Looks like spam"),
        ("data", Action.DROP, ""),
    ],
)
def test_a_refusal_is_told_and_gives_the_place_back(account, smtp_script, phase, answer, said):
    smtp_script.answers[phase] = answer
    told = send(account)
    assert told.tone == "bad"
    assert said in told.said
    assert TestMail.objects.get().outcome == "refused"
    assert look(account).used == 0
    assert not Suppression.objects.exists()  # one's own address


@pytest.mark.parametrize("action", [Action.KEEP_AND_DROP, Action.KEEP_AND_STALL])
def test_an_unknown_outcome_counts_as_used(account, smtp_script, smtp_server, action, settings):
    settings.SMTP_TIMEOUT = 0.2
    smtp_script.answers["dot"] = action
    told = send(account)
    assert told.tone == "warning"
    assert "may have arrived" in told.text
    assert TestMail.objects.get().outcome == "uncertain"
    assert look(account).used == 1


def test_one_that_nobody_ends_counts_as_late_as_it_can_have_been_handed_over(account):
    send(account)
    TestMail.objects.update(outcome="sending", counts_at=Now() + timedelta(minutes=2))  # its process died
    assert look(account).used == 1
    SmtpAccount.objects.update(minute_limit=1)
    assert look(account).left == 0
    TestMail.objects.update(counts_at=Now() - 23 * HOUR)
    assert (look(account).used, look(account).left) == (1, 1)
    TestMail.objects.update(counts_at=Now() - 25 * HOUR)
    assert look(account).used == 0


def test_a_refused_log_in_says_what_mends_it_and_pauses_the_account_as_any_mail_does(account):
    SmtpAccount.objects.filter(pk=account.pk).update(username="two")
    told = send(account)
    assert "does not accept user name “two” with this password" in told.text
    assert told.said.startswith("535 ")
    account.refresh_from_db()
    assert account.pause_reason.startswith("User name or password is wrong")
    with pytest.raises(Refused, match="is paused"):
        send(account)


def test_a_server_that_is_not_there_is_told_and_pauses_nothing():
    account = make_account(port=9)
    told = send(account)
    assert "Nothing listens on 127.0.0.1, port 9." in told.text
    account.refresh_from_db()
    assert account.pause_reason == ""
    assert look(account).used == 0


def test_a_letter_without_words_is_not_sent(account, smtp_server):
    told = send(account, letter=Letter("Spring", " "))
    assert "would be empty" in told.text
    assert not smtp_server.received
    assert look(account).used == 0


def test_the_spacing_holds_before_and_after_it(account):
    SmtpAccount.objects.update(spacing=900)
    send(account)
    assert look(account).held_by == "spacing"
    with pytest.raises(Refused, match=r"waits for its spacing; its next mail may go (today|tomorrow)"):
        send(account)


def test_no_test_mail_comes_between_the_mails_of_a_batch_that_spaces_them(account):
    SmtpAccount.objects.update(spacing=1)
    make_queue(queued(), "sending", 1, account)
    with pytest.raises(Refused, match="spaces its mails, and sends some just now"):
        send(account)


def test_no_batch_comes_beside_a_test_mail_of_an_account_that_spaces_its_mails(account):
    SmtpAccount.objects.update(spacing=5)
    set_pace(batch_interval=30)
    make_queue(queued(), count=3)
    send(account)
    TestMail.objects.update(outcome="sending", counts_at=Now() + timedelta(minutes=2))  # it is still at it
    assert dispatch().mails == 0
    TestMail.objects.update(outcome="sent", counts_at=Now())
    assert dispatch().mails > 0


def test_the_dashboards_figures_tell_of_it(account):
    before = freshness.version(90)
    send(account)
    assert freshness.version(90) != before
    assert queue_status()["accounts"][0]["used"] == 1
    assert [count for _at, count in last_hours.freed([account.pk])[account.pk]] == [1]


def test_an_account_that_sent_a_test_is_kept_since_it_counts(account):
    send(account)
    assert "What it did is kept (test emails): disable it instead." in reasons_against(account)


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_smtp_talks(account, smtp_script):
    states = []

    def answer(phase, _login, _rcpt):
        if phase == "dot":
            states.append(_in_transaction())
        return

    smtp_script.answers = _Asking(answer)
    connection.ensure_connection()
    send(account)
    assert states == [[]]


@pytest.mark.django_db(transaction=True)
def test_it_counts_from_before_its_first_byte_until_its_end_is_known(account, smtp_script, settings):
    settings.SMTP_TIMEOUT = 1
    smtp_script.answers["mail"] = Action.STALL
    thread = _in_thread(lambda: send(account))
    wait_for(TestMail.objects.exists)
    row = TestMail.objects.get()
    # By then its dot is out or never: 4.5 units (accounts.timeouts), 2 minutes for a suspended host.
    assert row.counts_at - row.started_at == timedelta(seconds=4.5, minutes=2)
    assert look(account).used == 1
    thread.join(30)
    assert TestMail.objects.get().outcome == "refused"
    assert look(account).used == 0


class _Asking:
    """Asks at each phase instead of looking an answer up."""

    def __init__(self, answer):
        self.answer = answer

    def get(self, key):
        return self.answer(*key, "") if isinstance(key, tuple) else None


def _in_transaction() -> list[str]:
    """The statements of this database's sessions that hold a transaction open, but for the asking one."""
    found: list[str] = []

    def ask():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
                " AND xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            found.extend(row[0] for row in cursor.fetchall())

    _in_thread(ask).join(10)
    return found


@pytest.mark.django_db(transaction=True)
def test_many_at_once_never_go_over_the_limit(account, smtp_server):
    outcomes = []

    def one():
        try:
            outcomes.append(send(account).tone)
        except Refused:
            outcomes.append("refused")

    make_sent(queued(), account, 1)
    for thread in [_in_thread(one) for _ in range(12)]:
        thread.join(60)
    assert sorted(outcomes) == ["good"] * 2 + ["refused"] * 10
    assert len(smtp_server.received) == 2
    assert look(account).left == 0


def _in_thread(act) -> threading.Thread:
    def run():
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_one_whose_process_froze_longer_than_it_counts_is_not_handed_over(
    account, smtp_server, monkeypatch, settings
):
    """It would be out later than the limits believe."""

    def open_and_freeze(self):
        open_it(self)
        time.sleep(1)  # more than opening and a mail may take together

    settings.SMTP_TIMEOUT = 0.2
    open_it = SmtpConnection.open
    monkeypatch.setattr(SmtpConnection, "open", open_and_freeze)
    assert send(account).tone == "bad"
    assert not smtp_server.received
