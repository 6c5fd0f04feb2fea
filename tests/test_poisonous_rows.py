"""A row that can't be sent fails alone, within its retries; the batch goes on, and so does the account."""

import pytest

from accounts.models import SmtpAccount
from campaigns import composing
from campaigns.models import Contact
from config.demo.smtp_server import Action
from sending import messages
from sending.models import QueuedEmail, SendLog
from tests.batches import accounts_at, people, queue, received, send_all, send_next, states
from tests.factories import set_pace

pytestmark = pytest.mark.django_db
POISON = "person2@example.com"


@pytest.fixture(autouse=True)
def accounts(smtp_server):
    set_pace()
    return accounts_at(smtp_server, "one")


def compose_but_for_one(rows):
    """A composer with a fault: it fails at one row, in a way that nobody foresaw."""
    if any(row.email == POISON for row in rows):
        raise KeyError(f"{POISON} has a secret")
    return composing.compose(rows)


def test_a_row_at_which_the_composer_itself_fails_is_retried_and_fails_alone(smtp_server, settings, caplog):
    settings.SENDING_COMPOSER = "tests.test_poisonous_rows.compose_but_for_one"
    queue(4)
    send_next()
    assert states() == ["sent", "retry", "sent", "sent"]
    send_all()
    assert states() == ["sent", "failed", "sent", "sent"]
    assert received(smtp_server) == people(1, 3, 4)
    assert QueuedEmail.objects.get(email=POISON).attempts == 4
    assert "KeyError in" in caplog.text
    assert POISON not in caplog.text


@pytest.mark.parametrize(
    "attributes", [[1, 2], {"first_name": {"a": [1] * 50}}, {"first_name": "x" * 200_000}, {"name": None}]
)
def test_odd_values_of_one_contact_stop_nobody_else(smtp_server, attributes):
    queue(3, subject="Hello {{ first_name | upcase }}", text="{{ first_name.a.b | divided_by: 0 }}")
    Contact.objects.filter(email=POISON).update(attributes=attributes)
    send_all()
    assert set(states()) <= {"sent", "failed"}
    assert len(states()) == 3


def test_a_message_that_cannot_be_built_fails_alone(smtp_server, caplog):
    queue(3)
    QueuedEmail.objects.filter(email=POISON).update(email="person2@ex\x01ample..com")
    send_next()
    assert states() == ["sent", "failed", "sent"]
    assert received(smtp_server) == people(1, 3)
    assert "ample..com" not in caplog.text


def test_an_address_that_crashes_its_server_fails_alone_and_rests_no_account(smtp_server, smtp_script):
    smtp_script.answers["rcpt", POISON] = Action.DROP
    queue(4)
    send_next()
    assert states() == ["sent", "retry", "sent", "sent"]
    assert not SmtpAccount.objects.get().is_paused
    send_all()
    assert states() == ["sent", "failed", "sent", "sent"]
    assert received(smtp_server) == people(1, 3, 4)
    assert SendLog.objects.filter(queued_email__email=POISON).count() == 4
    assert not SmtpAccount.objects.get().is_paused


def test_many_such_addresses_use_up_their_retries_and_the_others_still_go_out(smtp_server, smtp_script):
    for n in (1, 2, 3, 5):
        smtp_script.answers["rcpt", f"person{n}@example.com"] = Action.DROP
    queue(6)
    send_all()
    assert states() == ["failed"] * 3 + ["sent", "failed", "sent"]
    assert received(smtp_server) == people(4, 6)


def test_an_address_that_makes_its_server_end_the_session_politely_fails_alone(smtp_server, smtp_script):
    smtp_script.answers["rcpt", POISON] = "421 4.3.0 Internal error, closing"
    queue(4)
    send_all()
    assert states() == ["sent", "failed", "sent", "sent"]
    assert received(smtp_server) == people(1, 3, 4)


def test_a_fault_that_passes_costs_a_retry_and_not_the_mail(smtp_server, monkeypatch):
    real, calls = messages._content, []

    def content(letter):
        calls.append(letter)
        if len(calls) == 1:
            raise MemoryError
        return real(letter)

    monkeypatch.setattr(messages, "_content", content)
    queue(2)
    send_next()
    assert states() == ["retry", "sent"]
    send_all()
    assert states() == ["sent", "sent"]
