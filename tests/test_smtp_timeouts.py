"""Each phase has its own time, and the lease outlasts the slowest mail."""

import socket
import threading
import time
from contextlib import closing

import pytest
from django.core.checks import run_checks

from accounts import timeouts
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.models import SmtpAccount
from accounts.phases import Phase
from config.demo.smtp_server import Action, LocalSmtpServer
from tests.odd_server import GREETING, listen_for, odd_server
from tests.smtp_fixtures import MAIL, SENDER, TO, USERS, account_at


def account_on(port: int) -> SmtpAccount:
    return SmtpAccount(name="one", host="127.0.0.1", port=port, security="none")


def test_the_table_knows_every_phase_of_a_conversation():
    assert set(timeouts.STEPS) == set(Phase) - {Phase.COMPOSE, Phase.RESOLUTION}
    assert all(step <= timeouts.OPENING for phase, step in timeouts.STEPS.items() if phase in list(Phase)[:3])


def test_by_default_opening_takes_30_s_a_mail_60_s_and_the_answer_to_its_dot_60_s(settings):
    unit = settings.SMTP_TIMEOUT
    assert (timeouts.OPENING * unit, timeouts.MESSAGE * unit, timeouts.STEPS[Phase.DOT] * unit) == (
        30,
        60,
        60,
    )
    assert settings.BATCH_LEASE == 180


def slow(answer_to_dot: float, answer_to_mail: float):
    """A server that takes so many seconds for these answers."""
    answers = (
        (0, GREETING, b"\r\n"), (0, b"250 odd\r\n", b"\r\n"), (answer_to_mail, b"250 ok\r\n", b"\r\n"),
        (0, b"250 ok\r\n", b"\r\n"), (0, b"354 go\r\n", b"\r\n.\r\n"),
        (answer_to_dot, b"250 taken\r\n", b"\r\n"),
    )  # fmt: skip

    def talk(caller: socket.socket) -> None:
        for seconds, reply, end in answers:
            time.sleep(seconds)
            caller.sendall(reply)
            listen_for(caller, end)

    return talk


def outcome(talk, unit: float):
    with odd_server(talk) as port, closing(SmtpConnection(account_on(port), timeout=unit)) as connection:
        connection.open()
        try:
            return connection.send(SENDER, TO, MAIL).code
        except SmtpFailure as failure:
            return failure.phase, failure.after_dot


def test_the_answer_to_the_dot_may_take_what_the_answer_to_mail_may_not():
    assert outcome(slow(answer_to_dot=1, answer_to_mail=0), unit=0.6) == 250
    assert outcome(slow(answer_to_dot=0, answer_to_mail=1), unit=0.6) == (Phase.MAIL, False)


def test_a_slow_mail_leaves_the_answer_to_its_dot_the_whole_of_its_time():
    """Each step but the last is within its own time; together they use up that of the mail."""
    unit = 1.0
    takes = {"mail": 0.6, "rcpt": 0.9, "data": 0.6, "dot": 1.5}
    assert sum(takes.values()) > timeouts.MESSAGE * unit
    with (
        LocalSmtpServer(USERS, script=lambda phase, *_: time.sleep(takes.get(phase, 0) * unit)) as server,
        closing(SmtpConnection(account_at(server.port), timeout=unit)) as connection,
    ):
        connection.open()
        assert connection.send(SENDER, TO, MAIL).code == 250


def test_a_host_with_a_dead_address_is_reached_at_the_next_one(monkeypatch, smtp_server):
    """A name server is the one part that a test can't have here: what it says is what a host has."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        crowd = [socket.socket() for _ in range(4)]
        for caller in crowd:  # its queue is full: a further connection waits for ever
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname()),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", smtp_server.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        with closing(SmtpConnection(account_at(smtp_server.port), timeout=0.5)) as connection:
            connection.open()
            assert connection.is_open
        for caller in crowd:
            caller.close()


def test_a_name_server_that_answers_nothing_is_left(monkeypatch):
    gone = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: gone.wait(20))
    with pytest.raises(SmtpFailure) as failed:
        SmtpConnection(account_on(25), timeout=0.2).open()
    gone.set()
    assert (failed.value.phase, failed.value.text) == (Phase.CONNECT, "The server took too long to answer.")


def test_a_connection_that_the_server_ended_between_two_mails_is_not_open(smtp_server):
    connection = SmtpConnection(account_at(smtp_server.port))
    connection.open()
    connection.send(SENDER, TO, MAIL)
    assert connection.is_open
    smtp_server.script = lambda phase, *_: Action.DROP if phase == "mail" else None
    with pytest.raises(SmtpFailure):
        connection.send(SENDER, TO, MAIL)
    assert not connection.is_open


@pytest.mark.parametrize(
    ("production", "lease", "unit", "expected"),
    [
        (True, 180, 20, []),
        (True, 160, 20, ["sending.E001"]),
        (True, 180, 40, ["sending.E001"]),
        (False, 5, 20, ["sending.W001"]),
        (False, 9, 1, []),
    ],
)
def test_a_lease_that_a_slow_mail_outlasts_is_refused_in_production(
    settings, production, lease, unit, expected
):
    settings.PRODUCTION, settings.BATCH_LEASE, settings.SMTP_TIMEOUT = production, lease, unit
    found = [message for message in run_checks() if message.id.startswith("sending.")]
    assert [message.id for message in found] == expected
    assert all("Set BATCH_LEASE to more than" in message.hint for message in found)
