"""Opening a connection: TLS is checked and never skipped, log-ins are checked, the password stays in."""

import pytest

from accounts.connection import SmtpConnection, SmtpFailure
from accounts.phases import Phase
from config.demo.smtp_server import LocalSmtpServer
from tests.smtp_fixtures import MAIL, SENDER, TO, USERS, account_at, certificate_for


def failure_of(account, **options) -> SmtpFailure:
    with pytest.raises(SmtpFailure) as caught:
        SmtpConnection(account, **options).open()
    return caught.value


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_trusted_certificate_for_this_host_opens(authority, trusting, security):
    certificate = certificate_for(authority, "127.0.0.1")
    with LocalSmtpServer(USERS, tls=certificate, implicit=security == "tls") as server:
        connection = SmtpConnection(account_at(server.port, security=security), tls_context=trusting)
        connection.open()
        connection.send(SENDER, TO, MAIL)
        connection.close()
    assert server.received[0].login == "one"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_untrusted_certificate_is_refused_before_the_log_in(authority, smtp_script, security):
    certificate = certificate_for(authority, "127.0.0.1")
    asked = []
    with LocalSmtpServer(
        USERS, tls=certificate, implicit=security == "tls", script=lambda *step: asked.append(step[0])
    ) as server:
        failure = failure_of(account_at(server.port, security=security))
    assert failure.phase == Phase.TLS
    assert "certificate" in failure.text
    assert "auth" not in asked


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_for_another_host_is_refused(authority, trusting, security):
    certificate = certificate_for(authority, "other.example")
    with LocalSmtpServer(USERS, tls=certificate, implicit=security == "tls") as server:
        failure = failure_of(account_at(server.port, security=security), tls_context=trusting)
    assert failure.phase == Phase.TLS
    assert "mismatch" in failure.text


def test_the_authorities_of_smtp_ca_file_are_trusted(authority, settings, tmp_path):
    settings.SMTP_CA_FILE = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(settings.SMTP_CA_FILE)
    with LocalSmtpServer(USERS, tls=certificate_for(authority, "127.0.0.1")) as server:
        connection = SmtpConnection(account_at(server.port, security="starttls"))
        connection.open()
        assert connection.is_open
        connection.close()


def test_starttls_that_was_stripped_is_not_skipped(smtp_server, smtp_script):
    asked = []
    smtp_server.script = lambda *step: asked.append(step[0])
    failure = failure_of(account_at(smtp_server.port, security="starttls"))
    assert failure.phase == Phase.TLS
    assert "auth" not in asked


def test_what_was_said_before_starttls_counts_for_nothing(raw_server):
    port = raw_server(
        b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n"
    )
    failure = failure_of(account_at(port, security="starttls"), timeout=5)
    assert failure.phase == Phase.TLS


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
