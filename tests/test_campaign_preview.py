"""The live preview: what a contact will read of what stands in the form, saved or not."""

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import actions, merge_fields
from campaigns.merge_fields import available
from campaigns.models import Campaign, Contact, ContactList
from tests.factories import make_campaign, make_list, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> Client:
    return logged_in("Editor")


def logged_in(*roles: str) -> Client:
    client = Client()
    client.force_login(make_user(*roles))
    return client


def ask(client: Client, what: str, **form: object):
    return client.post(reverse(f"admin:campaigns_campaign_{what}"), form)


def typed(everybody: ContactList, **parts: object) -> dict[str, object]:
    return {"lists_chosen": "yes", "lists": [everybody.pk], **parts}


def text_of(response) -> str:
    return " ".join(response.content.decode().split())


def test_what_is_typed_is_shown_and_nothing_saved(editor):
    everybody = make_list(2)
    campaign = make_campaign(everybody, html="<p>old")
    form = typed(
        everybody, campaign=campaign.pk, subject="New {{ first_name }}", html="<p>New {{ first_name }}"
    )
    shown = text_of(ask(editor, "preview", **form))
    assert "person1@example.com" in shown
    assert "New Person1" in shown
    assert ask(editor, "letter", **form).content.decode() == "<p>New Person1"
    campaign.refresh_from_db()
    assert (campaign.subject, campaign.html) == ("Hello {{ first_name }}", "<p>old")


def test_a_campaign_that_was_never_saved_has_a_preview(editor):
    shown = text_of(ask(editor, "preview", **typed(make_list(1), subject="Hi", text="Dear {{ first_name }}")))
    assert "Dear Person1" in shown
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<p>\n{{ first_name", "The campaign&#x27;s HTML has a mistake in line 2: “{{” is not closed"),
        ("{{ x | defualt: 1 }}", "there is no filter “defualt”"),
        ("{{ 1 | divided_by: 0 }}", "The HTML can&#x27;t be made for this contact"),
        ("{% for i in (1..99999) %}{{ i }}{% endfor %}", "HTML"),
    ],
)
def test_an_error_of_the_template_is_told_in_words(editor, html, problem):
    response = ask(editor, "preview", **typed(make_list(1), html=html))
    assert response.status_code == 200
    assert 'class="errornote"' in response.content.decode()
    assert problem in response.content.decode()
    assert ask(editor, "letter", **typed(ContactList.objects.get(), html=html)).content == b""


def test_the_letter_is_framed_by_us_alone_and_runs_no_script(editor):
    html = '<p style="color: red">Hi</p><script>alert(1)</script>'
    response = ask(editor, "letter", **typed(make_list(1), html=html))
    policy = set(response["Content-Security-Policy"].split("; "))
    assert {"sandbox", "default-src 'none'", "style-src 'unsafe-inline'", "frame-ancestors 'self'"} <= policy
    assert not any(part.startswith("script-src") for part in policy)
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert "<script>" not in text_of(ask(editor, "preview", **typed(ContactList.objects.get(), html=html)))


def test_nothing_is_shown_on_get(editor):
    for what in ("preview", "letter", "fields", "test"):
        assert editor.get(reverse(f"admin:campaigns_campaign_{what}")).status_code == 405


def test_contacts_are_found_by_address_and_by_turns(editor):
    everybody = make_list(3)
    Contact.objects.create(email="elsewhere@example.com")
    first, second, third = Contact.objects.filter(lists=everybody).order_by("pk")
    shown = text_of(ask(editor, "preview", **typed(everybody, text="Hi", contact=second.pk)))
    assert f'data-earlier="{first.pk}" data-later="{third.pk}"' in shown
    assert "person3@" in text_of(ask(editor, "preview", **typed(everybody, text="Hi", find="PERSON3")))
    for nobody in ("elsewhere", "100%", "\x00"):
        found = text_of(ask(editor, "preview", **typed(everybody, text="Hi", find=nobody)))
        assert ("begins so" in found) == (nobody != "\x00")
    for odd in ("x", "²", "9" * 40, str(Contact.objects.get(email="elsewhere@example.com").pk)):
        assert "person1@" in text_of(ask(editor, "preview", **typed(everybody, text="Hi", contact=odd)))


def test_without_contacts_it_says_what_to_do(editor):
    assert "Tick a list that has contacts" in text_of(ask(editor, "preview", text="Hi"))
    assert "Tick a list that has contacts" in text_of(ask(editor, "fields"))
    empty = ContactList.objects.create(name="empty")
    assert "Tick a list that has contacts" in text_of(ask(editor, "fields", **typed(empty)))


