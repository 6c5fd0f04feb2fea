"""Uncertain mail is looked for in a real Sent folder, and settled by what the looks say."""

import socket
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from campaigns.actions import cancel_campaign
from sending import actions, capacity, jobs, ledger, replies, uncertain
from sending.ledger import Attempt, Hold
from sending.models import Batch, Heartbeat, Pacing, QueuedEmail, SendLog, SentFolderLook
from sending.reconcile import look_now, reconcile
from tests.cluster import wait_for
from tests.factories import make_account, set_pace
from tests.imap_fixtures import USER, imap_of
from tests.queue_rows import make_batch, make_queue, make_sent, queued

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def account(dovecot):
    set_pace()
    return make_account(**imap_of(dovecot))


def make_uncertain(account, age=MINUTE, count=1, campaign=None, **fields):
    """Mails that became uncertain this long ago, with their first attempt counted."""
    mails = make_queue(campaign or queued(), "uncertain", count, account, **{"attempts": 1, **fields})
    for mail in mails:
        Batch.objects.filter(pk=mail.batch_id).update(started=Now(), token="0" * 32, finished=Now() - age)
    return mails


def message(mail):
    return f"From: a@b.example\r\nMessage-ID: {mail.message_id}\r\n\r\nHello\r\n".encode()


@pytest.fixture
def resends(dovecot, account):
    """The account sends again what is not there; its folder has a copy of what it sent before."""
    (earlier,) = make_sent(queued("Earlier"), account, 1, age=30 * MINUTE)
    dovecot.file_sent(USER, message(earlier))
    account.when_unproven = "resend"
    account.save()
    return account


def status(mail):
    return QueuedEmail.objects.get(pk=mail.pk).status


def looks(mail):
    return list(SentFolderLook.objects.filter(queued_email=mail).values_list("found", flat=True))


def pass_time(by):
    """As if so much time had passed since all that has happened."""
    Batch.objects.update(finished=F("finished") - by)
    SentFolderLook.objects.update(at=F("at") - by)


def test_a_mail_in_the_sent_folder_counts_as_sent(dovecot, account):
    there, missing = make_uncertain(account, count=2)
    dovecot.file_sent(USER, message(there))
    done = reconcile()
    assert (done.found, done.not_there, done.unread, done.resent) == (1, 1, 0, 0)
    assert (status(there), status(missing)) == ("sent", "uncertain")
    row = SendLog.objects.get(queued_email=there)
    assert (row.phase, row.outcome, row.text) == ("resolution", "sent", "Found in the Sent folder.")
    assert row.account == account
    assert capacity.look([account.pk])[account.pk].used == 2


def test_it_is_looked_for_after_one_five_and_thirty_minutes_and_then_a_person_decides(account):
    (mail,) = make_uncertain(account, age=timedelta(seconds=50))
    seen = []
    for wait in (0, 15, 60, 180, 60, 60, 1440, 3600):
        pass_time(timedelta(seconds=wait))
        reconcile()
        seen.append(len(looks(mail)))
    assert seen == [0, 1, 1, 2, 2, 2, 3, 3]
    assert looks(mail) == [False] * 3
    assert status(mail) == "uncertain"
    assert uncertain.plans([mail.pk])[mail.pk].next == "hold"


def test_one_that_is_filed_late_is_found_by_a_later_look(dovecot, account):
    (mail,) = make_uncertain(account)
    reconcile()
    dovecot.file_sent(USER, message(mail))
    pass_time(5 * MINUTE)
    reconcile()
    assert (looks(mail), status(mail)) == ([False, True], "sent")


def test_after_a_long_standstill_one_look_decides(account):
    (mail,) = make_uncertain(account, age=timedelta(hours=3))
    reconcile()
    assert uncertain.plans([mail.pk])[mail.pk].next == "hold"


