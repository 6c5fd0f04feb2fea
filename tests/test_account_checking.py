"""check_account against real servers: each cause is told in plain words, with what mends it."""

import socket
import threading
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone

from accounts.actions import pause_account
from accounts.checking import CAUSES, Check, check_account, check_accounts, explain
from accounts.connection import SmtpFailure
from accounts.models import SmtpAccount
from accounts.phases import Phase
from config.demo.smtp_server import Action, LocalSmtpServer
from sending.judge import judge
from sending.replies import Pause
from tests.factories import make_account
from tests.odd_server import GREETING, odd_server, says

pytestmark = pytest.mark.django_db
PASSWORD = "Xq7-never-shown"


def check(port: int, script=None, **fields) -> Check:
    log_in = {"username": "me", "password": PASSWORD}
    return check_account(make_account(port=port, **{**log_in, **fields}))


@contextmanager
def scripted(phase: str, answer):
    with LocalSmtpServer(
        {"me": PASSWORD}, script=lambda asked, *_: answer if asked == phase else None
    ) as server:
        yield server


@contextmanager
def plain_server(offer: bytes):
    """A server that answers EHLO with this offer, and nothing else with sense."""
    with odd_server(says(GREETING, offer, b"221 bye\r\n")) as port:
        yield port


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_an_account_that_works_is_fine_and_sends_nothing():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        found = check(server.port)
    assert found == Check(ok=True)
    assert str(found) == "The connection works."
    assert not server.received


def test_a_server_that_wants_no_log_in_is_fine_without():
    with LocalSmtpServer() as server:
        assert check(server.port, username="", password="").ok


def test_an_unknown_host():
    found = check(587, host="no-such-host.invalid")
    assert (found.ok, found.phase) == (False, "connect")
    assert found.problem == "There is no host “no-such-host.invalid”."
    assert "Check its spelling" in found.cure


def test_nobody_listens():
    port = unused_port()
    found = check(port)
    assert (found.phase, found.problem) == ("connect", f"Nothing listens on 127.0.0.1, port {port}.")
    assert "port 587 with STARTTLS" in found.cure


def test_a_server_that_says_nothing(settings):
    settings.SMTP_TIMEOUT = 0.3
    with scripted("connect", Action.STALL) as server:
        found = check(server.port)
    assert found.phase == "connect"
    assert "does not greet as an SMTP server" in found.problem
    assert "firewall" in found.cure


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n", b"* OK IMAP4rev1 ready\r\n"])
def test_something_that_is_no_smtp_server(greeting):
    with odd_server(says(greeting)) as port:
        found = check(port)
    words = greeting.decode().strip()
    assert found.phase == "connect"
    assert found.problem.startswith(f"What answers on 127.0.0.1, port {port}, is no SMTP server (")
    assert words in found.problem


@contextmanager
def full_port():
    """A port that takes no connection, as behind a firewall: its queue of them is full."""
    with socket.socket() as listener, ExitStack() as callers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_nobody_answers_at_all(settings):
    settings.SMTP_TIMEOUT = 0.3
    with full_port() as port:
        found = check(port)
    assert (found.phase, found.problem) == ("connect", f"Nobody answers on 127.0.0.1, port {port}.")
    assert "firewall" in found.cure


def test_a_wrong_password():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        found = check(server.port, password="wrong")
    assert (found.phase, found.problem) == (
        "auth", "127.0.0.1 does not accept user name “me” with this password."
    )  # fmt: skip
    assert found.cure == "Enter the right ones."


@pytest.mark.parametrize("provider", ["gmail", "workspace"])
@pytest.mark.parametrize(
    "reply",
    ["535 5.7.8 Username and Password not accepted", "534 5.7.9 Application-specific password required"],
)
def test_google_wants_an_app_password_and_the_cure_says_how_to_get_one(provider, reply):
    with scripted("auth", reply) as server:
        found = check(server.port, provider=provider)
    assert found.phase == "auth"
    assert "https://myaccount.google.com/apppasswords" in found.cure


