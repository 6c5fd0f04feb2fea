"""The admin's pages of contacts and lists, and its import."""

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns import contact_admin  # noqa: F401
from campaigns.models import Contact, ContactList

pytestmark = pytest.mark.django_db

IMPORT = "/admin/campaigns/contactlist/import/"


def upload(content: bytes = b"email,city\nanna@example.com,Bonn\n<b>bad</b>,x\n") -> SimpleUploadedFile:
    return SimpleUploadedFile("contacts.csv", content)


def test_a_file_goes_into_a_new_list_and_the_page_reports(admin_client):
    page = admin_client.post(IMPORT, {"file": upload(), "new_list": "Friends"}).content.decode()

    friends = ContactList.objects.get(name="Friends")
    assert friends.contacts.get().attributes == {"city": "Bonn"}
    assert f"?lists__id__exact={friends.pk}" in page
    assert "{{ city }}" in page
    assert "&lt;b&gt;bad&lt;/b&gt;" in page
    assert "must have an @-sign" in page


def test_a_file_goes_into_a_list_that_is_there(admin_client):
    friends = ContactList.objects.create(name="Friends")

    admin_client.post(IMPORT, {"file": upload(), "contact_list": friends.pk})

    assert friends.contacts.get().email == "anna@example.com"


def test_a_refused_file_says_why_beside_the_field(admin_client):
    page = admin_client.post(IMPORT, {"file": upload(b"a,b\n1,2\n"), "new_list": "Friends"}).content.decode()

    assert "Columns found: “a”, “b”" in page
    assert not ContactList.objects.exists()


@pytest.mark.parametrize("lists", [{}, {"new_list": "New", "contact_list": True}])
def test_one_list_must_be_chosen_or_named(admin_client, lists):
    friends = ContactList.objects.create(name="Friends")
    data = {key: friends.pk if value is True else value for key, value in lists.items()}

    page = admin_client.post(IMPORT, {"file": upload(), **data}).content.decode()

    assert "Choose a list or name a new one, not both." in page
    assert not Contact.objects.exists()


def test_the_page_imports_nothing_by_get_and_is_linked_from_both_lists(admin_client):
    assert "multipart/form-data" in admin_client.get(IMPORT).content.decode()
    for model in ("contact", "contactlist"):
        page = admin_client.get(reverse(f"admin:campaigns_{model}_changelist")).content.decode()
        assert f'href="{IMPORT}"' in page


def test_staff_without_the_permissions_can_not_import(client):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_contactlist", "add_contact"]))
    client.force_login(viewer)

    assert client.post(IMPORT, {"file": upload(), "new_list": "Friends"}).status_code == 403
    assert IMPORT not in client.get(reverse("admin:campaigns_contactlist_changelist")).content.decode()
    assert not Contact.objects.exists()


def save_contact(admin_client, **fields):
    data = {"name": "", "attributes": "{}", **fields}
    formset = {f"ContactList_contacts-{key}": "0" for key in ("TOTAL_FORMS", "INITIAL_FORMS")}
    return admin_client.post(reverse("admin:campaigns_contact_add"), {**data, **formset})


def test_a_contact_saved_by_hand_is_kept_by_the_rules_of_the_import(admin_client):
    save_contact(admin_client, email="Anna@Example.COM", name="Anna\x85 Maier", attributes='{"city": "Bonn"}')

    anna = Contact.objects.get()
    assert (anna.email, anna.name, anna.attributes) == ("Anna@example.com", "Anna Maier", {"city": "Bonn"})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"email": "ANNA@example.com"}, "There is a contact with this address already."),
        ({"email": "ben@machine.local"}, "special-use"),
        ({"email": "ben@example.com", "attributes": "[1]"}, "Write merge fields as a JSON object"),
    ],
)
def test_a_contact_that_breaks_a_rule_is_not_saved(admin_client, fields, reason):
    Contact.objects.create(email="anna@example.com")

    page = save_contact(admin_client, **fields).content.decode()

    assert reason in page
    assert Contact.objects.count() == 1


def test_lists_show_how_many_contacts_they_hold(admin_client):
    friends = ContactList.objects.create(name="Friends")
    friends.contacts.create(email="anna@example.com")

    page = admin_client.get(reverse("admin:campaigns_contactlist_changelist")).content.decode()
    assert f'<a href="/admin/campaigns/contact/?lists__id__exact={friends.pk}">1</a>' in page
    assert (
        admin_client.get(reverse("admin:campaigns_contactlist_change", args=[friends.pk])).status_code == 200
    )
    assert admin_client.get(reverse("admin:campaigns_contactlist_add")).status_code == 200
