"""manage.py change_account and remove_account: only what is given changes, and only what may go goes."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actions import pause_account
from accounts.models import SmtpAccount
from tests.factories import make_account, make_campaign

pytestmark = pytest.mark.django_db
PASSWORD = "Xq7-never-shown"


@pytest.fixture(autouse=True)
def password_variable(monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)


@pytest.fixture
def account() -> SmtpAccount:
    return make_account(username="me", password="old", from_name="News", daily_limit=50)


def run(command: str, *arguments: object) -> str:
    out = StringIO()
    call_command(command, *map(str, arguments), stdout=out)
    return out.getvalue()


def change(account: SmtpAccount, *arguments: object) -> str:
    said = run("change_account", account.email.upper(), *arguments)
    account.refresh_from_db()
    return said


def values(account: SmtpAccount) -> dict[str, object]:
    row = SmtpAccount.objects.filter(pk=account.pk).values().get()
    return {**row, "password": account.password.reveal()}


def test_only_what_is_given_changes(account: SmtpAccount) -> None:
    before = values(account)
    said = change(account, "--daily-limit", 75, "--from-name", "", "--reply-to", "office@sender.example")
    assert said == "Changed a1@sender.example: daily limit, from name, reply to\n"
    after = {"daily_limit": 75, "from_name": "", "reply_to": "office@sender.example"}
    assert values(account) == {**before, **after}


def test_a_new_password_is_stored_encrypted_and_never_told(account: SmtpAccount, caplog) -> None:
    caplog.set_level("DEBUG")
    said = change(account, "--password-env", "MAIL_PASSWORD")
    assert said == (
        "Changed a1@sender.example: password\nTry it: manage.py check_account a1@sender.example\n"
    )
    assert account.password.reveal() == PASSWORD
    assert PASSWORD not in said + caplog.text


def test_a_preset_brings_its_host_port_and_security(account: SmtpAccount) -> None:
    change(account, "--preset", "microsoft365")
    assert (account.host, account.port, account.security) == ("smtp.office365.com", 587, "starttls")


def test_the_address_changes_too(account: SmtpAccount) -> None:
    assert change(account, "--email", "new@sender.example") == (
        "Changed new@sender.example: email\nTry it: manage.py check_account new@sender.example\n"
    )
    assert account.email == "new@sender.example"


def test_it_is_disabled_and_enabled(account: SmtpAccount) -> None:
    assert change(account, "--disable") == "Changed a1@sender.example: disabled\n"
    assert not account.is_enabled
    change(account, "--enable")
    assert account.is_enabled


def test_a_change_leaves_a_pause_alone_and_resume_ends_it(account: SmtpAccount) -> None:
    pause_account(account.pk, "The log-in was refused.")
    change(account, "--daily-limit", 10)
    assert account.pause_reason == "The log-in was refused."
    assert change(account, "--resume") == "Resumed a1@sender.example\n"
    assert account.pause_reason == ""
    assert change(account, "--resume") == "a1@sender.example was not paused\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Say what to change"),
        (("--daily-limit", "0"), "Daily limit: Ensure this value is greater than or equal to 1."),
        (("--username", ""), "Username: Enter the user name, too"),
        (("--host", "http://x"), "Host: Enter the host's name alone"),
        (("--email", "Taken@Sender.example"), "There is an account with this address already."),
        (("--preset", "gmail", "--daily-limit", "501"), "Gmail lets out 500 mails"),
        (("--password-env", "NOT_SET"), "The environment variable NOT_SET is not set"),
        (("--enable", "--disable"), "not allowed with argument"),
    ],
)
def test_it_refuses_what_cannot_work_and_changes_nothing(
    account: SmtpAccount, arguments: tuple[str, ...], reason: str
) -> None:
    make_account("taken")
    before = values(account)
    with pytest.raises(CommandError) as refused:
        change(account, *arguments)
    assert reason in str(refused.value)
    account.refresh_from_db()
    assert values(account) == before


@pytest.mark.parametrize("command", ["change_account", "remove_account"])
@pytest.mark.parametrize("address", ["nobody@sender.example", "\udcff"])
def test_an_unknown_account_is_refused(command: str, address: str) -> None:
    with pytest.raises(CommandError, match=r"There is no account .*: queue_status lists them all"):
        run(command, address)


def test_an_account_is_removed(account: SmtpAccount) -> None:
    assert run("remove_account", "A1@sender.example") == "Removed a1@sender.example\n"
    assert not SmtpAccount.objects.exists()


def test_an_account_that_a_campaign_needs_is_not_removed(account: SmtpAccount) -> None:
    make_campaign().accounts.add(account)
    with pytest.raises(CommandError) as refused:
        run("remove_account", account.email)
    assert str(refused.value) == (
        "a1@sender.example can't be removed. "
        "It is chosen for “News”: choose others there first, or disable it instead."
    )
    assert SmtpAccount.objects.exists()
