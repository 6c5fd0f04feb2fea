"""A server that quotes the log-in that it refuses: the password must not get into logs that way."""

import base64
import logging

import pytest

from accounts.connection import SmtpConnection, SmtpFailure
from accounts.reply import MAX_TEXT
from tests.smtp_fixtures import USERS, account_at


@pytest.mark.parametrize(
    "quoted",
    [USERS["one"], base64.b64encode(USERS["one"].encode()).decode(),
     base64.b64encode(f"\0one\0{USERS['one']}".encode()).decode()],
)  # fmt: skip
def test_a_server_that_quotes_the_log_in_gives_no_password_away(smtp_server, smtp_script, caplog, quoted):
    smtp_script.answers["auth"] = f"535 5.7.8 bad: {quoted} is wrong"
    caplog.set_level(logging.DEBUG, logger="accounts")
    with pytest.raises(SmtpFailure) as caught:
        SmtpConnection(account_at(smtp_server.port)).open()
    failure = caught.value
    assert failure.text == "bad: … is wrong"
    assert (failure.code, failure.enhanced_code) == (535, "5.7.8")
    for shown in (str(failure), repr(failure), caplog.text):
        assert quoted not in shown


@pytest.mark.parametrize("before", [MAX_TEXT - 3, MAX_TEXT - 10])
def test_what_is_quoted_where_the_reply_is_cut_gives_no_part_of_it_away(smtp_server, smtp_script, before):
    smtp_script.answers["auth"] = f"535 5.7.8 {'x' * before} {USERS['one']}"
    with pytest.raises(SmtpFailure) as caught:
        SmtpConnection(account_at(smtp_server.port)).open()
    assert set(caught.value.text) <= set("x …")