@pytest.mark.parametrize(
    ("phase", "reply", "problem", "cure"),
    [
        ("auth", "534 5.7.9 Please", "wants an app password", "instead of the mailbox's own"),
        ("auth", "550 5.7.30 Basic authentication is not supported", "takes no password", "administrator"),
        ("auth", "535 5.7.139 SmtpClientAuthentication is disabled", "turned SMTP AUTH off", "administrator"),
        ("auth", "454 4.7.0 Too many login attempts", "takes no log-in just now: 454 4.7.0", "Wait an hour"),
        (
            "auth",
            "538 5.7.11 Encryption required",
            "lets nobody log in without TLS",
            "Choose STARTTLS or TLS",
        ),
        ("connect", "554 5.7.1 Blocked", "turns this machine away: 554 5.7.1 Blocked", "ask the provider"),
        ("connect", "421 4.3.2 Busy", "turns this machine away: 421 4.3.2 Busy", "Wait a while"),
        ("auth", Action.DROP, "broke off (Log-in)", "Check host, port and security"),
    ],
)
def test_a_refusal_is_told_with_its_cure(phase, reply, problem, cure):
    with scripted(phase, reply) as server:
        found = check(server.port)
    assert (found.ok, found.phase) == (False, phase)
    assert problem in found.problem
    assert cure in found.cure


def test_a_log_in_that_is_not_offered():
    with plain_server(b"250 odd\r\n") as port:
        found = check(port)
    assert (found.phase, found.problem) == ("auth", "127.0.0.1 lets nobody log in without TLS.")


def test_a_way_to_log_in_that_is_not_known():
    with plain_server(b"250-odd\r\n250 AUTH XOAUTH2\r\n") as port:
        found = check(port, provider="microsoft365")
    assert found.problem == "127.0.0.1 offers no log-in with a password."
    assert "administrator to allow SMTP AUTH for this mailbox" in found.cure


def test_a_password_whose_key_is_gone(settings):
    with LocalSmtpServer({"me": PASSWORD}) as server:
        make_account(port=server.port, username="me", password=PASSWORD)
        settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
        found = check_account(SmtpAccount.objects.get())
    assert found.problem == "The stored password can't be decrypted: its key is not in CREDENTIAL_KEYS."
    assert "Enter the password again" in found.cure


def test_rotated_keys_still_decrypt(settings):
    with LocalSmtpServer({"me": PASSWORD}) as server:
        make_account(port=server.port, username="me", password=PASSWORD)
        settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *settings.CREDENTIAL_KEYS]
        assert check_account(SmtpAccount.objects.get()).ok


def test_no_word_of_a_check_tells_the_password():
    for answer in (f"535 5.7.8 Wrong {'x' * 600}", "454 4.7.0 \x1b[31m{how_to}"):
        with scripted("auth", answer) as server:
            found = check(server.port, email=f"a{server.port}@sender.example")
        assert PASSWORD not in repr(found)
        assert str(found).isprintable()


def test_a_pause_until_mended_ends_with_a_check_that_succeeds():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        account = make_account(port=server.port, username="me", password=PASSWORD)
        pause_account(account.pk, "Wrong password.")
        account.refresh_from_db()
        found = check_account(account)
    assert found.resumed
    assert str(found) == "The connection works. The account sends again."
    assert not SmtpAccount.objects.get().is_paused


def test_a_pause_for_a_time_outlasts_a_check_that_succeeds():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        account = make_account(port=server.port, username="me", password=PASSWORD)
        pause_account(account.pk, "Daily limit.", timezone.now() + timedelta(hours=5))
        account.refresh_from_db()
        checked = check_account(account)
    assert (checked.ok, checked.resumed) == (True, False)
    assert str(checked).startswith("The connection works. It rests until ")
    assert SmtpAccount.objects.get().is_paused


@pytest.mark.parametrize("phase", [Phase.RCPT, Phase.DATA, Phase.DOT])
def test_a_pause_for_what_a_check_does_not_try_outlasts_it_and_the_check_says_so(phase):
    with LocalSmtpServer({"me": PASSWORD}) as server:
        account = make_account(port=server.port, username="me", password=PASSWORD)
        pause_account(account.pk, "The server refuses one recipient after the other.", phase=phase)
        account.refresh_from_db()
        found = check_account(account)
    assert not found.resumed
    assert "It stays paused" in str(found)
    assert "resume it" in str(found)
    assert SmtpAccount.objects.get().is_paused


def test_a_pause_for_what_was_said_on_the_way_of_a_check_ends_with_it():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        account = make_account(port=server.port, username="me", password=PASSWORD)
        pause_account(account.pk, "The address is not its own.", phase=Phase.MAIL)
        account.refresh_from_db()
        assert check_account(account).resumed


def test_a_pause_that_only_a_person_ends_is_kept_by_one_that_a_check_would_end():
    account = make_account()
    pause_account(account.pk, "Blocked for spam.", phase=Phase.DOT)
    pause_account(account.pk, "Wrong password.", phase=Phase.AUTH)
    pause_account(account.pk, "Too many log-ins.", timedelta(minutes=5), phase=Phase.AUTH)
    assert SmtpAccount.objects.get().pause_reason == "Blocked for spam."
    pause_account(account.pk, "One recipient after the other.", phase=Phase.RCPT)
    assert SmtpAccount.objects.get().pause_phase == Phase.RCPT