def test_who_may_not_write_sees_what_is_saved_whatever_is_asked():
    everybody = make_list(1)
    campaign = make_campaign(everybody, text="saved")
    response = ask(logged_in("Viewer"), "preview", **typed(everybody, campaign=campaign.pk, text="mine"))
    assert "saved" in text_of(response)
    assert "mine" not in text_of(response)


def test_a_campaign_under_way_is_shown_as_it_goes_out(editor):
    everybody, other = make_list(1), make_list(1, "other", "other")
    campaign = make_campaign(everybody, text="saved")
    actions.queue_campaign(campaign)
    shown = text_of(ask(editor, "preview", **typed(other, campaign=campaign.pk, text="typed")))
    assert "person1@example.com" in shown
    assert "saved" in shown
    actions.pause_campaign(campaign)
    shown = text_of(ask(editor, "preview", campaign=campaign.pk, text="typed"))
    assert "typed" in shown


def test_the_helper_lists_the_fields_and_how_many_lack_each(editor):
    everybody = make_list(3)
    everybody.contacts.create(
        email="a@example.com", name="Ann", attributes={"city": "Kiel", "first_name": " ", "Kunden Nr": 7}
    )
    everybody.contacts.create(email="b@example.com", attributes=["no", "object"])
    shown = text_of(ask(editor, "fields", **typed(everybody)))
    assert 'data-insert="{{ first_name }}">first_name</button> <span class="small quiet">2 lack it' in shown
    assert 'data-insert="{{ [&quot;Kunden Nr&quot;] }}">' in shown
    assert "5 contacts are on the chosen lists." in shown
    found = {field.name: field.lack for field in available([everybody.pk]).fields}
    assert found == {"email": 0, "first_name": 2, "name": 4, "city": 4, "Kunden Nr": 4}


def test_of_very_many_contacts_some_are_read_and_what_lacks_is_an_estimate(editor, monkeypatch):
    monkeypatch.setattr(merge_fields, "MOST_READ", 20)
    everybody = make_list(100)
    Contact.objects.filter(pk__in=everybody.contacts.order_by("pk")[:50]).update(attributes={"city": "Kiel"})
    found = available([everybody.pk])
    lacking = {field.name: field.lack for field in found.fields}
    assert (found.contacts, found.is_estimate, lacking["name"]) == (100, True, 100)
    assert lacking["city"] == lacking["first_name"] == 50
    assert "is an estimate" in text_of(ask(editor, "fields", **typed(everybody)))


@pytest.mark.parametrize("name", ["city", "Kunden Nr", "Straße", 'with "quotes"', "it's", "empty", "now"])
def test_what_the_helper_puts_in_is_the_value_of_the_field(editor, name):
    everybody = ContactList.objects.create(name="all")
    everybody.contacts.create(email="a@example.com", attributes={name: "VALUE"})
    (field,) = [field for field in available([everybody.pk]).fields if field.name == name]
    shown = text_of(ask(editor, "preview", **typed(everybody, text=f"It is {field.placeholder}.")))
    assert "It is VALUE." in shown


def test_a_field_that_can_not_be_named_in_a_template_is_not_offered():
    everybody = ContactList.objects.create(name="all")
    everybody.contacts.create(email="a@example.com", attributes={"both \" and '": "x", "back\\slash": "x"})
    assert [field.name for field in available([everybody.pk]).fields] == ["email", "name"]


def test_a_preview_costs_a_fixed_number_of_queries(editor, django_assert_max_num_queries):
    everybody = make_list(500)
    with django_assert_max_num_queries(12):
        ask(editor, "preview", **typed(everybody, text="Hi {{ first_name }}"))


def test_a_field_that_this_contact_lacks_is_named_while_it_is_typed(editor):
    html = "<p>{{ frist_name }} {{ first_name }} {{ city | default: 'you' }} {{ email }}"
    everybody = make_list(1)
    shown = text_of(ask(editor, "preview", **typed(everybody, subject="{{ town }}", html=html)))
    assert "<strong>Empty in this mail:</strong> frist_name (did you mean first_name?), town<" in shown
    shown = text_of(ask(editor, "preview", **typed(everybody, subject="Hi", html="{{ first_name }}")))
    assert "Empty in this mail" not in shown
