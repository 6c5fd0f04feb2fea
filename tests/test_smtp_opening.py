"""Opening a connection: what can go wrong up to the log-in, and in which phase (TLS: test_account_tls.py)."""

import socket
import threading
from contextlib import ExitStack, suppress

import pytest
from django.core.mail.utils import DNS_NAME

from accounts import network
from accounts.clock import steady_time
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.phases import Phase
from config.demo.smtp_server import LocalSmtpServer
from tests.odd_server import GREETING, OFFER, odd_server, says
from tests.smtp_fixtures import MAIL, SENDER, TO, account_at


def failure_of(account, **options) -> SmtpFailure:
    with pytest.raises(SmtpFailure) as caught:
        SmtpConnection(account, **options).open()
    return caught.value


def test_a_server_without_accounts_offers_no_log_in():
    with LocalSmtpServer() as server:
        assert failure_of(account_at(server.port)).phase == Phase.AUTH
        connection = SmtpConnection(account_at(server.port, username="", password=""))
        connection.open()
        connection.send(SENDER, TO, MAIL)
        connection.close()
    assert len(server.received) == 1


def test_a_key_that_is_gone_is_told_as_such(smtp_server, settings):
    account = account_at(smtp_server.port)
    settings.CREDENTIAL_KEYS = ["Ajlxx0KfyhBs6YU8ZPsWEBKNCPPXf5eCLQMmmhwDu3I="]
    failure = failure_of(account)
    assert failure.phase == Phase.AUTH
    assert "CREDENTIAL_KEYS" in failure.text


def test_nobody_listens(smtp_server):
    with LocalSmtpServer() as gone:
        port = gone.port
    failure = failure_of(account_at(port))
    assert (failure.phase, failure.code) == (Phase.CONNECT, None)
    assert "refuses" in failure.text


def test_a_host_that_cannot_exist():
    failure = failure_of(account_at(25, host="no-such-host.invalid"))
    assert (failure.phase, failure.code) == (Phase.CONNECT, None)


def test_a_server_that_turns_us_away_is_quoted(smtp_server, smtp_script):
    smtp_script.answers["connect"] = "421 4.3.2 Too many connections"
    failure = failure_of(account_at(smtp_server.port))
    assert (failure.phase, failure.code, failure.enhanced_code) == (Phase.CONNECT, 421, "4.3.2")


def test_an_address_of_a_family_that_the_kernel_lacks_does_not_keep_us_from_the_others(
    smtp_server, monkeypatch
):
    real = socket.getaddrinfo

    def both(host, port, *args, **options):
        return [(23, socket.SOCK_STREAM, 6, "", (host, port)), *real(host, port, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    connection = SmtpConnection(account_at(smtp_server.port))
    connection.open()
    connection.close()


def test_a_name_server_that_is_away_holds_no_connection_up(smtp_server, monkeypatch):
    """Asked for our own name, for EHLO."""
    monkeypatch.setattr(network, "OWN_NAME_WITHIN", 0.1)
    answered = threading.Event()
    monkeypatch.setattr(DNS_NAME, "get_fqdn", lambda: answered.wait(60))
    connection = SmtpConnection(account_at(smtp_server.port))
    connection.open()
    assert not answered.is_set()
    answered.set()
    connection.close()


@pytest.mark.parametrize("name", ["host", "localhost", "büro.example"])
def test_a_machine_without_a_full_name_says_its_address(monkeypatch, name):
    """Postfix' reject_non_fqdn_helo_hostname refuses each recipient of a bare name."""
    monkeypatch.setattr(DNS_NAME, "get_fqdn", lambda: name)
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    heard: list[bytes] = []

    def talk(client: socket.socket) -> None:
        client.sendall(GREETING)
        heard.append(client.makefile("rb").readline())

    with odd_server(talk) as port:
        failure_of(account_at(port))
    assert heard == [b"ehlo [127.0.0.1]\r\n"]


def test_an_address_that_nobody_answers_at_leaves_the_others_their_time(smtp_server, monkeypatch, settings):
    settings.SMTP_TIMEOUT = 2
    real = socket.getaddrinfo
    ends = steady_time() + 2
    with socket.socket() as hole, ExitStack() as callers:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for _ in range(4):  # until its queue is full: what comes then gets no answer
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            with suppress(BlockingIOError):
                caller.connect(hole.getsockname())
        silent = (socket.AF_INET, socket.SOCK_STREAM, 6, "", hole.getsockname())
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: [silent, *real(*args, **named)])
        sock = network.connect("127.0.0.1", smtp_server.port, lambda: network.seconds_left(ends))
    sock.close()


def test_the_question_whether_a_silent_server_speaks_tls_waits_for_no_name_server(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(60))
    assert not network.speaks_tls("slow.example", 587, timeout=0.1)
    assert not answered.is_set()
    answered.set()


def test_a_log_in_that_is_answered_out_of_sequence_is_none():
    """smtplib takes 503 for success."""
    talk = says(GREETING, b"250-odd\r\n250 AUTH LOGIN\r\n", b"503 5.5.1 Not now\r\n", b"221 Bye\r\n")
    with odd_server(talk) as port:
        failure = failure_of(account_at(port))
    assert (failure.phase, failure.code) == (Phase.AUTH, 503)


def test_a_server_that_passes_over_the_initial_response_gets_it_once_more():
    """RFC 4954 section 4: 334 asks for it."""
    heard: list[bytes] = []

    def talk(client: socket.socket) -> None:
        for line in (GREETING, OFFER, b"334 \r\n", b"235 2.7.0 Welcome\r\n", b"221 Bye\r\n"):
            client.sendall(line)
            heard.append(client.makefile("rb").readline())

    with odd_server(talk) as port:
        connection = SmtpConnection(account_at(port))
        connection.open()
        connection.close()
    assert heard[2] == heard[1].removeprefix(b"AUTH PLAIN ")
    assert heard[3] == b"quit\r\n"
