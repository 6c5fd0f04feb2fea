"""A server that quotes the log-in that it refuses: the password must not get into logs that way."""

import base64
import logging
import socket

import pytest

from accounts.connection import SmtpConnection, SmtpFailure
from accounts.reply import MAX_TEXT
from tests.odd_server import GREETING, Talk, listen_for, odd_server
from tests.smtp_fixtures import MAIL, SENDER, TO, USERS, account_at


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


def echo(after_log_in: bytes) -> Talk:
    def talk(client: socket.socket) -> None:
        lines = client.makefile("rb")
        client.sendall(GREETING)
        lines.readline()
        client.sendall(b"250-odd\r\n250 AUTH PLAIN\r\n")
        client.sendall(after_log_in + lines.readline())
        listen_for(client, b"QUIT")

    return talk


def test_a_server_that_echoes_the_log_in_gives_no_part_of_it_away():
    account = {"username": "newsletter@sender.example", "password": "correct-horse-battery-staple"}
    with odd_server(echo(b"")) as port, pytest.raises(SmtpFailure) as caught:
        SmtpConnection(account_at(port, **account)).open()
    assert caught.value.text == "not an SMTP reply"


def test_an_echo_that_comes_after_the_log_in_shows_nothing_either():
    with odd_server(echo(b"235 ok\r\n")) as port:
        connection = SmtpConnection(account_at(port))
        connection.open()
        with pytest.raises(SmtpFailure) as caught:
            connection.send(SENDER, TO, MAIL)
    assert caught.value.text == "the server spoke out of turn"


@pytest.mark.parametrize("before", [MAX_TEXT - 3, MAX_TEXT - 10])
def test_what_is_quoted_where_the_reply_is_cut_gives_no_part_of_it_away(smtp_server, smtp_script, before):
    smtp_script.answers["auth"] = f"535 5.7.8 {'x' * before} {USERS['one']}"
    with pytest.raises(SmtpFailure) as caught:
        SmtpConnection(account_at(smtp_server.port)).open()
    assert set(caught.value.text) <= set("x …")
