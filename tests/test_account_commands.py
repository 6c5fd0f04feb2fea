"""manage.py add_account and check_account: what they do, and the sentence with which they refuse."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import SmtpAccount
from config.demo.smtp_server import LocalSmtpServer
from tests.factories import make_account

pytestmark = pytest.mark.django_db
PASSWORD = "Xq7-never-shown"
LOCAL = ("--host", "127.0.0.1", "--port", "2525", "--security", "none")


@pytest.fixture(autouse=True)
def password_variable(monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("NO_UTF8", "\udcff")
    monkeypatch.delenv("NOT_SET", raising=False)


def run(command: str, *arguments: object) -> str:
    out = StringIO()
    call_command(command, *map(str, arguments), stdout=out)
    return out.getvalue()


def add(*arguments: object, email: str = "news@sender.example") -> SmtpAccount:
    run("add_account", "--email", email, *arguments)
    return SmtpAccount.objects.get(email=email)


def test_it_adds_an_account_as_told(caplog):
    caplog.set_level("DEBUG")
    said = run(
        "add_account", "--email", "news@sender.example", *LOCAL, "--username", "me", "--password-env",
        "MAIL_PASSWORD", "--daily-limit", 250, "--name", "News", "--from-name", "Our news",
        "--reply-to", "office@sender.example",
    )  # fmt: skip
    account = SmtpAccount.objects.get()
    assert (account.host, account.port, account.security) == ("127.0.0.1", 2525, "none")
    assert (account.username, account.password.reveal()) == ("me", PASSWORD)
    assert (account.daily_limit, account.name, account.provider) == (250, "News", "custom")
    assert (account.from_name, account.reply_to) == ("Our news", "office@sender.example")
    assert account.is_enabled
    assert "check_account news@sender.example" in said
    assert PASSWORD not in said + caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_smtpaccount t")
        assert PASSWORD not in str(cursor.fetchall())


def test_what_is_left_out_is_the_usual():
    account = add("--host", "smtp.sender.example", "--port", 587, "--password-env", "MAIL_PASSWORD")
    assert (account.security, account.username, account.name) == (
        "starttls", "news@sender.example", "news@sender.example"
    )  # fmt: skip
    assert account.daily_limit == 100


def test_without_a_password_nobody_logs_in():
    account = add(*LOCAL)
    assert (account.username, bool(account.password)) == ("", False)


@pytest.mark.parametrize(
    ("preset", "host"), [("gmail", "smtp.gmail.com"), ("microsoft365", "smtp.office365.com")]
)
def test_a_preset_fills_in_host_port_and_security(preset, host):
    account = add("--preset", preset, "--password-env", "MAIL_PASSWORD")
    assert (account.provider, account.host, account.port, account.security) == (preset, host, 587, "starttls")


def test_a_known_host_tells_its_provider():
    assert add("--host", "SMTP.gmail.com", "--port", 587).provider == "gmail"


def test_the_spaces_in_a_copied_app_password_are_not_part_of_it(monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", "abcd\xa0efgh ijkl mnop\n")
    account = add("--preset", "gmail", "--password-env", "MAIL_PASSWORD")
    assert account.password.reveal() == "abcdefghijklmnop"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--password-env", "NOT_SET", *LOCAL), "The environment variable NOT_SET is not set"),
        (("--password-env", "EMPTY", *LOCAL), "The environment variable EMPTY is not set"),
        (("--password-env", "NO_UTF8", *LOCAL), "variable NO_UTF8 holds is not UTF-8"),
        (("--email", "nonsense", *LOCAL), "Email: Enter a valid email address."),
        (("--email", "Taken@Sender.example", *LOCAL), "There is an account with this address already."),
        (("--daily-limit", "0", *LOCAL), "Daily limit: Ensure this value is greater than or equal to 1."),
        (("--daily-limit", "-5", *LOCAL), "Daily limit: Ensure this value is greater than or equal to"),
        (("--daily-limit", "99999999999", *LOCAL), "Daily limit: Ensure this value is less than or equal to"),
        (("--preset", "gmail", "--daily-limit", "501"), "Daily limit: Gmail lets out 500 mails"),
        (("--preset", "workspace", "--daily-limit", "2001"), "Google Workspace lets out 2,000 mails"),
        (("--username", "me", *LOCAL), "Username: Enter the password, too"),
        (("--host", "smtp.sender.example"), "Give --port"),
        (("--port", "587"), "Give --host, or --preset gmail"),
        (("--preset", "custom", "--port", "587"), "Give --host"),
        (("--host", "smtp://x", "--port", "587"), "Host: Enter the host's name alone"),
        (("--host", "x" * 300, "--port", "587"), "Host: Ensure this value has at most 253 characters"),
        (("--host", "smtp.sender.example", "--port", "0"), "Give --port"),
        (("--host", "smtp.sender.example", "--port", "65536"), "Port: Ensure this value is less than"),
        (("--reply-to", "nonsense", *LOCAL), "Reply to: Enter a valid email address."),
        (("--imap-host", "imap://x", *LOCAL), "Imap host: Enter the host's name alone"),
        (
            ("--imap-host", "imap.sender.example", "--imap-security", "none", *LOCAL),
            "Imap security: The password would cross the network unencrypted",
        ),
        (("--name", "x" * 101, *LOCAL), "Name: Ensure this value has at most 100 characters"),
        (("--from-name", "A\r\nBcc: x", *LOCAL), "From name: This has a character that can't be printed."),
        (("--email", "a@b\udce4.example", *LOCAL), "Email: "),
        (("--username", "\udce4", "--password-env", "MAIL_PASSWORD", *LOCAL), "Username: This has a"),
        (
            ("--host", "smtp.sender.example", "--port", "25", "--security", "none", "--password-env",
             "MAIL_PASSWORD"),
            "Security: The password would cross the network unencrypted",
        ),
    ],
)  # fmt: skip
def test_it_refuses_what_cannot_work_in_a_sentence(arguments, reason):
    make_account(email="taken@sender.example")
    with pytest.raises(CommandError) as refused:
        run("add_account", "--email", "news@sender.example", *arguments)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.returncode == 1
    assert SmtpAccount.objects.count() == 1


def test_the_sent_folder_is_told_by_options():
    account = add(*LOCAL, "--imap-host", "imap.sender.example", "--imap-security", "starttls")
    assert (account.imap_host, account.imap_port, account.imap_security) == (
        "imap.sender.example", 143, "starttls"
    )  # fmt: skip
    assert account.when_unproven == "hold"
    other = add(
        *LOCAL, "--imap-host", "localhost", "--imap-port", 1143, "--imap-security", "none",
        "--when-unproven", "resend", email="b@sender.example",
    )  # fmt: skip
    assert (other.imap_port, other.imap_security, other.when_unproven) == (1143, "none", "resend")


def test_check_account_fails_where_it_sends_but_the_sent_folder_cannot_be_read():
    out = StringIO()
    with LocalSmtpServer({"me": PASSWORD}) as server:
        make_account(
            port=server.port, username="me", password=PASSWORD, imap_host="127.0.0.1", imap_port=9,
            imap_security="none",
        )  # fmt: skip
        with pytest.raises(CommandError, match="1 of 1 accounts send, but their Sent folder can't be read"):
            call_command("check_account", stdout=out)
    assert "ok      a1@sender.example: The connection works. Uncertain mail can't be looked for: " in (
        out.getvalue()
    )


def test_check_account_says_it_works():
    with LocalSmtpServer({"me": PASSWORD}) as server:
        make_account(port=server.port, username="me", password=PASSWORD)
        assert (
            run("check_account", "A1@Sender.example") == "ok      a1@sender.example: The connection works.\n"
        )


def test_check_account_without_address_checks_all_and_fails_when_one_does():
    out = StringIO()
    with LocalSmtpServer({"me": PASSWORD}) as server:
        make_account("good", port=server.port, username="me", password=PASSWORD)
        make_account("bad", port=server.port, username="me", password="wrong")
        with pytest.raises(CommandError, match="1 of 2 accounts can't send") as refused:
            call_command("check_account", stdout=out)
    assert refused.value.returncode == 1
    assert out.getvalue().splitlines() == [
        "FAILED  bad@sender.example: 127.0.0.1 does not accept user name “me” with this password. "
        "Enter the right ones. Nothing goes out through it until a check works.",
        "ok      good@sender.example: The connection works.",
    ]


@pytest.mark.parametrize("arguments", [(), ("nobody@sender.example",), ("\udcff",)])
def test_check_account_refuses_where_there_is_none(arguments):
    with pytest.raises(CommandError, match=r"There is no account.*add_account adds one"):
        run("check_account", *arguments)


def test_a_host_beyond_ascii_is_kept_as_name_servers_and_certificates_have_it():
    """By IDNA 2008: the older one makes another domain of one with a sharp s, which gets the password."""
    add("--host", "smtp.straße.example", "--port", "587")
    assert SmtpAccount.objects.get().host == "smtp.xn--strae-oqa.example"