def test_a_look_that_fails_is_told_decides_nothing_and_is_done_again_ever_more_seldom(dovecot, account):
    account.when_unproven = "resend"
    account.save()
    (mail,) = make_uncertain(account, age=31 * MINUTE)
    dovecot.stop()
    seen = []
    for seconds in (0, 50, 15, 280, 30, 1700, 110, 1700, 110):
        pass_time(timedelta(seconds=seconds))
        reconcile()
        seen.append(len(looks(mail)))
    assert seen == [1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert "Nothing listens on 127.0.0.1" in SentFolderLook.objects.last().problem
    assert status(mail) == "uncertain"
    dovecot.start()
    dovecot.file_sent(USER, message(mail))
    pass_time(31 * MINUTE)
    reconcile()
    assert status(mail) == "sent"


def test_what_the_end_of_a_turn_cuts_off_is_no_failed_look_and_goes_first_next_time(settings, monkeypatch):
    set_pace()
    settings.SMTP_TIMEOUT = 2
    monkeypatch.setattr("sending.reconcile.TURN", 3.9)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        imap = {"imap_host": "127.0.0.1", "imap_port": port, "imap_security": "none", "username": USER}
        (first,) = make_uncertain(make_account("one", **imap), age=2 * MINUTE)
        (second,) = make_uncertain(make_account("two", **imap), campaign=queued("Another"))
        reconcile()
        assert (looks(first), looks(second)) == ([None], [])
        reconcile()
    assert (looks(first), looks(second)) == ([None], [None])


def test_looks_that_fail_end_some_day_and_then_a_person_decides(dovecot, account):
    account.when_unproven = "resend"
    account.save()
    (mail,) = make_uncertain(account, age=timedelta(days=2))
    SentFolderLook.objects.bulk_create(
        SentFolderLook(queued_email=mail, batch=mail.batch, at=Now() - timedelta(days=1), problem="No.")
        for _ in range(uncertain.MOST_FAILURES)
    )
    reconcile()
    assert len(looks(mail)) == uncertain.MOST_FAILURES
    assert status(mail) == "uncertain"
    assert uncertain.tell([mail])[mail.pk].what_next == (
        "A person decides: the looks into the Sent folder prove nothing."
    )


def test_an_unproven_mail_is_sent_again_where_the_account_says_so_with_the_same_message_id_and_date(resends):
    (mail,) = make_uncertain(resends, age=29 * MINUTE)
    reconcile()
    assert status(mail) == "uncertain"
    pass_time(2 * MINUTE)
    assert reconcile().resent == 1
    again = QueuedEmail.objects.get(pk=mail.pk)
    assert (again.status, again.batch, again.account) == ("pending", None, None)
    assert (again.message_id, again.dated_at, again.attempts) == (mail.message_id, mail.dated_at, 1)
    row = SendLog.objects.get(queued_email=mail)
    assert (row.phase, row.outcome) == ("resolution", "uncertain")
    assert capacity.look([resends.pk])[resends.pk].used == 1 + 1  # it may have been accepted


class TestAFolderThatKeepsNoCopies:
    """That a mail is not there proves nothing, where nothing is that was surely accepted."""

    @pytest.fixture
    def no_copies(self, account):
        self.earlier = make_sent(queued("Earlier"), account, 3, age=30 * MINUTE)
        account.when_unproven = "resend"
        account.save()
        return account

    def test_nothing_is_sent_again_and_it_is_told_why(self, no_copies):
        (mail,) = make_uncertain(no_copies, age=31 * MINUTE)
        assert reconcile().resent == 0
        assert status(mail) == "uncertain"
        told = uncertain.tell([mail])[mail.pk]
        assert "nor are all emails that were surely accepted last" in told.looked
        assert told.what_next.startswith("Is looked for in the Sent folder")
        assert "copies are not kept" in str(SentFolderLook.objects.get())

    def test_it_is_decided_once_copies_of_the_last_ones_show_that_they_are_kept(self, dovecot, no_copies):
        (mail,) = make_uncertain(no_copies, age=31 * MINUTE)
        reconcile()
        for number, sent in enumerate(self.earlier):
            assert reconcile().resent == 0
            pass_time((6 + 30 * number) * MINUTE)
            dovecot.file_sent(USER, message(sent))
        assert reconcile().resent == 1
        assert status(mail) == "pending"

    def test_after_a_day_of_it_a_person_decides(self, no_copies):
        (mail,) = make_uncertain(no_copies, age=timedelta(days=2))
        SentFolderLook.objects.bulk_create(
            SentFolderLook(queued_email=mail, batch=mail.batch, found=False, problem="No copies.")
            for _ in range(uncertain.MOST_FAILURES)
        )
        assert uncertain.plans([mail.pk])[mail.pk].next == "hold"

    def test_where_a_person_decides_anyway_it_takes_no_longer_than_usual(self, account):
        make_sent(queued("Earlier"), account, 1, age=30 * MINUTE)
        (mail,) = make_uncertain(account, age=31 * MINUTE)
        reconcile()
        told = uncertain.tell([mail])[mail.pk]
        assert told.what_next == "A person decides."
        assert "nor are all emails that were surely accepted last" in told.looked

    def test_the_rule_of_an_account_that_changes_finds_no_proof_in_earlier_looks(self, account):
        (mail,) = make_uncertain(account, age=31 * MINUTE)
        reconcile()
        account.when_unproven = "resend"
        account.save()
        assert reconcile().resent == 0
        assert uncertain.plans([mail.pk])[mail.pk].next == "look"

    def test_copies_of_mail_that_was_sent_long_ago_or_a_moment_ago_show_nothing(self, dovecot, account):
        account.when_unproven = "resend"
        account.save()
        for age in (timedelta(days=3), MINUTE / 2):
            (sent,) = make_sent(queued(str(age)), account, 1, age)
            dovecot.file_sent(USER, message(sent))
        (mail,) = make_uncertain(account, age=31 * MINUTE)
        assert reconcile().resent == 0
        assert "no email was surely accepted lately" in uncertain.tell([mail])[mail.pk].looked


def test_without_an_imap_host_the_rule_holds_after_the_time_of_the_last_look():
    set_pace()
    resends = make_account("a1", when_unproven="resend")
    holds = make_account("a2")
    (early,), (late,), (held,) = (
        make_uncertain(resends, age=29 * MINUTE),
        make_uncertain(resends, age=31 * MINUTE, campaign=queued("Second")),
        make_uncertain(holds, age=timedelta(days=2), campaign=queued("Third")),
    )
    assert reconcile().resent == 1
    assert [status(mail) for mail in (early, late, held)] == ["uncertain", "pending", "uncertain"]
    assert SentFolderLook.objects.count() == 0


def test_a_mail_of_a_cancelled_campaign_is_not_sent_again_but_counts_when_it_is_found(dovecot, resends):
    campaign = queued()
    there, missing = make_uncertain(resends, age=31 * MINUTE, count=2, campaign=campaign)
    dovecot.file_sent(USER, message(there))
    cancel_campaign(campaign)
    reconcile()
    assert (status(there), status(missing)) == ("sent", "uncertain")
    assert actions.resolve_by_resending([missing.pk]) == 0
    assert uncertain.tell([QueuedEmail.objects.get(pk=missing.pk)])[missing.pk].what_next == (
        "A person decides: its campaign is cancelled."
    )


def test_a_mail_that_breaks_the_connection_each_time_is_not_sent_for_ever(resends):
    (mail,) = make_uncertain(resends, age=31 * MINUTE, attempts=Pacing.load().max_retries + 1)
    assert reconcile().resent == 0
    assert status(mail) == "uncertain"


def test_uncertain_again_in_another_batch_is_looked_for_anew(dovecot, resends):
    (mail,) = make_uncertain(resends, age=31 * MINUTE)
    first = mail.batch_id
    reconcile()
    second = make_batch(started=Now(), token="0" * 32, finished=Now())
    again = QueuedEmail.objects.filter(pk=mail.pk)
    again.update(status="uncertain", account=resends, batch=second, position=0, attempts=2)
    assert uncertain.plans([mail.pk])[mail.pk].looks == 0  # those of the first time tell nothing of this one
    # Whoever decided over the first time is too late now.
    assert actions.resolve_as_found({mail.pk: first}) == 0
    assert actions.resend_unproven({mail.pk: first}) == 0
    assert reconcile().not_there == 0  # not due yet
    dovecot.file_sent(USER, message(mail))  # the copy of the first attempt: it was accepted, once
    pass_time(MINUTE)
    reconcile()
    assert status(mail) == "sent"
    assert list(SendLog.objects.filter(queued_email=mail).order_by("id").values_list("batch", "outcome")) == [
        (first, "uncertain"), (second.pk, "sent"),
    ]  # fmt: skip


def test_what_a_person_decided_meanwhile_stays(dovecot, account):
    (mail,) = make_uncertain(account)
    plan = uncertain.plans([mail.pk])[mail.pk]
    actions.resolve_by_resending([mail.pk])
    dovecot.file_sent(USER, message(mail))
    assert actions.resolve_as_found({plan.mail: plan.batch}) == 0
    assert status(mail) == "pending"


def test_what_was_found_is_settled_by_the_next_run_when_this_one_dies_before(account):
    (mail,) = make_uncertain(account)
    SentFolderLook.objects.create(queued_email=mail, batch=mail.batch, found=True)
    assert reconcile().found == 1
    assert status(mail) == "sent"


def test_the_late_truth_of_a_frozen_worker_changes_nothing_once_it_was_found(dovecot, account):
    (mail,) = make_uncertain(account)
    dovecot.file_sent(USER, message(mail))
    reconcile()
    attempt = Attempt(mail.pk, account.pk, "dot", 250, "2.0.0", "OK", replies.SENT, 0.1)
    ledger.record_late_truth(Hold(mail.batch_id, mail.batch.token, 120), attempt)
    assert status(mail) == "sent"
    assert SendLog.objects.count() == 1


def test_the_late_truth_that_comes_first_leaves_nothing_to_look_for(dovecot, account):
    (mail,) = make_uncertain(account)
    attempt = Attempt(mail.pk, account.pk, "dot", 250, "2.0.0", "OK", replies.SENT, 0.1)
    ledger.record_late_truth(Hold(mail.batch_id, mail.batch.token, 120), attempt)
    assert reconcile().found == 0
    assert looks(mail) == []
    assert status(mail) == "sent"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_settle_each_mail_once(dovecot, resends):
    mails = make_uncertain(resends, age=31 * MINUTE, count=20)
    for mail in mails[::2]:
        dovecot.file_sent(USER, message(mail))
    start, done = Barrier(4), []

    def run():
        start.wait()
        try:
            done.append(reconcile())
        finally:
            connection.close()

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.found for one in done) == sum(one.resent for one in done) == 10
    assert {status(mail) for mail in mails[::2]} == {"sent"}
    assert {status(mail) for mail in mails[1::2]} == {"pending"}
    assert SendLog.objects.count() == 20 + 1


