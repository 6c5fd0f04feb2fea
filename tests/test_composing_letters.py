"""Letters for queue rows: one bad row harms no other, and the cost does not grow with the rows."""

import pytest

from campaigns.actions import queue_campaign
from campaigns.composing import compose_for
from campaigns.models import Attachment, Campaign, Contact
from sending.composer import ComposeError, Enclosure, Letter, compose
from sending.models import QueuedEmail
from tests.factories import make_campaign, make_list

pytestmark = pytest.mark.django_db


def queued(campaign: Campaign) -> list[QueuedEmail]:
    queue_campaign(campaign)
    return list(QueuedEmail.objects.filter(campaign=campaign).order_by("id"))


def letter(campaign: Campaign) -> Letter:
    (made,) = compose(queued(campaign)).values()
    assert isinstance(made, Letter), made
    return made


def test_each_row_gets_its_own_letter() -> None:
    rows = queued(make_campaign(make_list(2), html="<p>{{ first_name }}</p>"))
    letters = compose(rows)
    assert [letters[row.pk].subject for row in rows] == ["Hello Person1", "Hello Person2"]
    assert [letters[row.pk].text for row in rows] == ["Dear Person1", "Dear Person2"]
    assert [letters[row.pk].html for row in rows] == ["<p>Person1</p>", "<p>Person2</p>"]


def test_email_and_name_are_merge_fields_and_win_over_attributes() -> None:
    everybody = make_list(0)
    everybody.contacts.create(
        email="ada@example.com", name="Ada", attributes={"email": "x", "name": "y", "city": "Köln"}
    )
    made = letter(make_campaign(everybody, text="{{ name }} {{ email }} {{ city }}"))
    assert made.text == "Ada ada@example.com Köln"
    assert made.to_name == "Ada"


def test_the_name_beside_the_address_is_made_of_its_parts_where_there_is_no_whole_one() -> None:
    everybody = make_list(0)
    everybody.contacts.create(email="a@example.com", attributes={"first_name": "Ada", "last_name": 7})
    assert letter(make_campaign(everybody)).to_name == "Ada"


@pytest.mark.parametrize("attributes", [[], "text", 7])
def test_attributes_that_are_no_object_are_no_merge_fields(attributes: object) -> None:
    everybody = make_list(0)
    everybody.contacts.create(email="a@example.com", attributes=attributes)
    assert letter(make_campaign(everybody)).text == "Dear "


def test_html_is_escaped_and_subject_and_text_are_not() -> None:
    everybody = make_list(0)
    everybody.contacts.create(email="a@example.com", attributes={"first_name": "<b>&"})
    made = letter(make_campaign(everybody, html="<p>{{ first_name }}</p>"))
    assert (made.subject, made.text, made.html) == ("Hello <b>&", "Dear <b>&", "<p>&lt;b&gt;&amp;</p>")


def test_attachments_go_with_every_letter() -> None:
    campaign = make_campaign(make_list(2))
    Attachment.objects.create(
        campaign=campaign, filename="a.pdf", content_type="application/pdf", content=b"%PDF\x00"
    )
    expected = (Enclosure("a.pdf", "application/pdf", b"%PDF\x00"),)
    assert [made.enclosures for made in compose(queued(campaign)).values()] == [expected, expected]


def test_a_row_that_cannot_be_rendered_fails_alone() -> None:
    everybody = make_list(0)
    for number, people in enumerate([2, 0, 5]):
        everybody.contacts.create(email=f"secret{number}@example.com", attributes={"people": people})
    made = list(compose(queued(make_campaign(everybody, text="{{ 10 | divided_by: people }}"))).values())
    assert [getattr(one, "text", None) for one in made] == ["5", None, "2"]
    assert isinstance(made[1], ComposeError)
    assert "The text can't be made for this contact: line 1" in str(made[1])
    assert "secret" not in str(made[1])


def test_a_deleted_contact_fails_alone() -> None:
    campaign = make_campaign(make_list(2))
    queue_campaign(campaign)
    Contact.objects.earliest("id").delete()
    gone, there = compose(list(QueuedEmail.objects.order_by("id"))).values()
    assert isinstance(gone, ComposeError)
    assert isinstance(there, Letter)


def test_a_campaign_with_a_broken_part_fails_and_others_go_on() -> None:
    everybody = make_list(1)
    broken = queued(make_campaign(everybody, name="broken", html="{% if %}"))
    sound = queued(make_campaign(everybody, name="sound"))
    letters = compose(broken + sound)
    assert isinstance(letters[broken[0].pk], ComposeError)
    assert "HTML has a mistake in line 1: " in str(letters[broken[0].pk])
    assert isinstance(letters[sound[0].pk], Letter)


@pytest.mark.parametrize("count", [1, 40])
def test_the_number_of_queries_does_not_grow_with_the_rows(count: int, django_assert_num_queries) -> None:
    rows = queued(make_campaign(make_list(count)))
    with django_assert_num_queries(3):
        assert len(compose(rows)) == count


def test_no_rows_are_no_letters() -> None:
    assert compose([]) == {}


def test_without_a_text_part_the_html_is_told_in_plain_text() -> None:
    html = '<h1>Hi {{ first_name }}</h1><p>Read <a href="https://x.example/?a=1&amp;b=2">the story</a>.</p>'
    made = letter(make_campaign(make_list(1), html=html, text=" "))
    assert made.text == "Hi Person1\n\nRead the story <https://x.example/?a=1&b=2>."


def test_html_nested_out_of_all_reason_is_no_crash() -> None:
    html = "<div>" * 5000 + "deep"
    (made,) = compose(queued(make_campaign(make_list(1), html=html, text=""))).values()
    assert isinstance(made, Letter | ComposeError)


def test_a_preview_is_the_letter_that_the_contact_would_get() -> None:
    campaign = make_campaign(make_list(1), html="<p>{{ first_name }}")
    assert compose_for(campaign, Contact.objects.get()) == letter(campaign)
