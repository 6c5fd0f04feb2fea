"""From an empty database to a sent campaign in a real browser: each role does its part, a cluster sends."""

import pytest
from django.urls import reverse

from accounts.models import SmtpAccount
from campaigns.models import Campaign, Contact
from config.demo.smtp_server import LocalSmtpServer
from sending.models import QueuedEmail
from tests.staff import make_user

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
ADDRESS, PASSWORD = "office@harbour-books.example", "Xq7-never-shown"
GUESTS = b"email,first_name\nida@example.com,Ida\nben@example.com,Ben\nanna@example.com,Anna\n"
FRONT = reverse("admin:index")


def test_an_office_goes_from_nothing_to_a_sent_campaign(open_page, start_cluster):
    start_cluster()
    with LocalSmtpServer({ADDRESS: PASSWORD}) as server:
        add_the_account(open_page(make_user("Account manager", name="max")), server.port)
        editor = open_page(make_user("Editor", name="eva"))
        import_the_contacts(editor)
        write_the_campaign(editor)
        send_it(open_page(make_user("Sender", name="sam")))
        see_it_sent(open_page(make_user("Viewer", name="vera")))
    assert sorted(mail.rcpt for mail in server.received) == sorted(
        Contact.objects.values_list("email", flat=True)
    )
    assert any(b"Dear Ida" in mail.raw for mail in server.received)
    assert Campaign.objects.get().queued_by.username == "sam"


def add_the_account(page, port):
    page.goto(FRONT)
    page.get_by_text("First steps").wait_for()
    page.get_by_role("link", name="Add an account").click()
    page.get_by_role("link", name="Another SMTP server").click()
    page.get_by_label("Email:").fill(ADDRESS)
    page.get_by_label("SMTP host").fill("127.0.0.1")
    page.get_by_label("SMTP port").fill(str(port))
    page.get_by_label("Security:", exact=True).select_option("none")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Save and check connection").click()
    page.get_by_text("The connection works.").first.wait_for()
    assert SmtpAccount.objects.get().is_enabled


def import_the_contacts(page):
    page.goto(FRONT)
    page.get_by_role("link", name="Import contacts").click()
    page.get_by_label("File").set_input_files(
        {"name": "guests.csv", "mimeType": "text/csv", "buffer": GUESTS}
    )
    page.get_by_label("Name of the new list").fill("Guests")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("button", name="Import", exact=True).click(timeout=60_000)
    page.get_by_text("The file was imported.").wait_for(timeout=60_000)


def write_the_campaign(page):
    page.goto(FRONT)
    page.get_by_role("link", name="Write a campaign").click()
    page.get_by_label("Name:").fill("Spring")
    page.get_by_label("Guests").check()
    page.get_by_label("Subject:").fill("News for {{ first_name }}")
    page.locator("#id_html").fill("<p>Dear {{ first_name }}, our books are here.</p>")
    page.frame_locator("iframe.letter").get_by_text("Dear Ida, our books are here.").wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Spring").first.wait_for()
    assert not QueuedEmail.objects.exists()


def send_it(page):
    page.goto(FRONT)
    page.get_by_role("link", name="Spring").click()
    page.get_by_role("link", name="Review").first.click()
    page.get_by_text("3 mails over 1 account: finished").wait_for()
    page.get_by_text("1 account can log in.").wait_for()
    page.once("dialog", lambda question: question.accept())
    page.get_by_role("button", name="Send 3 emails").click()
    page.get_by_text("Queued 3 emails for sending").wait_for()


def see_it_sent(page):
    page.goto(FRONT)
    page.get_by_text("100% of 3").wait_for(timeout=90_000)
    page.get_by_text("Batch sent: 3 emails, 0 failures.").wait_for()
    page.get_by_text("Sending is running.").wait_for()
