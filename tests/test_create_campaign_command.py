"""manage.py create_campaign: a campaign from files, or one sentence that says why not."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns.models import Campaign, Contact
from tests.factories import make_account, make_list

pytestmark = pytest.mark.django_db
MEBIBYTE = 1024 * 1024


@pytest.fixture
def html(tmp_path: Path) -> Path:
    path = tmp_path / "news.html"
    path.write_text("<p>Grüße, {{ first_name }}</p>", encoding="utf-8-sig")
    return path


def create(*arguments: object, name: str = "News") -> str:
    out = StringIO()
    call_command("create_campaign", "--name", name, "--subject", "Hi", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_it_makes_a_draft_and_says_who_gets_it(html: Path, tmp_path: Path) -> None:
    make_list(2, name="one")
    make_list(3, name="two", prefix="other").contacts.add(Contact.objects.earliest("id"))
    (tmp_path / "news.txt").write_text("Dear {{ first_name }}")
    said = create("--html", html, "--text", tmp_path / "news.txt", "--list", "one", "--list", "two")
    campaign = Campaign.objects.get()
    assert said == "Created campaign “News” for 5 contacts\n"
    assert (campaign.status, campaign.subject) == ("draft", "Hi")
    assert (campaign.html, campaign.text) == ("<p>Grüße, {{ first_name }}</p>", "Dear {{ first_name }}")
    assert [one.name for one in campaign.lists.all()] == ["one", "two"]


def test_it_says_which_fields_contacts_lack(html: Path) -> None:
    make_list(3, name="one").contacts.create(email="nameless@example.com")
    assert "1 of 4 contacts lack first_name; it will be empty." in create("--html", html, "--list", "one")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<p>\n{% if vip %}", "HTML: Line 2: the tag {% if %} is not closed: add {% endif %}."),
        (b"<p>\n\nGr\xfc\xdfe", "is not UTF-8 (line 3): save it as UTF-8 and try again."),
        (b" \n", "HTML: Write the message: its HTML, its text, or both."),
        (b"\n<p>\x00", "HTML: Line 2: it has a character that can't be stored"),
        (None, "can't be read: No such file or directory."),
    ],
)
def test_a_bad_file_is_refused(html: Path, content: bytes | None, reason: str) -> None:
    make_list(1, name="one")
    html.unlink() if content is None else html.write_bytes(content)
    with pytest.raises(CommandError) as refused:
        create("--html", html, "--list", "one")
    assert reason in str(refused.value)
    assert not Campaign.objects.exists()


def test_an_unknown_list_is_refused(html: Path) -> None:
    make_list(1, name="one")
    with pytest.raises(CommandError, match="There is no list “two”: import_contacts"):
        create("--html", html, "--list", "one", "--list", "two")
    assert not Campaign.objects.exists()


def test_a_name_that_is_taken_is_refused(html: Path) -> None:
    make_list(1, name="one")
    create("--html", html, "--list", "one")
    with pytest.raises(CommandError, match="There is a campaign “News” already: choose another name"):
        create("--html", html, "--list", "one")
    assert Campaign.objects.count() == 1


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be read: Is a directory"):
        create("--html", tmp_path, "--list", "one")


def test_a_name_that_is_no_text_is_wrong_usage(html: Path) -> None:
    with pytest.raises(CommandError, match="argument --name: has a line break"):
        create("--html", html, "--list", "one", name="\udce4")


def test_accounts_files_and_start_are_taken_along(html: Path, tmp_path: Path) -> None:
    make_list(1, name="one")
    for name in ("a1", "a2", "a3"):
        make_account(name)
    (tmp_path / "Prüfung.pdf").write_bytes(b"%PDF")
    (tmp_path / "b.bin").write_bytes(b"b")
    create(
        "--html", html, "--list", "one", "--account", "A1@Sender.example", "--account", "a3@sender.example",
        "--attach", tmp_path / "Prüfung.pdf", "--attach", tmp_path / "b.bin", "--start", "2030-12-31 08:30",
    )  # fmt: skip
    campaign = Campaign.objects.get()
    assert [account.name for account in campaign.accounts.all()] == ["a1", "a3"]
    stored = [(one.filename, one.content_type, bytes(one.content)) for one in campaign.attachments.all()]
    assert stored == [
        ("Prüfung.pdf", "application/pdf", b"%PDF"), ("b.bin", "application/octet-stream", b"b")
    ]  # fmt: skip
    assert f"{timezone.localtime(campaign.scheduled_at):%Y-%m-%d %H:%M}" == "2030-12-31 08:30"


def test_one_contact_is_one_contact(html: Path) -> None:
    make_list(1, name="one")
    assert create("--html", html, "--list", "one") == "Created campaign “News” for 1 contact\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--account", "x@sender.example"), "There is no account x@sender.example: queue_status lists them"),
        (("--attach", "/nowhere/a.pdf"), "can't be read: No such file or directory"),
        (("--attach", "/tmp"), "can't be read: Is a directory"),
        (("--start", "tomorrow"), "argument --start: is no time: Enter a valid date/time"),
        (("--start", "2030-02-30 08:30"), 'write it as "2030-12-31 08:30"'),
    ],
)
def test_what_cannot_be_taken_along_is_refused(html: Path, arguments: tuple[str, ...], reason: str) -> None:
    make_list(1, name="one")
    with pytest.raises(CommandError) as refused:
        create("--html", html, "--list", "one", *arguments)
    assert reason in str(refused.value)
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ([0], "is empty"),
        ([10 * MEBIBYTE + 1], "an attachment may have at most 10.0"),
        ([9 * MEBIBYTE] * 3, "The attachments have 27.0"),
    ],
)
def test_attachments_are_bounded_as_in_the_admin(
    html: Path, tmp_path: Path, sizes: list[int], reason: str
) -> None:
    make_list(1, name="one")
    arguments: list[object] = []
    for n, size in enumerate(sizes):
        (tmp_path / f"{n}.pdf").write_bytes(bytes(size))
        arguments += ["--attach", tmp_path / f"{n}.pdf"]
    with pytest.raises(CommandError, match=reason):
        create("--html", html, "--list", "one", *arguments)
    assert not Campaign.objects.exists()
