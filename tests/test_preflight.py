"""Before it is sent, a campaign says who gets it and what would go wrong."""

import pytest

from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Attachment
from campaigns.preflight import Level, preflight
from campaigns.recipients import count_recipients
from sending.models import Suppression
from tests.factories import make_account, make_campaign, make_list

pytestmark = pytest.mark.django_db
GOOD = '<p>Dear {{ first_name }}</p><a href="https://example.com/unsubscribe">Unsubscribe</a>'


def texts(campaign, level):
    return [finding.text for finding in preflight(campaign).findings if finding.level == level]


def test_a_sound_campaign_is_ready_and_says_how_many_emails_will_be_queued():
    make_account()
    campaign = make_campaign(make_list(12), html=GOOD)
    found = preflight(campaign)
    assert found.is_ready
    assert {finding.level for finding in found.findings} == {Level.FINE}
    assert found.findings[0].text == "12 emails will be queued."
    assert actions.queue_campaign(campaign) == 12


def test_the_count_is_what_queueing_queues_with_suppressed_repeated_and_earlier_ones():
    make_account()
    both = make_list(10, "both")
    again = make_list(0, "again")
    again.contacts.set(both.contacts.all()[:4])
    campaign = make_campaign(both, html=GOOD)
    Suppression.objects.create(email="PERSON1@example.com")
    actions.queue_campaign(campaign)
    campaign.lists.add(again, make_list(3, "new", prefix="new"))
    found = count_recipients(campaign.pk)
    assert (found.contacts, found.suppressed, found.queued, found.repeated) == (13, 1, 9, 4)
    assert found.new == 3 == actions.queue_campaign(campaign)
    told = texts(campaign, Level.FINE)
    assert "1 contact is suppressed and gets nothing." in told
    assert "4 entries are on more than one list and count once." in told


def test_without_recipients_or_an_account_it_can_not_be_sent():
    assert not preflight(make_campaign(html=GOOD)).is_ready
    campaign = make_campaign(make_list(1), name="Two", html=GOOD)
    assert texts(campaign, Level.BLOCKER) == ["No account can send it: add an account, or enable one."]


def test_an_account_that_can_not_log_in_is_named_with_what_is_wrong():
    make_account("good")
    make_account("bad")
    SmtpAccount.objects.filter(name="bad").update(pause_reason="It needs a new password.")
    campaign = make_campaign(make_list(1), html=GOOD)
    assert texts(campaign, Level.WARNING) == ["bad can't send until it is mended: It needs a new password."]
    assert preflight(campaign).is_ready
    SmtpAccount.objects.update(pause_reason="It needs a new password.")
    assert not preflight(campaign).is_ready


def test_missing_fields_insecure_links_and_no_way_to_unsubscribe_are_warned_of():
    make_account()
    html = '<p>{{ city }}</p><a href="http://example.com/a">a</a><img src=http://example.com/b.png>'
    warned = " ".join(texts(make_campaign(make_list(2), html=html), Level.WARNING))
    assert "2 of 2 contacts lack city" in warned
    assert "http://example.com/a, http://example.com/b.png" in warned
    assert "unsubscribe" in warned


def test_a_message_that_no_server_takes_is_a_blocker():
    make_account()
    campaign = make_campaign(make_list(1), html=GOOD)
    Attachment.objects.create(
        campaign=campaign, filename="a.bin", content_type="application/pdf", content=bytes(20 * 1024 * 1024)
    )
    assert "25 MB at most" in texts(campaign, Level.BLOCKER)[0]


def test_html_that_gmail_would_cut_is_warned_of():
    make_account()
    campaign = make_campaign(make_list(1), html=GOOD + "<p>much</p>" * 12_000)
    assert "Gmail shows the beginning only" in texts(campaign, Level.WARNING)[0]


def test_a_letter_that_can_not_be_made_is_a_blocker_with_the_reason():
    make_account()
    campaign = make_campaign(make_list(1), html=GOOD + "{{ 1 | divided_by: missing }}")
    assert "can't be made for this contact" in texts(campaign, Level.BLOCKER)[0]


def test_the_number_of_queries_does_not_grow_with_recipients_and_accounts(django_assert_max_num_queries):
    for n in range(8):
        make_account(f"a{n}")
    campaign = make_campaign(make_list(200), html=GOOD)
    with django_assert_max_num_queries(8):
        preflight(campaign)
