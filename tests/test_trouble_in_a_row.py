"""Refusals in a row are counted over batches, however short these are, and only when there is trouble."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actions import resume_account
from accounts.models import SmtpAccount
from campaigns.models import Campaign
from config.demo.smtp_server import Action
from sending import effects, settle
from sending.models import QueuedEmail, SendLog, Suppression
from sending.retry import retry_due
from tests.batches import LONG_AGO, accounts_at, people, queue, received, send_all, send_next, states
from tests.factories import set_pace

pytestmark = pytest.mark.django_db

SPAM = "550 5.7.1 Message rejected as spam"


@pytest.fixture(autouse=True)
def accounts(smtp_server):
    set_pace(batch_size=1)
    return accounts_at(smtp_server, "one")


def answers(script, phase: str, what, *numbers: int) -> None:
    for n in numbers:
        script.answers[phase, f"person{n}@example.com"] = what


def send_batches(count: int) -> None:
    for _ in range(count):
        send_next()


def test_the_third_content_refusal_in_a_row_pauses_the_campaign_over_batches_of_one(smtp_script):
    answers(smtp_script, "dot", SPAM, 1, 2, 3, 4)
    queue(5)
    send_batches(5)
    assert states() == ["failed"] * 3 + ["pending"] * 2
    assert "spam" in Campaign.objects.get().pause_reason


def test_a_mail_that_was_taken_in_between_breaks_the_row(smtp_script, smtp_server):
    answers(smtp_script, "dot", SPAM, 1, 2, 4, 5)
    queue(6)
    send_batches(6)
    assert received(smtp_server) == people(3, 6)
    assert Campaign.objects.get().status == "sending"


def test_what_went_back_at_no_cost_does_not_break_the_row(smtp_script):
    answers(smtp_script, "dot", SPAM, 1, 2, 3)
    queue(4)
    send_batches(2)
    smtp_script.answers["mail"] = "451 4.3.0 Later"
    send_batches(1)
    del smtp_script.answers["mail"]
    SmtpAccount.objects.update(pause_reason="", paused_until=None)
    send_batches(2)
    assert states() == ["failed"] * 3 + ["pending"]
    assert Campaign.objects.get().status == "paused"


def test_ten_that_are_refused_at_the_dot_for_no_reason_of_theirs_pause_the_account(smtp_script):
    answers(smtp_script, "dot", "554 5.2.0 Not taken", *range(1, 12))
    set_pace(batch_size=11)
    queue(11)
    send_next()
    assert states() == ["failed"] * 10 + ["pending"]
    assert "refuses one recipient after the other" in SmtpAccount.objects.get().pause_reason


def test_two_connections_lost_in_a_row_rest_the_account_over_batches_of_one(smtp_script):
    answers(smtp_script, "rcpt", Action.DROP, 1)
    answers(smtp_script, "dot", Action.KEEP_AND_DROP, 2)
    queue(4)
    send_batches(4)
    assert states() == ["retry", "uncertain", "pending", "pending"]
    assert SmtpAccount.objects.get().paused_until is not None
    assert "dropping" in SmtpAccount.objects.get().pause_reason


def test_a_reply_in_between_breaks_the_row_of_lost_connections(smtp_script):
    answers(smtp_script, "rcpt", Action.DROP, 1, 3)
    answers(smtp_script, "rcpt", "550 5.1.1 Unknown", 2)
    queue(4)
    send_batches(4)
    assert states() == ["retry", "failed", "retry", "sent"]
    assert not SmtpAccount.objects.get().is_paused


def test_the_ledger_says_whom_a_reply_is_about(smtp_script):
    answers(smtp_script, "dot", SPAM, 1)
    answers(smtp_script, "rcpt", Action.DROP, 2)
    answers(smtp_script, "rcpt", "550 5.1.1 Unknown", 3)
    queue(4)
    send_batches(4)
    scopes = list(SendLog.objects.order_by("id").values_list("scope", flat=True))
    assert scopes == ["content", "connection", "recipient", "none"]


def test_nothing_is_asked_where_there_is_no_trouble():
    queue(1)
    with CaptureQueriesContext(connection) as captured:
        send_next()
    assert not [query["sql"] for query in captured if '"sending_sendlog"."scope"' in query["sql"]]


ABOUT_THE_ACCOUNT = "450 4.7.28 Mail flood detected"


def send_at_once(count: int) -> None:
    """Sends batches, whatever rests."""
    for _ in range(count):
        SmtpAccount.objects.update(pause_reason="", paused_until=None)
        send_next()


def test_a_mail_whose_answer_twice_in_a_row_blames_the_account_lets_others_go_first(smtp_script, smtp_server):
    answers(smtp_script, "rcpt", ABOUT_THE_ACCOUNT, 1)
    queue(3)
    send_at_once(1)
    assert states() == ["pending"] * 3
    send_at_once(3)
    assert states() == ["retry", "sent", "sent"]
    assert received(smtp_server) == people(2, 3)
    assert QueuedEmail.objects.get(status="retry").attempts == 0


def test_a_mail_whose_answer_blames_the_account_for_ever_fails_in_the_end(smtp_script, monkeypatch):
    monkeypatch.setattr(settle, "MOST_RETURNS", 5)
    set_pace(max_retries=2)
    answers(smtp_script, "rcpt", ABOUT_THE_ACCOUNT, 1)
    queue(1)
    assert send_all() == 5 + 2 + 1
    mail = QueuedEmail.objects.get()
    assert (mail.status, mail.attempts) == ("failed", 3)
    assert mail.last_reply == ABOUT_THE_ACCOUNT


def test_what_befell_an_account_before_the_recipient_was_named_is_never_the_mails_fault(
    smtp_script, monkeypatch
):
    monkeypatch.setattr(settle, "MOST_RETURNS", 2)
    smtp_script.answers["mail"] = ABOUT_THE_ACCOUNT
    queue(1)
    send_at_once(6)
    assert states() == ["pending"]
    assert QueuedEmail.objects.get().attempts == 0


def test_another_answer_in_between_breaks_the_row_of_those_that_blame_the_account(smtp_script):
    answers(smtp_script, "rcpt", ABOUT_THE_ACCOUNT, 1)
    queue(1)
    send_at_once(1)
    answers(smtp_script, "rcpt", "450 4.2.1 The mailbox is busy", 1)
    send_at_once(1)
    QueuedEmail.objects.update(next_attempt_at=LONG_AGO)
    retry_due()
    answers(smtp_script, "rcpt", ABOUT_THE_ACCOUNT, 1)
    send_at_once(1)
    assert states() == ["pending"]
    assert QueuedEmail.objects.get().attempts == 1


def refuse(script, reply: str, count: int = 12) -> None:
    """The server says so of each recipient of that many mails, each tried once."""
    script.answers["rcpt"] = reply
    queue(count)
    send_batches(count)


class TestRecipientsRefusedInARow:
    """All alike: it is not about them. Else a whole list would fail, or be suppressed, one by one."""

    STRANGE = "550 Not today, says the server"

    def test_the_tenth_rests_the_account_until_somebody_has_looked(self, smtp_script):
        refuse(smtp_script, self.STRANGE)
        assert states() == ["failed"] * 10 + ["pending"] * 2
        account = SmtpAccount.objects.get()
        assert account.paused_until is None
        assert "one recipient after the other" in account.pause_reason
        assert "Not today" in account.pause_reason
        assert account.pause_phase == "rcpt"  # so a check of the connection does not end it

    def test_one_that_is_taken_in_between_breaks_the_row(self, smtp_script):
        answers(smtp_script, "rcpt", self.STRANGE, *range(1, 10), *range(11, 13))
        queue(12)
        send_batches(12)
        assert SmtpAccount.objects.get().pause_reason == ""

    def test_addresses_that_are_no_more_are_an_old_lists_fault(self, smtp_script):
        refuse(smtp_script, "550 5.1.1 No such user here")
        assert states() == ["failed"] * 12
        assert SmtpAccount.objects.get().pause_reason == ""

    @pytest.mark.parametrize(
        "reply",
        [
            "552 5.2.2 Mailbox full",
            "550 5.1.1 <a@example.com>: Recipient address rejected: undeliverable address: host mx.example"
            "[192.0.2.9] said: 554 5.7.1 Client host [192.0.2.1] blocked (in reply to RCPT TO command)",
            "550 5.7.1 recipient address was suppressed due to customer policy",
            "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
            "553 5.1.3 Invalid address",
            "550 Unrouteable address",
        ],
    )
    def test_words_that_blame_the_recipient_alone_blame_no_account(self, smtp_script, reply):
        refuse(smtp_script, reply)
        assert SmtpAccount.objects.get().pause_reason == ""

    def test_an_account_that_is_said_to_be_disabled_gets_no_recipient_suppressed(self, smtp_script):
        refuse(smtp_script, "550 5.7.1 SMTP access for this account is disabled")
        assert not Suppression.objects.exists()
        assert "one recipient after the other" in SmtpAccount.objects.get().pause_reason

    @pytest.mark.django_db(transaction=True)  # else all has one now()
    def test_rests_that_ended_by_themselves_do_not_break_the_row(self, smtp_script, monkeypatch):
        """Servers end a session with 421 after some errors."""
        monkeypatch.setattr(effects, "SHORT_REST", timedelta(milliseconds=1))
        queue(20)
        for number in range(16):
            smtp_script.answers["rcpt"] = self.STRANGE if number % 4 else "421 4.7.0 Error: too many errors"
            send_batches(1)
        assert "one recipient after the other" in SmtpAccount.objects.get().pause_reason

    @pytest.mark.parametrize("phase", ["rcpt", "data", "dot"])  # the last two, of a proxy before the queue
    def test_not_even_an_old_list_has_thirty_of_them_in_a_row(self, smtp_script, phase):
        smtp_script.answers[phase] = "550 5.1.1 No such user here"
        queue(32)
        send_batches(32)
        assert states() == ["failed"] * 30 + ["pending"] * 2
        account = SmtpAccount.objects.get()
        assert (account.paused_until, account.pause_phase) == (None, phase)
        assert "take them off the suppression list" in account.pause_reason

    def test_a_server_that_takes_none_just_now_is_left_alone_for_a_while(self, smtp_script):
        refuse(smtp_script, "450 4.7.1 Try again later")
        assert states() == ["retry"] * 10 + ["pending"] * 2
        account = SmtpAccount.objects.get()
        assert "takes no recipient just now" in account.pause_reason
        assert account.paused_until is not None

    @pytest.mark.django_db(transaction=True)  # else all has one now()
    def test_who_resumes_it_gives_it_as_many_tries_again(self, smtp_script):
        smtp_script.answers["rcpt"] = self.STRANGE
        queue(22)
        send_batches(10)
        resume_account(SmtpAccount.objects.get().pk)
        send_batches(12)
        assert states() == ["failed"] * 20 + ["pending"] * 2

    def test_a_policy_of_the_recipients_pauses_no_campaign(self, smtp_script):
        refusal = "554 5.7.1 <a@example.com>: Recipient address rejected: Access denied"
        answers(smtp_script, "rcpt", refusal, 1, 2, 3)
        queue(5)
        send_batches(5)
        assert states() == ["failed"] * 3 + ["sent"] * 2
        assert Campaign.objects.get().status == "sending"
