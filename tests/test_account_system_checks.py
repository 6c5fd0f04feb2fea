"""System checks: a wrong setting fails at start-up, with the cure and without the secret."""

import pytest
import trustme
from cryptography.fernet import Fernet
from django.core.checks import run_checks


def found() -> list:
    return [message for message in run_checks() if message.id.startswith("accounts.")]


def test_right_settings_pass(settings, tmp_path):
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode() for _ in range(2)]
    path = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(path)
    settings.SMTP_CA_FILE = str(path)
    assert found() == []


@pytest.mark.parametrize("wrong", ["my-secret-key", "", "ä" * 44, Fernet.generate_key().decode()[:-4]])
def test_what_is_no_fernet_key_is_told_by_its_place(settings, wrong):
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode(), wrong]
    [error] = found()
    assert (error.id, error.msg) == ("accounts.E001", "Entry 2 of CREDENTIAL_KEYS is not a Fernet key.")
    assert "Fernet.generate_key()" in error.hint
    assert not wrong or wrong not in str(error)


def test_no_key_at_all_is_told(settings):
    settings.CREDENTIAL_KEYS = []
    assert [error.id for error in found()] == ["accounts.E001"]


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none_is_told(settings, tmp_path, content):
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    settings.SMTP_CA_FILE = str(path)
    [error] = found()
    assert (error.id, "SMTP_CA_FILE" in error.msg) == ("accounts.E002", True)
