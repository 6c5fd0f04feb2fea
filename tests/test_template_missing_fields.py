"""The campaign says how many contacts lack a merge field."""

import pytest

from campaigns.merge_fields import coverage, lacking, missing_fields, notes
from campaigns.models import Campaign, Contact
from tests.factories import make_campaign, make_list

pytestmark = pytest.mark.django_db


def campaign_with(*people: dict[str, object], **parts: str) -> Campaign:
    everybody = make_list(0)
    for number, person in enumerate(people):
        everybody.contacts.add(Contact.objects.create(email=f"p{number}@example.com", **person))
    return make_campaign(everybody, **{"subject": "s", "text": "t", **parts})


def test_absent_null_and_blank_are_missing_and_false_and_zero_are_not() -> None:
    people = [{"attributes": attributes} for attributes in (
        {}, {"x": None}, {"x": ""}, {"x": "  "}, {"x": "v"}, {"x": False}, {"x": 0}, {"x": ["a"]},
    )]  # fmt: skip
    assert missing_fields(campaign_with(*people, html="{{ x }}")) == {"x": 4}


def test_every_part_counts_and_columns_too() -> None:
    campaign = campaign_with(
        {"name": "Ada", "attributes": {"b": 1}},
        {"attributes": {"a": 1, "b": 1}},
        subject="{{ a }}", html="{{ b }}", text="{{ name }}{{ email }}",
    )  # fmt: skip
    assert missing_fields(campaign) == {"a": 1, "name": 1}


def test_a_contact_on_two_lists_counts_once() -> None:
    campaign = campaign_with({}, {}, text="{{ x }}")
    other = make_list(0, name="other")
    other.contacts.set(Contact.objects.all())
    campaign.lists.add(other)
    make_list(3, name="not of this campaign")
    assert coverage(campaign).contacts == 2
    assert missing_fields(campaign) == {"x": 2}


def test_odd_field_names_are_counted_as_written() -> None:
    campaign = campaign_with({"attributes": {"Größe": "m", "1": "x"}}, {}, html='{{ Größe }}{{ ["1"] }}')
    assert missing_fields(campaign) == {"Größe": 1, "1": 1}


def test_it_costs_one_query(django_assert_num_queries) -> None:
    campaign = campaign_with({}, {}, subject="{{ a }}{{ b }}{{ c }}{{ name }}")
    with django_assert_num_queries(1):
        assert len(missing_fields(campaign)) == 4


def test_notes_say_what_will_be_there_instead() -> None:
    campaign = campaign_with(
        {}, {"attributes": {"a": "x"}},
        subject="{{ a }}", html="{{ b | default: 'x' }}", text="{{ a | default: 'x' }}",
    )  # fmt: skip
    assert notes(campaign) == [
        "1 of 2 contacts lack a; it will be empty.",
        "2 of 2 contacts lack b; its default will be used.",
    ]


def test_a_campaign_without_lists_lacks_nothing() -> None:
    assert notes(make_campaign(text="{{ a }}")) == []


def test_a_field_that_nobody_has_is_asked_about() -> None:
    assert notes(campaign_with({}, {}, text="{{ frist_name }}")) == [
        "2 of 2 contacts lack frist_name: is it spelled right? It will be empty.",
    ]


def test_a_field_that_nobody_has_is_told_with_the_one_that_was_meant() -> None:
    people = ({"attributes": {"first_name": name, "city": ""}} for name in ("Ada", "Bob"))
    assert notes(
        campaign_with(*people, text="{{ frist_name }}{{ First_Name | default: 'x' }}{{ city }}")
    ) == [
        "There is no field “First_Name”; did you mean “first_name”? Its default will be used.",
        "2 of 2 contacts lack city: is it spelled right? It will be empty.",
        "There is no field “frist_name”; did you mean “first_name”? It will be empty.",
    ]


def test_the_preview_says_which_field_was_meant() -> None:
    campaign = campaign_with(
        {"attributes": {"first_name": "Ada", "city": ""}}, text="{{ frist_name }}{{ city }}"
    )
    assert lacking(campaign, Contact.objects.get()) == ["city", "frist_name (did you mean first_name?)"]
