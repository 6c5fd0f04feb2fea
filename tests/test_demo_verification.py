"""The demonstration's check finds what is lost, doubled or over a limit."""

import pytest

from config.demo import verify
from sending.models import QueuedEmail
from tests.factories import make_account, make_campaign
from tests.queue_rows import make_queue, make_sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail(tmp_path):
    """Two mails sent, in queue and ledger, and received."""
    account = make_account("one", username="one", daily_limit=2)
    make_sent(make_campaign(), account, 2)
    for number, email in enumerate(QueuedEmail.objects.values_list("email", flat=True)):
        receive(tmp_path, email, number)
    return tmp_path


def receive(folder, email, number):
    (folder / f"{number}.eml").write_bytes(
        f"X-Login: one\r\nX-Mail-From: a@sender.example\r\nX-Rcpt-To: {email}\r\n\r\n".encode()
    )


def test_all_is_well_when_mail_ledger_and_queue_agree(mail):
    assert verify.problems(mail, 2) == []


def test_a_lost_mail_is_found(mail):
    (mail / "0.eml").unlink()
    assert verify.problems(mail, 2) == ["1 count as sent and did not arrive"]


def test_a_doubled_mail_is_found_and_one_over_the_limit(mail):
    receive(mail, QueuedEmail.objects.first().email, 2)
    assert verify.problems(mail, 2) == ["1 arrived more than once", "one sent 3, its limit is 2"]


def test_mail_that_nobody_queued_is_found(mail):
    receive(mail, "stranger@example.com", 2)
    assert "1 arrived and do not count as sent" in verify.problems(mail, 2)


def test_a_row_that_left_the_queue_is_found(mail):
    assert verify.problems(mail, 3) == ["3 were queued, 2 are in the queue"]


def test_a_mail_without_its_ledger_row_is_found(mail):
    make_queue(make_campaign(name="Other"), "sent", 1, make_account("two"))
    assert "the ledger knows 2 sent mails, the queue 3" in verify.problems(mail, 3)