@pytest.mark.django_db(transaction=True)
def test_who_settles_locks_the_batch_before_the_mail_as_the_late_truth_does(account):
    (mail,) = make_uncertain(account)

    def settle():
        try:
            actions.resolve_as_found({mail.pk: mail.batch_id})
        finally:
            connection.close()

    def waits():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            return cursor.fetchone()

    thread = Thread(target=settle)
    with transaction.atomic():
        Batch.objects.select_for_update().get(pk=mail.batch_id)
        thread.start()
        wait_for(waits, timeout=10, what="the other one to wait for the batch")
        assert QueuedEmail.objects.select_for_update(nowait=True).get(pk=mail.pk)
    thread.join()
    assert status(mail) == "sent"


def test_looking_now_counts_as_no_step_and_sends_nothing_again(dovecot, resends):
    there, missing = make_uncertain(resends, age=timedelta(seconds=10), count=2)
    dovecot.file_sent(USER, message(there))
    done = look_now([there.pk, missing.pk])
    assert (done.found, done.not_there, done.resent) == (1, 1, 0)
    plan = uncertain.plans([missing.pk])[missing.pk]
    assert (plan.next, plan.at - plan.since) == ("look", MINUTE)


def test_it_is_a_job_with_a_heartbeat(dovecot, account):
    (mail,) = make_uncertain(account)
    dovecot.file_sent(USER, message(mail))
    jobs.reconcile()
    assert Heartbeat.objects.get(job="reconcile").outcome.startswith("1 found in the Sent folder")


@pytest.mark.acceptance
@pytest.mark.django_db(transaction=True)
def test_a_real_cluster_does_it_by_itself(dovecot, account, start_cluster):
    (mail,) = make_uncertain(account)
    dovecot.file_sent(USER, message(mail))
    start_cluster()
    wait_for(lambda: status(mail) == "sent", what="the mail to be found")
    assert SentFolderLook.objects.get().found


def test_it_is_told_in_words_what_is_known_and_what_is_next(dovecot, account):
    (earlier,) = make_sent(queued("Earlier"), account, 1, age=30 * MINUTE)
    dovecot.file_sent(USER, message(earlier))
    (mail,) = make_uncertain(account, age=timedelta(seconds=10), last_reply="The connection was lost.")
    told = uncertain.tell([mail])[mail.pk]
    assert (told.phase, told.last_word, told.looked) == (
        "Not known", "The connection was lost.", "Not looked for yet."
    )  # fmt: skip
    assert told.what_next.startswith("Is looked for in the Sent folder ")
    pass_time(timedelta(hours=1))
    reconcile()
    told = uncertain.tell([mail])[mail.pk]
    assert told.looked.startswith("Looked once, ")
    assert told.looked.endswith(": not there.")
    assert told.what_next == "A person decides."
