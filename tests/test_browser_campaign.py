"""A campaign's page in a real browser: the preview, merge fields, a test, attachments, review, send."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from campaigns.models import Attachment, Campaign, ContactList
from sending.models import QueuedEmail, TestMail
from tests.browser import assert_accessible_in_every_look
from tests.cluster import wait_for
from tests.factories import make_account, make_campaign, make_list, make_user
from tests.queue_rows import beat, make_queue, queued
from tests.smtp_fixtures import account_at

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]
HTML = '<p id="hello" style="color: rgb(255, 0, 0)">Dear {{ first_name }}</p>'


@pytest.fixture
def campaign() -> Campaign:
    everybody = make_list(3)
    everybody.contacts.create(email="no-name@example.com")
    return make_campaign(everybody, html=HTML, text="")


def change_url(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])


def letter(page):
    return page.frame_locator("iframe.letter")


def test_the_preview_follows_what_is_typed_for_any_contact_and_saves_nothing(page, campaign):
    page.goto(change_url(campaign))
    letter(page).get_by_text("Dear Person1").wait_for()
    page.locator("#id_html").fill(HTML.replace("Dear", "Hello"))
    letter(page).get_by_text("Hello Person1").wait_for()
    page.locator("#id_subject").fill("News for {{ first_name }}")
    page.get_by_text("News for Person1").wait_for()

    page.get_by_role("button", name="Next").click()
    letter(page).get_by_text("Hello Person2").wait_for()
    page.get_by_role("button", name="Previous").click()
    letter(page).get_by_text("Hello Person1").wait_for()
    page.get_by_label("For", exact=True).fill("person3")
    letter(page).get_by_text("Hello Person3").wait_for()
    page.get_by_label("For", exact=True).fill("nobody@")
    page.get_by_text("Nobody on its lists has an address that begins so.").wait_for()

    campaign.refresh_from_db()
    assert campaign.html == HTML


def test_the_letter_has_its_inline_styles_and_none_of_its_scripts(page, campaign):
    Campaign.objects.update(html=HTML + '<script>document.title = "x"</script>')
    page.goto(change_url(campaign))
    hello = letter(page).locator("#hello")
    assert hello.evaluate("element => getComputedStyle(element).color") == "rgb(255, 0, 0)"
    assert letter(page).locator("body").evaluate("() => document.title") == ""
    assert letter(page).locator("body").evaluate("() => window.origin") == "null"


def test_it_is_shown_as_on_a_desktop_on_a_phone_and_as_plain_text(page, campaign):
    page.goto(change_url(campaign))
    letter(page).get_by_text("Dear Person1").wait_for()

    def shown_width() -> int:
        return letter(page).locator("body").evaluate("() => window.innerWidth")

    assert shown_width() == 640
    page.get_by_role("button", name="Mobile").click()
    wait_for(lambda: shown_width() in range(360, 376))
    assert page.get_by_role("button", name="Mobile").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Plain text").click()
    page.locator("pre.letter-text", has_text="Dear Person1").wait_for()
    assert not page.locator("iframe.letter").is_visible()


def test_an_error_of_the_template_stands_beside_it_and_goes_when_it_is_mended(page, campaign):
    page.goto(change_url(campaign))
    letter(page).get_by_text("Dear Person1").wait_for()
    page.locator("#id_html").fill("<p>Dear\n{{ first_name | defualt: 1 }}")
    page.get_by_text("The campaign's HTML has a mistake in line 2: there is no filter “defualt”").wait_for()
    page.locator("#id_html").fill("<p>Mended, {{ first_name }}")
    letter(page).get_by_text("Mended, Person1").wait_for()
    assert not page.locator(".preview .errornote").is_visible()


def test_a_new_campaign_is_written_with_its_fields_at_hand(page, campaign):
    other = ContactList.objects.create(name="Members")
    other.contacts.create(email="ann@example.com", attributes={"city": "Kiel", "Kunden Nr": "77"})
    page.goto(reverse("admin:campaigns_campaign_add"))
    page.get_by_text("their fields stand here").wait_for()
    page.get_by_label("Members").check()
    page.get_by_text("1 contact is on the chosen lists.").wait_for()

    page.locator("#id_subject").fill("News from ")
    page.get_by_role("button", name="city").click()
    assert page.locator("#id_subject").input_value() == "News from {{ city }}"
    page.locator("#id_html").fill("<p>No : hello")
    page.locator("#id_html").evaluate("box => box.setSelectionRange(6, 6)")
    page.get_by_role("button", name="Kunden Nr").click()
    assert page.locator("#id_html").input_value() == '<p>No {{ ["Kunden Nr"] }}: hello'
    letter(page).get_by_text("No 77: hello").wait_for()
    page.get_by_text("News from Kiel").wait_for()

    page.get_by_label("everybody").check()
    page.get_by_text("5 contacts are on the chosen lists.").wait_for()
    assert page.locator("#merge-fields li", has_text="city").inner_text() == "city 4 lack it"


def test_a_test_shows_what_is_typed_and_tells_the_servers_reply(page, campaign, smtp_server):
    account = account_at(smtp_server.port, name="one", daily_limit=1)
    account.save()
    page.goto(change_url(campaign))
    letter(page).get_by_text("Dear Person1").wait_for()
    page.get_by_role("button", name="Next").click()
    letter(page).get_by_text("Dear Person2").wait_for()
    page.locator("#id_html").fill("<p>Typed for {{ first_name }}")
    letter(page).get_by_text("Typed for Person2").wait_for()

    page.get_by_label("To", exact=True).fill("maria@office.example")
    page.get_by_role("button", name="Send test").click()
    page.get_by_text("Sent to maria@office.example over “one”").wait_for()
    page.get_by_text("The server said: 250").wait_for()
    (mail,) = smtp_server.received
    assert mail.rcpt == "maria@office.example"
    assert b"Typed for Person2" in mail.raw
    assert b"[Test] Hello Person2" in mail.raw

    page.get_by_role("button", name="Send test").click()
    page.get_by_text("“one” has used its 24 h limit").wait_for()
    assert len(smtp_server.received) == 1
    assert TestMail.objects.get().campaign == campaign


def test_the_address_is_that_of_the_user(open_page, django_user_model, campaign):
    make_account()
    user = django_user_model.objects.create_superuser("maria", email="maria@office.example")
    page = open_page(user)
    page.goto(change_url(campaign))
    assert page.get_by_label("To", exact=True).input_value() == "maria@office.example"


def test_a_file_is_attached_kept_and_deleted_on_the_page(page, campaign, tmp_path):
    (tmp_path / "programme.pdf").write_bytes(b"%PDF content")
    page.goto(change_url(campaign))
    page.get_by_role("button", name="Add another Attachment").click()
    page.get_by_label("File", exact=True).first.set_input_files(tmp_path / "programme.pdf")
    page.get_by_role("button", name="Save and continue editing").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="programme.pdf").click()
    assert download.value.path().read_bytes() == b"%PDF content"
    page.get_by_label("Delete programme.pdf").check()
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_text("was changed successfully").wait_for()
    assert not Attachment.objects.exists()


def test_from_the_form_over_the_review_to_queued_emails(page, campaign):
    beat()
    make_account(daily_limit=1000)
    make_queue(queued("Ahead"), "pending", 5)
    page.goto(change_url(campaign))
    page.locator("#id_html").fill("<p>Dear {{ first_name }}, see http://example.com or unsubscribe")
    page.get_by_role("button", name="Save and review before sending").click()
    page.get_by_role("heading", name="Review before sending").wait_for()
    told = page.locator(".review").inner_text()
    assert re.search(r"4 mails over 1 account: finished \w+ about \d\d:\d\d; 1 campaign is ahead\.", told)
    assert "1 of 4 contacts lack first_name; it will be empty." in told
    page.locator(".findings").get_by_text("a1: Nothing listens on 127.0.0.1").wait_for()
    assert_accessible_in_every_look(page)

    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Send 4 emails").click()
    assert not QueuedEmail.objects.filter(campaign=campaign).exists()
    questions = []
    page.once("dialog", lambda dialog: (questions.append(dialog.message), dialog.accept()))
    page.get_by_role("button", name="Send 4 emails").click()
    page.get_by_text("Queued 4 emails for sending").wait_for()
    assert questions == ["Send “News” to 4 people now?"]
    assert QueuedEmail.objects.filter(campaign=campaign, status="pending").count() == 4


def test_who_may_not_write_sees_the_preview_of_what_is_saved(open_page, campaign):
    page = open_page(make_user("Sender"))
    page.goto(change_url(campaign))
    letter(page).get_by_text("Dear Person1").wait_for()
    page.get_by_role("link", name="Review and send").click()
    page.get_by_role("heading", name="Review before sending").wait_for()


def test_the_pages_of_a_campaign_are_accessible_in_every_state(page, campaign):
    beat()
    make_account(daily_limit=1)
    make_account("broken", pause_reason="It needs a new password.")
    Attachment.objects.create(
        campaign=campaign, filename="a.pdf", content_type="application/pdf", content=b"x"
    )
    make_queue(queued("Under way"), "pending", 40)
    review = reverse("admin:campaigns_campaign_review", args=[campaign.pk])
    others = [change_url(one) for one in Campaign.objects.exclude(pk=campaign.pk)]
    for url in (change_url(campaign), reverse("admin:campaigns_campaign_add"), review, *others):
        page.goto(url)
        page.wait_for_load_state("networkidle")
        assert_accessible_in_every_look(page)
    page.goto(change_url(campaign))
    page.locator("#id_html").fill("{{")
    page.locator(".preview .errornote").wait_for()
    page.get_by_label("To", exact=True).fill("maria@office.example")
    page.get_by_role("button", name="Send test").click()
    page.locator("#test-result .sentence").wait_for()
    assert_accessible_in_every_look(page)


def test_a_session_that_ends_while_one_writes_takes_nothing_of_what_is_typed(page, campaign):
    page.goto(change_url(campaign))
    letter(page).get_by_text("Dear Person1").wait_for()
    user = get_user_model().objects.get()
    user.set_password("once more")  # ends the session that the page has
    user.save()
    page.locator("#id_html").fill("<p>Typed for an hour</p>")
    page.get_by_text("You are logged out.").wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    assert page.locator("#id_html").input_value() == "<p>Typed for an hour</p>"
    assert_accessible_in_every_look(page)

    with page.expect_popup() as popup:
        page.get_by_role("link", name="Log in in another tab").click()
    popup.value.get_by_label("Username").fill("maria")
    popup.value.get_by_label("Password").fill("once more")
    popup.value.get_by_role("button", name="Log in").click()
    popup.value.get_by_role("heading", name="Dashboard").wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("was changed successfully").wait_for()
    campaign.refresh_from_db()
    assert campaign.html == "<p>Typed for an hour</p>"


def test_the_list_asks_before_it_sends_or_cancels(page, campaign):
    page.goto(reverse("admin:campaigns_campaign_changelist"))
    page.locator(".action-select").check()
    asked = []

    def refuse(dialog):
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    for action in ("send", "cancel"):
        page.get_by_label("Action:").select_option(action)
        page.locator("button[name=index]").click()
    assert asked == [
        "Send the chosen campaigns now, without the review?",
        "What waits will never be sent. Cancel the chosen campaigns for good?",
    ]
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    page.get_by_label("Action:").select_option("pause")
    page.locator("button[name=index]").click()
    page.locator(".messagelist").wait_for()
    assert len(asked) == 2
