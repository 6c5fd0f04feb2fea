"""TLS: the password goes to nobody who can't prove to be the server; each cause is told apart."""

from datetime import UTC, datetime

import pytest
import trustme

from accounts.checking import Check, check_account
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.models import SmtpAccount
from config.demo.smtp_server import LocalSmtpServer
from tests.factories import make_account
from tests.odd_server import GREETING, odd_server
from tests.smtp_fixtures import certificate_for

pytestmark = pytest.mark.django_db
PASSWORD = "Xq7-never-shown"
NAMES = ("localhost", "127.0.0.1")


@pytest.fixture
def attempts():
    """The log-ins that servers of the test saw."""
    return []


@pytest.fixture
def serve(attempts):
    """Starts a server with a certificate of this authority for these names."""
    servers = []

    def start(authority: trustme.CA, *names: str, implicit: bool, **options) -> LocalSmtpServer:
        context = certificate_for(authority, *names, **options)
        server = LocalSmtpServer(
            {"me": PASSWORD}, tls=context, implicit=implicit,
            script=lambda phase, login, _: attempts.append(login) if phase == "auth" else None,
        )  # fmt: skip
        servers.append(server)
        return server.__enter__()

    yield start
    for server in servers:
        server.__exit__()


def account_on(server: LocalSmtpServer, security: str, host: str = "localhost") -> SmtpAccount:
    return make_account(port=server.port, host=host, security=security, username="me", password=PASSWORD)


def security_of(implicit: bool) -> str:
    return "tls" if implicit else "starttls"


both_ways = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "tls"])


@both_ways
@pytest.mark.parametrize("host", NAMES)
def test_a_server_with_a_trusted_certificate_is_spoken_to(trusted, serve, attempts, implicit, host):
    server = serve(trusted, *NAMES, implicit=implicit)
    assert check_account(account_on(server, security_of(implicit), host)) == Check(ok=True)
    assert attempts == ["me"]


@both_ways
def test_mail_goes_through_tls_with_a_context_of_the_callers_own(authority, trusting, serve, implicit):
    server = serve(authority, *NAMES, implicit=implicit)
    connection = SmtpConnection(account_on(server, security_of(implicit)), tls_context=trusting)
    connection.open()
    connection.send("news@sender.example", "person1@example.com", b"Subject: Hello\r\n\r\nHi\r\n")
    connection.close()
    assert [received.login for received in server.received] == ["me"]


@both_ways
@pytest.mark.parametrize(
    ("names", "host", "problem"),
    [
        (("other.example",), "localhost", "The certificate of localhost is for another name."),
        (("localhost",), "127.0.0.1", "The certificate of 127.0.0.1 is for another name."),
    ],
)
def test_a_certificate_for_another_name(trusted, serve, attempts, implicit, names, host, problem):
    server = serve(trusted, *names, implicit=implicit)
    found = check_account(account_on(server, security_of(implicit), host))
    assert (found.phase, found.problem) == ("tls", problem)
    assert not attempts


@both_ways
def test_a_certificate_of_nobody_trusted(trusted, serve, attempts, implicit):
    found = check_account(account_on(serve(trustme.CA(), *NAMES, implicit=implicit), security_of(implicit)))
    assert found.phase == "tls"
    assert found.problem == "The certificate of localhost is not signed by anybody trusted here."
    assert "SMTP_CA_FILE" in found.cure
    assert not attempts


@both_ways
def test_a_certificate_that_has_expired(trusted, serve, attempts, implicit):
    past = datetime(2020, 1, 1, tzinfo=UTC)
    server = serve(trusted, *NAMES, implicit=implicit, not_after=past)
    found = check_account(account_on(server, security_of(implicit)))
    assert (found.phase, found.problem) == ("tls", "The certificate of localhost has expired.")
    assert not attempts


def test_tls_on_a_plain_port(trusted, serve, attempts):
    found = check_account(account_on(serve(trusted, *NAMES, implicit=False), "tls"))
    assert found.phase == "tls"
    assert "does not speak TLS from the start" in found.problem
    assert found.cure.startswith("Choose STARTTLS")
    assert not attempts


@pytest.mark.parametrize("security", ["none", "starttls"])
def test_plain_on_a_tls_port(trusted, serve, attempts, security, settings):
    settings.SMTP_TIMEOUT = 2
    found = check_account(account_on(serve(trusted, *NAMES, implicit=True), security))
    assert found.phase == "connect"
    assert "speaks TLS from the start." in found.problem
    assert found.cure.startswith("Choose this security, or port 587")
    assert not attempts


def test_starttls_that_is_stripped_ends_before_the_password(attempts):
    with LocalSmtpServer(
        {"me": PASSWORD}, script=lambda phase, login, _: attempts.append(login) if phase == "auth" else None
    ) as server:
        found = check_account(account_on(server, "starttls"))
    assert (found.phase, found.problem) == (
        "tls", f"localhost does not offer STARTTLS on port {server.port}."
    )  # fmt: skip
    assert "don't send the password" in found.cure
    assert not attempts


@pytest.mark.parametrize("extra", [b"", b"250-odd\r\n250 AUTH PLAIN\r\n235 welcome\r\n"])
def test_what_was_said_before_tls_counts_for_nothing(authority, trusting, extra):
    """CVE-2011-0411: replies sent in clear, ahead of TLS, must not be taken for the server's."""
    context = certificate_for(authority, *NAMES)
    heard = []

    def talk(caller):
        caller.sendall(GREETING)
        heard.append(caller.recv(65536))
        caller.sendall(b"250-odd\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
        heard.append(caller.recv(65536))
        caller.sendall(b"220 go\r\n" + extra)
        with context.wrap_socket(caller, server_side=True) as secured:
            heard.append(secured.recv(65536))
            secured.sendall(b"250 odd\r\n")
            heard.append(secured.recv(65536))

    with odd_server(talk) as port:
        account = make_account(
            port=port, host="127.0.0.1", security="starttls", username="me", password=PASSWORD
        )
        with pytest.raises(SmtpFailure):
            SmtpConnection(account, timeout=5, tls_context=trusting).open()
    assert not any(b"AUTH" in line for line in heard)


def test_a_file_of_authorities_that_is_not_there_is_told(settings):
    settings.SMTP_CA_FILE = "/nowhere/authorities.pem"
    with LocalSmtpServer() as server:
        found = check_account(account_on(server, "tls"))
    assert (found.phase, found.problem) == ("tls", "SMTP_CA_FILE can't be used: No such file or directory.")
    assert found.cure == "Correct SMTP_CA_FILE, or leave it empty."
