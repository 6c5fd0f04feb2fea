"""The admin's pages of the import: upload, columns, check, start, cancel, report, past imports."""

import csv
import io

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns.models import Contact, ContactList, Import
from sending.longwork import running
from sending.models import Suppression

pytestmark = pytest.mark.django_db

ADD = "/admin/campaigns/import/add/"


def upload(content: bytes = b"email,city\nanna@example.com,Bonn\n<b>bad</b>,x\n") -> SimpleUploadedFile:
    return SimpleUploadedFile("contacts.csv", content)


def url(step: str, imported: Import) -> str:
    return reverse(f"admin:campaigns_import_{step}", args=[imported.pk])


def page(client, imported: Import) -> str:
    return client.get(url("change", imported)).content.decode()


def uploaded(client, content: bytes | None = None, **where) -> Import:
    file = upload() if content is None else upload(content)
    client.post(ADD, {"file": file, **(where or {"new_list": "Friends"})})
    return Import.objects.latest("id")


def columns(*kinds: str, **names: str) -> dict[str, str]:
    return {**{f"kind_{index}": kind for index, kind in enumerate(kinds)}, **names}


def checked(client, imported: Import, *kinds: str, **names: str) -> Import:
    client.post(url("columns", imported), columns(*kinds, **names))
    running.run_next()
    imported.refresh_from_db()
    return imported


def test_an_uploaded_file_is_shown_with_its_first_rows_and_how_each_column_is_understood(admin_client):
    imported = uploaded(
        admin_client, "Vorname;Mail;Größe (cm)\nJörg;joerg@example.com;190\n".encode("cp1252")
    )

    shown = page(admin_client, imported)
    assert "windows-1252" in shown
    assert "semicolon" in shown
    assert "<td>Jörg</td>" in shown
    assert [column["field"] for column in imported.columns] == ["first_name", "email", "grosse_cm"]
    assert '<option value="first_name" selected>' in shown
    assert 'value="grosse_cm"' in shown
    assert not Contact.objects.exists()


def test_a_file_goes_through_columns_and_check_into_a_new_list(admin_client):
    imported = uploaded(admin_client, b"who,city\nanna@example.com,Bonn\n<b>bad</b>,x\n")

    checked(admin_client, imported, "email", "merge", field_1="Home town")
    shown = page(admin_client, imported)
    assert "What the import would do" in shown
    assert "{{ home_town }}" in shown
    assert "&lt;b&gt;bad&lt;/b&gt;" in shown
    assert "must have an @-sign" in shown
    assert not Contact.objects.exists()
    assert not ContactList.objects.exists()

    admin_client.post(url("start", imported))
    running.run_next()
    friends = ContactList.objects.get(name="Friends")
    assert friends.contacts.get().attributes == {"home_town": "Bonn"}
    assert f"?lists__id__exact={friends.pk}" in page(admin_client, imported)


KONTAKT = b"Kontakt;Stadt\nanna@example.com;Bonn\nanrufen;Kiel\nben@example.com;info@example.com\n"


def test_a_column_whose_name_says_nothing_is_guessed_by_its_values_and_the_page_says_so(admin_client):
    imported = uploaded(admin_client, KONTAKT)
    shown = page(admin_client, imported)
    assert [column["field"] for column in imported.columns] == ["email", "stadt"]
    assert '<option value="email" selected>' in shown
    assert "the addresses are in “Kontakt”, by what stands in its first rows." in shown

    checked(admin_client, imported, "email", "")
    assert imported.report["taken"] == 2
    assert "by what stands in its first rows" not in page(admin_client, imported)


def test_a_column_that_its_name_tells_is_no_guess(admin_client):
    imported = uploaded(admin_client, b"email,other\nnobody,anna@example.com\n")
    assert [column["field"] for column in imported.columns] == ["email", "other"]
    assert "A guess:" not in page(admin_client, imported)


def test_where_no_column_holds_addresses_none_is_guessed(admin_client):
    imported = uploaded(admin_client, b"Kontakt,Stadt\nAnna,Bonn\nBen,Kiel\nx@example.com,Ulm\n")
    assert [column["field"] for column in imported.columns] == ["kontakt", "stadt"]


