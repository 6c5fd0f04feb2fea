"""What servers say may quote a recipient: staff see it, no log does."""

import pytest

from accounts.models import SmtpAccount
from sending.models import SendLog
from tests.batches import accounts_at, send
from tests.factories import set_pace

pytestmark = pytest.mark.django_db
ADDRESS = "person1@example.com"


@pytest.mark.parametrize(
    ("phase", "reply"),
    [
        ("rcpt", f"454 4.7.1 <{ADDRESS}>: Relay access denied"),
        ("rcpt", f"550 5.1.1 <{ADDRESS}>: no such user"),
        ("rcpt", f"421 4.7.0 {ADDRESS} try again later"),
        ("dot", f"554 5.7.1 spam to {ADDRESS}"),
        ("dot", f"200 hm, {ADDRESS}"),
    ],
)
def test_no_log_has_the_address_that_a_reply_quotes(smtp_server, smtp_script, caplog, capfd, phase, reply):
    caplog.set_level("DEBUG")
    set_pace()
    accounts_at(smtp_server)
    smtp_script.answers[phase, ADDRESS] = reply
    send(2)
    assert ADDRESS in SendLog.objects.get(queued_email__email=ADDRESS).text
    assert "example.com" not in caplog.text + "".join(capfd.readouterr())


def test_staff_see_what_the_server_said_of_an_account_that_is_paused(smtp_server, smtp_script, caplog):
    set_pace()
    accounts_at(smtp_server, "one")
    smtp_script.answers["rcpt"] = f"454 4.7.1 <{ADDRESS}>: Relay access denied"
    send(2)
    reason = SmtpAccount.objects.get().pause_reason
    assert reason.endswith(f"check its settings. (454 4.7.1 <{ADDRESS}>: Relay access denied)")
    assert "check its settings." in caplog.text
