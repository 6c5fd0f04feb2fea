"""System checks: a wrong setting fails at start-up, with the cure and without the secret."""

import pytest
import trustme
from django.core.checks import run_checks


def found() -> list:
    return [message for message in run_checks() if message.id.startswith("accounts.")]


def test_right_settings_pass(settings, tmp_path):
    path = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(path)
    settings.SMTP_CA_FILE = str(path)
    assert found() == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none_is_told(settings, tmp_path, content):
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    settings.SMTP_CA_FILE = str(path)
    [error] = found()
    assert (error.id, "SMTP_CA_FILE" in error.msg) == ("accounts.E001", True)