def test_a_file_without_names_of_columns_is_imported_whole_once_a_person_has_looked(admin_client):
    imported = uploaded(admin_client, b"Anna,anna@example.com,Bonn\nBen,ben@example.com,Kiel\nx,bad,y\n")
    assert [column["field"] for column in imported.columns] == ["column_1", "email", "column_3"]
    shown = page(admin_client, imported)
    assert "the file begins with a contact at once" in shown
    assert "the addresses are in “Column 2”" in shown

    checked(admin_client, imported, "name", "email", "merge", field_2="city")
    admin_client.post(url("start", imported))
    running.run_next()
    assert list(Contact.objects.order_by("email").values_list("email", "name", "attributes")) == [
        ("anna@example.com", "Anna", {"city": "Bonn"}),
        ("ben@example.com", "Ben", {"city": "Kiel"}),
    ]
    refused = b"".join(admin_client.get(url("refused", imported)).streaming_content).decode("utf-8-sig")
    assert refused.splitlines()[0] == "line,reason,Column 1,Column 2,Column 3"
    assert refused.splitlines()[1].startswith("3,")


def test_columns_can_be_chosen_again_after_the_check(admin_client):
    imported = checked(admin_client, uploaded(admin_client), "email", "merge", field_1="city")

    checked(admin_client, imported, "email", "")

    assert imported.state == "checked"
    assert list(imported.report["fields"]) == ["email"]


@pytest.mark.parametrize(
    ("kinds", "names", "reason"),
    [
        (("name", ""), {}, "Choose exactly one column that holds the e-mail addresses."),
        (("email", "email"), {}, "Choose exactly one column"),
        (("email", "merge"), {"field_1": "name"}, "Give the merge field another name"),
        (("email", "merge"), {"field_1": "§"}, "Give the merge field another name"),
    ],
)
def test_columns_that_do_not_suit_are_told_beside_them(admin_client, kinds, names, reason):
    imported = uploaded(admin_client)

    shown = admin_client.post(url("columns", imported), columns(*kinds, **names)).content.decode()

    assert reason in shown
    imported.refresh_from_db()
    assert imported.state == "uploaded"


def test_all_refused_rows_can_be_downloaded_and_no_cell_is_a_formula(admin_client):
    rows = b"".join(b"=bad%d,x\n" % number for number in range(1500))
    imported = checked(admin_client, uploaded(admin_client, b"email,city\n" + rows), "email", "")

    response = admin_client.get(url("refused", imported))

    text = b"".join(response.streaming_content).decode("utf-8-sig")
    header, *lines = csv.reader(io.StringIO(text))
    assert header == ["line", "reason", "email", "city"]
    assert len(lines) == 1500
    assert lines[0] == ["2", "An email address must have an @-sign.", "'=bad0", "x"]


def test_a_file_goes_into_a_list_that_is_there(admin_client):
    friends = ContactList.objects.create(name="Friends")
    imported = checked(admin_client, uploaded(admin_client, contact_list=friends.pk), "email", "")

    admin_client.post(url("start", imported))
    running.run_next()

    assert friends.contacts.get().email == "anna@example.com"


def test_pasted_addresses_go_into_a_list_at_once(admin_client):
    friends = ContactList.objects.create(name="Friends")
    pasted = "Anna Maier <anna@example.com>, ben@example.com\ncarl@example.com; nobody"

    admin_client.post(ADD, {"pasted": pasted, "contact_list": friends.pk})
    running.run_next()

    assert dict(friends.contacts.values_list("email", "name")) == {
        "anna@example.com": "Anna Maier",
        "ben@example.com": "",
        "carl@example.com": "",
    }
    assert Import.objects.get().report["refused_rows"][0]["value"] == "nobody"


def test_pasted_addresses_go_onto_the_suppression_list_with_their_reason(admin_client):
    Suppression.objects.create(email="Ben@example.com", reason="bounced")
    pasted = "anna@example.com ben@example.com"

    admin_client.post(f"{ADD}?to=suppressions", {"pasted": pasted, "reason": "unsubscribed"})
    running.run_next()

    assert dict(Suppression.objects.values_list("email", "reason")) == {
        "anna@example.com": "unsubscribed",
        "Ben@example.com": "bounced",
    }
    assert not Contact.objects.exists()


def test_a_file_goes_onto_the_suppression_list(admin_client):
    admin_client.post(f"{ADD}?to=suppressions", {"file": upload(), "reason": "complained"})
    imported = checked(admin_client, Import.objects.get(), "email", "")
    assert "New on the suppression list" in page(admin_client, imported)

    admin_client.post(url("start", imported))
    running.run_next()

    assert Suppression.objects.get().email == "anna@example.com"


