"""The admin's pages of contacts and lists: form, search, lists, one person's history, suppression, export."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.urls import reverse

from campaigns import contact_actions
from campaigns.models import Attachment, Contact, ContactList
from sending.models import QueuedEmail, SendLog, Suppression
from tests import queue_rows
from tests.factories import make_account, make_campaign, make_list

pytestmark = pytest.mark.django_db

CONTACTS = "/admin/campaigns/contact/"
MEMBERS = "ContactList_contacts"


def save(client, contact: Contact | None = None, pairs=(), **fields):
    where = reverse("admin:campaigns_contact_add")
    if contact is not None:
        where = reverse("admin:campaigns_contact_change", args=[contact.pk])
    names, values = [name for name, _ in pairs], [value for _, value in pairs]
    data = {"name": "", "attributes_name": names, "attributes_value": values, **fields}
    return client.post(where, {**data, f"{MEMBERS}-TOTAL_FORMS": "0", f"{MEMBERS}-INITIAL_FORMS": "0"})


def found(client, words: str) -> set[str]:
    page = client.get(CONTACTS, {"q": words})
    return {contact.email for contact in page.context_data["cl"].result_list}


def act(client, action: str, contacts, query: str = "", **data):
    chosen = [contact.pk for contact in contacts]
    return client.post(CONTACTS + query, {"action": action, "_selected_action": chosen, **data}, follow=True)


def staff(client, *codes: str) -> User:
    user = User.objects.create_user("someone", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client.force_login(user)
    return user


def test_a_contact_saved_by_hand_is_kept_by_the_rules_of_the_import(admin_client):
    save(
        admin_client,
        email="Anna@Example.COM",
        name="Anna\x85 Maier",
        pairs=[("Home town", " Bonn "), ("", "")],
    )

    anna = Contact.objects.get()
    assert (anna.email, anna.name, anna.attributes) == (
        "Anna@example.com",
        "Anna Maier",
        {"home_town": "Bonn"},
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"email": "ANNA@example.com"}, "There is a contact with this address already."),
        ({"email": "ben@machine.local"}, "special-use"),
        ({"email": "ben@example.com", "pairs": [("", "Bonn")]}, "be the name of a merge field"),
        ({"email": "ben@example.com", "pairs": [("email", "x")]}, "be the name of a merge field"),
        ({"email": "ben@example.com", "pairs": [("city", "1"), ("City", "2")]}, "There are two merge fields"),
    ],
)
def test_a_contact_that_breaks_a_rule_is_not_saved(admin_client, fields, reason):
    Contact.objects.create(email="anna@example.com")

    assert reason in save(admin_client, **fields).content.decode()
    assert Contact.objects.count() == 1


def test_merge_fields_are_shown_one_a_line_and_keep_their_type_while_left_alone(admin_client):
    attributes = {"Old Name": "x", "age": 41, "tags": ["a"], "city": "Bonn"}
    anna = Contact.objects.create(email="anna@example.com", attributes=attributes)

    page = admin_client.get(reverse("admin:campaigns_contact_change", args=[anna.pk])).content.decode()
    assert 'name="attributes_value" value="Bonn"' in page
    pairs = [("Old Name", "x"), ("age", "41"), ("tags", '["a"]'), ("city", "Kiel"), ("street", "")]
    save(admin_client, anna, pairs, email=anna.email)

    anna.refresh_from_db()
    assert anna.attributes == {"Old Name": "x", "age": 41, "tags": ["a"], "city": "Kiel"}


def test_contacts_are_found_by_the_beginnings_of_words_of_address_and_name(admin_client):
    Contact.objects.create(email="anna.maier@example.com", name="Anna O'Brien")
    Contact.objects.create(email="ben@mail.example.org", name="Özlem Müller-Schmidt")

    for words in ("anna", "MAIER@exam", "brien", "anna.maier@example.com", "maier brien"):
        assert found(admin_client, words) == {"anna.maier@example.com"}, words
    for words in ("ben", "org", "özlem", "ÖZLEM", "schmidt", "müller ben"):
        assert found(admin_client, words) == {"ben@mail.example.org"}, words
    assert found(admin_client, "aier") == found(admin_client, "anna schmidt") == set()
    assert len(found(admin_client, "example")) == 2
    assert len(found(admin_client, "&|!:*()' ")) == 2


def test_the_search_is_served_by_an_index(admin_client):
    make_list(2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_contact")
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = contact_actions.search(Contact.objects.order_by("id"), "person1777@example.com").explain()

    assert "campaigns_contact_words" in plan


def test_contacts_are_added_to_a_list_and_taken_off_it(admin_client):
    everybody, friends = make_list(3), ContactList.objects.create(name="Friends")
    one, two, _ = everybody.contacts.order_by("id")
    friends.contacts.add(one)

    page = act(admin_client, "add_to_list", [one, two], to_list=friends.pk).content.decode()
    assert "Added 1 contact to “Friends”." in page
    page = act(admin_client, "remove_from_list", [one], f"?lists__id__exact={friends.pk}").content.decode()
    assert "Took 1 contact off “Friends”." in page

    assert set(friends.contacts.all()) == {two}
    assert everybody.contacts.count() == 3


def test_all_contacts_that_match_are_added_not_only_those_of_the_page(admin_client):
    everybody, friends = make_list(150), ContactList.objects.create(name="Friends")

    act(admin_client, "add_to_list", everybody.contacts.all()[:1], to_list=friends.pk, select_across="1")

    assert friends.contacts.count() == 150


def test_adding_needs_a_list(admin_client):
    everybody = make_list(1)

    page = act(admin_client, "add_to_list", everybody.contacts.all()).content.decode()

    assert "Choose the list beside the action." in page


def test_who_may_not_change_lists_can_not_add_or_take_off(client):
    friends = make_list(1)
    other = ContactList.objects.create(name="Other")
    staff(client, "view_contact", "change_contact", "view_contactlist")

    act(client, "add_to_list", friends.contacts.all(), to_list=other.pk)
    act(client, "remove_from_list", friends.contacts.all(), f"?lists__id__exact={friends.pk}")

    assert (friends.contacts.count(), other.contacts.count()) == (1, 0)


def test_lists_show_how_many_contacts_they_hold_and_which_campaigns_use_them(admin_client):
    friends = make_list(2, name="Friends")
    campaign = make_campaign(friends, name="Spring")

    page = admin_client.get(reverse("admin:campaigns_contactlist_changelist")).content.decode()
    assert f'<a href="{CONTACTS}?lists__id__exact={friends.pk}">2</a>' in page
    assert f'<a href="/admin/campaigns/campaign/{campaign.pk}/change/">Spring</a>' in page
    page = admin_client.get(reverse("admin:campaigns_contactlist_change", args=[friends.pk])).content.decode()
    assert f"/admin/campaigns/import/add/?list={friends.pk}" in page
    assert admin_client.get(reverse("admin:campaigns_contactlist_add")).status_code == 200


def test_the_number_of_queries_for_lists_does_not_grow_with_them(admin_client, django_assert_max_num_queries):
    for number in range(5):
        make_campaign(make_list(2, name=f"List {number}", prefix=f"p{number}x"), name=f"News {number}")

    with django_assert_max_num_queries(9):
        admin_client.get(reverse("admin:campaigns_contactlist_changelist"))


def test_a_list_is_exported_with_all_merge_fields_and_no_formula(admin_client):
    friends = ContactList.objects.create(name="Friends")
    friends.contacts.create(email="anna@example.com", name="=1+1", attributes={"city": "Köln", "age": 41})
    Contact.objects.create(email="ben@example.com")

    response = admin_client.get(reverse("admin:campaigns_contactlist_export", args=[friends.pk]))

    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert text.splitlines() == ["email,name,age,city", "anna@example.com,'=1+1,41,Köln"]


def test_any_selection_of_contacts_is_exported(admin_client):
    everybody = make_list(3)

    response = act(admin_client, "export", everybody.contacts.order_by("id")[:2])

    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert [line.split(",")[0] for line in text.splitlines()] == [
        "email",
        "person1@example.com",
        "person2@example.com",
    ]


def test_who_may_not_see_contacts_can_not_export_a_list(client):
    friends = make_list(1)
    staff(client, "view_contactlist")

    assert client.get(reverse("admin:campaigns_contactlist_export", args=[friends.pk])).status_code == 403


def test_suppressions_are_exported_with_why_and_since_when(admin_client):
    row = Suppression.objects.create(email="anna@example.com", reason="bounced", source="campaign 7")
    Suppression.objects.create(email="ben@example.com")

    data = {"action": "export", "_selected_action": [row.pk]}
    response = admin_client.post(reverse("admin:sending_suppression_changelist"), data)

    row.refresh_from_db()
    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0] == "email,reason,source,since"
    assert lines[1:] == [f"anna@example.com,bounced,campaign 7,{row.at.isoformat(timespec='seconds')}"]


def test_a_suppressed_address_is_kept_with_its_domain_as_contacts_keep_theirs(admin_client):
    data = {"email": "anna@müller.example", "reason": "manual"}
    admin_client.post(reverse("admin:sending_suppression_add"), data)

    assert Suppression.objects.get().email == "anna@xn--mller-kva.example"


def test_a_contact_is_suppressed_and_allowed_mail_again(admin_client):
    anna = Contact.objects.create(email="Anna@example.com")
    page = admin_client.post(reverse("admin:campaigns_contact_suppress", args=[anna.pk]), follow=True)

    row = Suppression.objects.get()
    assert (row.email, row.reason, row.source) == ("Anna@example.com", "manual", "admin")
    assert "Gets no mail: Entered by hand, since" in page.content.decode()
    page = admin_client.post(reverse("admin:campaigns_contact_unsuppress", args=[anna.pk]), follow=True)
    assert "Not suppressed" in page.content.decode()
    assert not Suppression.objects.exists()


def test_suppressing_twice_keeps_the_first_reason_and_any_case_is_the_same_address(admin_client):
    anna = Contact.objects.create(email="Anna@example.com")
    Suppression.objects.create(email="anna@EXAMPLE.com", reason="complained")

    admin_client.post(reverse("admin:campaigns_contact_suppress", args=[anna.pk]))
    assert Suppression.objects.get().reason == "complained"
    admin_client.post(reverse("admin:campaigns_contact_unsuppress", args=[anna.pk]))
    assert not Suppression.objects.exists()


def test_suppression_needs_its_permissions_and_a_post(client, admin_client):
    anna = Contact.objects.create(email="anna@example.com")
    suppress, unsuppress = (
        reverse(f"admin:campaigns_contact_{step}", args=[anna.pk]) for step in ("suppress", "unsuppress")
    )
    assert admin_client.get(suppress).status_code == 405
    staff(client, "view_contact", "add_suppression")

    assert client.post(unsuppress).status_code == 403
    assert client.post(suppress).status_code == 302
    page = client.get(reverse("admin:campaigns_contact_change", args=[anna.pk])).content.decode()
    assert "Allow mail again" not in page
    User.objects.get(username="someone").user_permissions.clear()
    assert client.post(suppress).status_code == 403


def test_one_persons_page_tells_every_mail_with_account_time_reply_and_attempts(admin_client):
    account = make_account("gmail")
    campaign = make_campaign(make_list(1), name="Spring")
    (mail,) = queue_rows.make_queue(campaign, "sent", account=account)
    QueuedEmail.objects.filter(pk=mail.pk).update(email="Person1@example.com")
    for outcome, code, text in (("retry", 450, "Try later"), ("sent", 250, "OK queued")):
        SendLog.objects.create(
            queued_email=mail,
            batch=queue_rows.make_batch(),
            account=account,
            phase="dot",
            code=code,
            text=text,
            outcome=outcome,
            duration=1,
        )
    contact = Contact.objects.get()

    page = admin_client.get(reverse("admin:campaigns_contact_change", args=[contact.pk])).content.decode()

    for told in ("Spring", "gmail", "Attempt 1", "450", "Try later", "Refused for the moment", "OK queued"):
        assert told in page
    assert page.index("Try later") < page.index("OK queued")


def test_before_it_is_deleted_its_lists_are_not_named_as_rows_of_a_table(admin_client):
    everybody = make_list(1)
    contact = everybody.contacts.get()
    campaign = make_campaign(everybody)
    Attachment.objects.create(campaign=campaign, filename="a.pdf", content_type="text/plain", content=b"x")
    for model, one in (("contact", contact), ("contactlist", everybody), ("campaign", campaign)):
        page = admin_client.get(reverse(f"admin:campaigns_{model}_delete", args=[one.pk])).content.decode()
        assert "relationship" not in page
        assert str(one) in page
    assert "a.pdf" in page
    admin_client.post(reverse("admin:campaigns_contact_delete", args=[contact.pk]), {"post": "yes"})
    assert not Contact.objects.exists()
