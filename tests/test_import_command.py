"""manage.py import_contacts: what scripts rely on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from campaigns.models import Contact, ContactList

MANAGE = Path(__file__).parent.parent / "manage.py"

pytestmark = pytest.mark.django_db


@pytest.fixture
def contacts_file(tmp_path):
    file = tmp_path / "contacts.csv"
    file.write_text("email,name,city\nanna@example.com,Anna,Köln\nbad,Ben,\nANNA@example.com,,\n", "utf-8")
    return file


def test_the_report_is_printed_and_the_list_is_made(contacts_file, capsys):
    call_command("import_contacts", contacts_file, list="Friends")

    output = capsys.readouterr().out
    assert "3 rows read" in output
    assert "1 taken" in output
    assert "{{ email }}, {{ name }}, {{ city }}" in output
    assert "line 3: “bad”: An email address must have an @-sign." in output
    assert "line 4: same address as line 2" in output
    assert ContactList.objects.get(name="Friends").contacts.count() == 1


def test_json_holds_all_of_the_report(contacts_file, capsys):
    call_command("import_contacts", contacts_file, list="Friends", json=True)

    assert json.loads(capsys.readouterr().out) == {
        "filename": "contacts.csv",
        "list_name": "Friends",
        "source": "text, utf-8, delimiter comma",
        "fields": {"email": "email", "name": "name", "city": "city"},
        "read": 3,
        "taken": 1,
        "merged": 1,
        "updated": 0,
        "duplicates": 1,
        "unchanged": 0,
        "refused": 1,
        "added_to_list": 1,
        "suppressed": 0,
        "reason": "",
        "refused_rows": [{"line": 3, "value": "bad", "reason": "An email address must have an @-sign."}],
        "duplicate_rows": [{"line": 4, "first_line": 2}],
    }


def test_many_refused_rows_are_counted_and_the_first_are_shown(tmp_path, capsys):
    file = tmp_path / "bad.csv"
    file.write_text("email\n" + "bad\n" * 1500)

    call_command("import_contacts", file, list="Friends")

    output = capsys.readouterr().out
    assert "1,500 refused" in output
    assert "… and 1,480 more refused rows" in output


def test_what_a_file_holds_can_not_steer_the_terminal(tmp_path, capsys):
    file = tmp_path / "bad.csv"
    file.write_bytes(b"email,x\x1b[2Jy\nbad\x1b[31m,x\n" + b"a@example.com," + b"x" * 10_001)

    call_command("import_contacts", file, list="Friends")

    output = capsys.readouterr().out
    assert "2 refused" in output
    assert "\x1b" not in output


def test_a_refused_file_is_an_error_and_changes_nothing(tmp_path):
    file = tmp_path / "picture.csv"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")

    with pytest.raises(CommandError, match="no text file"):
        call_command("import_contacts", file, list="Friends")

    assert not ContactList.objects.exists()
    assert not Contact.objects.exists()


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CommandError, match=r"missing\.csv can't be read: No such file"):
        call_command("import_contacts", tmp_path / "missing.csv", list="Friends")


@pytest.mark.parametrize(
    ("arguments", "code"), [(["missing.csv", "--list", "Friends"], 1), (["missing.csv"], 2)]
)
def test_the_exit_code_tells_refused_from_wrong_usage(arguments, code):
    done = subprocess.run(
        [sys.executable, MANAGE, "import_contacts", *arguments], capture_output=True, text=True, check=False
    )

    assert done.returncode == code
    assert not done.stdout
    assert "Traceback" not in done.stderr