def test_a_pause_that_came_during_the_check_stays():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        account = make_account(port=server.port, username="me", password=PASSWORD)
        pause_account(account.pk, "Wrong password.")
        account.refresh_from_db()
        pause_account(account.pk, "The server does not let this account send.")
        assert not check_account(account).resumed
    assert SmtpAccount.objects.get().is_paused


def test_many_accounts_are_checked_at_a_time_and_each_gets_its_own_answer():
    meet = threading.Barrier(3, timeout=20)

    def at_once(phase, login, rcpt):
        if phase == "auth":
            meet.wait()  # passes only when three log-ins are under way together

    with ExitStack() as stack:
        servers = [stack.enter_context(LocalSmtpServer({"me": PASSWORD}, script=at_once)) for _ in range(3)]
        accounts = [
            make_account(f"a{n}", port=server.port, username="me", password=PASSWORD if n else "wrong")
            for n, server in enumerate(servers)
        ]
        checked = check_accounts(accounts)
    assert [account for account, _ in checked] == accounts
    assert [check.ok for _, check in checked] == [False, True, True]


def test_a_failed_check_leaves_the_pause():
    account = make_account(port=unused_port(), username="me", password=PASSWORD)
    pause_account(account.pk, "Wrong password.")
    account.refresh_from_db()
    assert not check_account(account).ok
    assert SmtpAccount.objects.get().pause_reason == "Wrong password."


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("text", ["", "odd {host} {0}", "50% %s"])
def test_any_failure_has_a_problem_and_a_cure(phase, text):
    account = SmtpAccount(host="smtp.sender.example", provider="nonsense")
    found = explain(account, SmtpFailure(phase, text))
    assert found.problem
    assert found.cure


def test_every_cause_can_be_written():
    account = SmtpAccount(host="smtp.sender.example")
    for cause in CAUSES:
        assert "{" not in (cause.problem + cause.cure).format(
            **dict.fromkeys(("host", "port", "username", "phase", "text", "how_to", "ports"), "x")
        )
    assert explain(account, SmtpFailure(Phase.CONNECT, "never seen")).problem


def test_a_server_that_wants_a_log_in_fails_an_account_without_one_and_leaves_it_paused():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        account = make_account(port=server.port)
        pause_account(account.pk, "needs a log-in")
        account.refresh_from_db()
        checked = check_account(account)
    assert (checked.ok, checked.phase) == (False, Phase.MAIL)
    assert "wants a log-in" in checked.problem
    assert server.received == []
    account.refresh_from_db()
    assert account.is_paused


def test_an_address_that_the_log_in_may_not_use_is_told():
    with scripted("mail", "550 5.7.60 Client does not have permissions to send as this sender") as server:
        checked = check(server.port)
    assert not checked.ok
    assert "does not let this account send from its address" in checked.problem


def test_an_account_whose_log_in_is_refused_rests_until_a_check_works():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        account = make_account(port=server.port, username="me", password="old")
        refused = check_account(account)
        assert str(refused).endswith("Nothing goes out through it until a check works.")
        account.refresh_from_db()
        assert (account.is_paused, account.paused_until) == (True, None)
        assert "does not accept user name “me”" in account.pause_reason
        account.password = PASSWORD
        account.save()
        assert check_account(account).resumed
    account.refresh_from_db()
    assert not account.is_paused


@pytest.mark.parametrize("said", ["too many requests", "generic failure"])
def test_an_account_whose_log_in_is_refused_for_a_while_only_goes_on_as_it_was(
    smtp_server, smtp_script, said
):
    account = make_account(port=smtp_server.port, username="one", password="two")
    smtp_script.answers["auth"] = f"535 5.7.3 Authentication unsuccessful, {said}"
    found = check_account(account)
    assert "takes no log-in just now" in found.problem
    account.refresh_from_db()
    assert not account.pause_reason
    assert judge("auth", 535, "5.7.3", said).pause == Pause.SHORTLY


def test_a_refusal_of_a_password_that_was_changed_meanwhile_pauses_nothing():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        account = make_account(port=server.port, username="me", password="old")
        SmtpAccount.objects.update(password="another")  # after it was read
        found = check_account(account)
    assert found.is_refused
    assert not SmtpAccount.objects.get().is_paused


def test_an_account_that_can_not_be_reached_goes_on_as_it_was():
    check(unused_port())
    assert not SmtpAccount.objects.get().is_paused
