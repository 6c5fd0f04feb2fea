"""A stored password: encrypted in Postgres, shown by nothing, decrypted by every key that is kept."""

import copy
import pickle
import traceback
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import connection
from django.forms import model_to_dict
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import SmtpAccount
from accounts.secrets import Secret, UndecryptableSecret
from tests.factories import make_account

PASSWORD = "Xq7-never-shown"


def in_postgres() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM accounts_smtpaccount")
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_postgres_holds_it_encrypted_and_each_time_anew():
    account = make_account(username="me", password=PASSWORD)
    first = in_postgres()
    assert PASSWORD not in first
    account.password = PASSWORD
    account.save()
    assert in_postgres() not in (first, "", PASSWORD)
    assert SmtpAccount.objects.get().password.reveal() == PASSWORD


@pytest.mark.django_db
@pytest.mark.parametrize("load", [SmtpAccount.objects.get, SmtpAccount.objects.defer("password").get])
def test_saving_other_fields_leaves_it(load):
    make_account(username="me", password=PASSWORD)
    before = in_postgres()
    account = load()
    account.name = "renamed"
    account.save()
    assert in_postgres() == before
    assert account.password.reveal() == PASSWORD


@pytest.mark.django_db
def test_no_dump_of_the_database_holds_it():
    account = make_account(username="me", password=PASSWORD)
    out = StringIO()
    call_command("dumpdata", "accounts", stdout=out)
    assert account.email in out.getvalue()
    shown = out.getvalue() + serializers.serialize("json", [account]) + str(model_to_dict(account))
    assert PASSWORD not in shown
    assert account.password.ciphertext not in shown


def test_nothing_that_shows_an_account_shows_it():
    account = SmtpAccount(name="one", password=PASSWORD)
    page = Template("{{ account }} {{ account.password }} {% debug %}").render(Context({"account": account}))
    shown = f"{account} {account!r} {account.password} {account.password!r} {vars(account)} {page}"
    assert PASSWORD not in shown
    assert account.password.ciphertext not in shown


def test_copies_keep_it():
    account = SmtpAccount(name="one", password=PASSWORD)
    assert copy.deepcopy(account).password.reveal() == PASSWORD
    dumped = pickle.dumps(account)
    assert PASSWORD.encode() not in dumped
    assert pickle.loads(dumped).password.reveal() == PASSWORD


@given(st.text())
def test_any_text_comes_back(text):
    secret = Secret.from_plain(text)
    assert secret.reveal() == text
    assert bool(secret) == bool(text)


def test_a_new_key_in_front_keeps_old_passwords_and_encrypts_new_ones(settings):
    old = Secret.from_plain(PASSWORD)
    kept = settings.CREDENTIAL_KEYS
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), *kept]
    new = Secret.from_plain(PASSWORD)
    assert (old.reveal(), new.reveal()) == (PASSWORD, PASSWORD)
    settings.CREDENTIAL_KEYS = kept
    with pytest.raises(UndecryptableSecret, match="Put the old key back"):
        new.reveal()


def test_a_password_that_was_tampered_with_is_not_decrypted_and_not_told():
    secret = Secret.from_plain(PASSWORD)
    with pytest.raises(UndecryptableSecret) as refused:
        Secret(secret.ciphertext[:-8] + "AAAAAAA=").reveal()
    assert secret.ciphertext[:20] not in "".join(traceback.format_exception(refused.value))


@pytest.mark.django_db
def test_after_encrypting_anew_the_old_key_can_go(settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [old]
    make_account("with", username="me", password=PASSWORD)
    make_account("without")
    settings.CREDENTIAL_KEYS = [new, old]
    call_command("encrypt_passwords_anew", stdout=(out := StringIO()))
    settings.CREDENTIAL_KEYS = [new]
    assert "Encrypted 1 password with" in out.getvalue()
    assert SmtpAccount.objects.get(name="with").password.reveal() == PASSWORD
    assert not SmtpAccount.objects.get(name="without").password


@pytest.mark.django_db
def test_encrypting_anew_without_the_old_key_changes_nothing(settings):
    make_account(username="me", password=PASSWORD)
    before = in_postgres()
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="CREDENTIAL_KEYS lacks"):
        call_command("encrypt_passwords_anew")
    assert in_postgres() == before
