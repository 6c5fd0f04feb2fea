"""The scripted server asks its script in every phase, and does then what it says."""

import pytest

from accounts.connection import SmtpConnection, SmtpFailure
from config.demo.smtp_server import Action
from tests.smtp_fixtures import MAIL, SENDER, TO, account_at


@pytest.fixture
def connection(smtp_server):
    connection = SmtpConnection(account_at(smtp_server.port))
    connection.open()
    yield connection
    connection.close()


def test_the_script_is_asked_in_every_phase_with_login_and_recipient(smtp_server):
    asked = []
    smtp_server.script = lambda *step: asked.append(step)
    connection = SmtpConnection(account_at(smtp_server.port))
    connection.open()
    connection.send(SENDER, TO, MAIL)
    connection.close()
    assert asked == [
        ("connect", "", ""), ("auth", "one", ""), ("mail", "one", ""),
        ("rcpt", "one", TO), ("data", "one", TO), ("dot", "one", TO),
    ]  # fmt: skip


@pytest.mark.parametrize(("answer", "code"), [("451 4.3.0 Later", 451), (Action.DROP, None)])
def test_an_answer_before_354_asks_for_no_message(smtp_server, smtp_script, connection, answer, code):
    smtp_script.answers["data"] = answer
    with pytest.raises(SmtpFailure) as caught:
        connection.send(SENDER, TO, MAIL)
    assert (caught.value.phase, caught.value.code, caught.value.after_dot) == ("data", code, False)
    assert smtp_server.received == []