def test_a_refused_file_says_why_beside_the_field(admin_client):
    shown = admin_client.post(ADD, {"file": upload(b"\0\1"), "new_list": "Friends"}).content.decode()

    assert "This is no text file" in shown
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"pasted": "anna@example.com"}, "Name the new list, or choose one that is there."),
        (
            {"pasted": "a@b.org", "new_list": "New", "contact_list": True},
            "Choose a list or name a new one, not",
        ),
        ({"new_list": "New"}, "Choose a file, or paste addresses."),
        ({"new_list": "New", "pasted": " , ;"}, "There is no address. Paste one a line."),
    ],
)
def test_a_source_and_a_list_must_be_given(admin_client, data, reason):
    friends = ContactList.objects.create(name="Friends")
    data = {key: friends.pk if value is True else value for key, value in data.items()}

    assert reason in admin_client.post(ADD, data).content.decode()
    assert not Import.objects.exists()


def test_an_import_is_cancelled_before_its_start(admin_client):
    imported = checked(admin_client, uploaded(admin_client), "email", "")

    admin_client.post(url("cancel", imported))
    admin_client.post(url("start", imported))

    imported.refresh_from_db()
    assert imported.state == "cancelled"
    assert not imported.chunks.exists()
    assert running.run_next() is None
    assert "cancelled, and nothing was changed" in page(admin_client, imported)


def test_the_page_asks_for_news_only_while_a_worker_has_to_act_and_says_when_none_runs(admin_client):
    imported = uploaded(admin_client)
    assert "hx-get" not in page(admin_client, imported)

    admin_client.post(url("columns", imported), columns("email", ""))

    shown = admin_client.get(url("state", imported)).content.decode()
    assert f'hx-get="{url("state", imported)}"' in shown
    assert "Sending is not running" in shown
    assert "<html" not in shown
    running.run_next()
    assert admin_client.get(url("state", imported)).headers["HX-Refresh"] == "true"
    assert "hx-get" not in page(admin_client, imported)


def test_past_imports_are_listed_with_who_and_what_came_of_them(admin_client):
    admin_client.post(ADD, {"pasted": "anna@example.com", "new_list": "Friends"})
    running.run_next()

    shown = admin_client.get(reverse("admin:campaigns_import_changelist")).content.decode()

    assert "1 new, 0 merged, 0 refused" in shown
    assert "Friends" in shown
    assert ">admin<" in shown


def test_the_import_is_linked_from_contacts_and_lists(admin_client):
    for model in ("contact", "contactlist"):
        shown = admin_client.get(reverse(f"admin:campaigns_{model}_changelist")).content.decode()
        assert f'href="{ADD}"' in shown


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("campaigns_contact", "There are no contacts yet"),
        ("campaigns_contactlist", "There are no lists yet"),
        ("campaigns_import", "Nothing was imported yet"),
        ("sending_suppression", "No address is suppressed yet"),
    ],
)
def test_an_empty_screen_says_what_to_do_next(admin_client, where, told):
    shown = admin_client.get(reverse(f"admin:{where}_changelist")).content.decode()
    assert told in shown
    assert f'class="button-link" href="{ADD}' in shown

    Contact.objects.create(email="anna@example.com")
    ContactList.objects.create(name="Friends")
    Suppression.objects.create(email="ben@example.com")
    uploaded(admin_client)
    assert told not in admin_client.get(reverse(f"admin:{where}_changelist")).content.decode()


def test_nothing_changes_by_get(admin_client):
    imported = uploaded(admin_client)

    for step in ("columns", "start", "cancel"):
        assert admin_client.get(url(step, imported)).status_code == 405


def test_staff_without_the_permissions_can_look_and_not_import(client, admin_client):
    imported = uploaded(admin_client)
    viewer = User.objects.create_user("viewer", is_staff=True)
    codes = ["view_contactlist", "view_import", "add_contact", "view_suppression"]
    viewer.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client.force_login(viewer)

    assert client.get(ADD).status_code == 403
    assert client.post(ADD, {"file": upload(), "new_list": "Friends"}).status_code == 403
    pasted = {"pasted": "a@example.com", "reason": "manual"}
    assert client.post(f"{ADD}?to=suppressions", pasted).status_code == 403
    for step in ("columns", "start", "cancel"):
        assert client.post(url(step, imported), columns("email", "")).status_code == 403
    assert "Check the file" not in page(client, imported)
    assert ADD not in client.get(reverse("admin:campaigns_contactlist_changelist")).content.decode()
    assert Import.objects.get().state == "uploaded"


def test_who_may_not_look_sees_no_import(client, admin_client):
    imported = uploaded(admin_client)
    client.force_login(User.objects.create_user("stranger", is_staff=True))

    for step in ("change", "state", "refused"):
        assert client.get(url(step, imported)).status_code == 403
