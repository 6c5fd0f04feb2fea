"""Contacts in a real browser: an import with errors that a real cluster does, one person's page."""

import pytest
from django.urls import reverse

from campaigns.models import Contact, Import
from sending.models import Suppression
from tests.browser import assert_accessible_in_every_look
from tests.factories import make_campaign, make_list
from tests.queue_rows import make_queue

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]
FILE = {
    "name": "guests.csv",
    "mimeType": "text/csv",
    "buffer": "Gast;Adresse;Stadt\nJörg Maier;joerg@example.com;Köln\nBen;ben@;Bonn\n"
    "Ida;ida@example.com;\nIda;IDA@example.com;Kiel\n".encode("cp1252"),
}


def test_a_file_is_uploaded_mapped_checked_and_imported_without_reloading_by_hand(page, start_cluster):
    start_cluster()
    page.goto(reverse("admin:campaigns_contact_changelist"))
    page.get_by_role("link", name="Import contacts").last.click()
    page.get_by_label("File").set_input_files(FILE)
    page.get_by_label("Name of the new list").fill("Guests")
    page.get_by_role("button", name="Go on").click()

    page.get_by_text("windows-1252").wait_for()
    page.get_by_role("combobox", name="Gast", exact=True).select_option("Name")
    page.get_by_role("combobox", name="Adresse", exact=True).select_option("E-mail address")
    page.get_by_label("Merge field of Stadt").fill("home town")
    page.get_by_role("button", name="Check the file").click()

    page.get_by_text("The file was checked.").wait_for()
    assert page.get_by_role("row", name="New contacts 2").is_visible()
    assert page.get_by_role("row", name="3 ben@").is_visible()
    assert not Contact.objects.exists()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the refused rows").click()
    assert download.value.suggested_filename.endswith(".csv")
    page.get_by_role("button", name="Import", exact=True).click()

    page.get_by_text("The file was imported.").wait_for()
    page.get_by_role("link", name="See the contacts of Guests").click()
    page.get_by_role("link", name="joerg@example.com").wait_for()
    ida = Contact.objects.get(email="ida@example.com")
    assert (ida.name, ida.attributes) == ("Ida", {"home_town": "Kiel"})


def test_the_progress_of_an_import_is_seen_again_after_leaving_the_page(page, start_cluster):
    rows = b"email\n" + b"".join(b"person%d@example.com\n" % number for number in range(30_000))
    page.goto(reverse("admin:campaigns_import_add"))
    page.get_by_label("File").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": rows})
    page.get_by_label("Name of the new list").fill("Everyone")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Check the file").click()
    page.get_by_text("Sending is not running, so this waits.").wait_for()
    assert_accessible_in_every_look(page)
    page.goto(reverse("admin:index"))

    start_cluster()

    page.goto(reverse("admin:campaigns_import_change", args=[Import.objects.get().pk]))
    page.get_by_text("The file was checked.").wait_for(timeout=60_000)


def test_one_persons_page_is_accessible_and_lets_mail_reach_them_again(page):
    everybody = make_list(3, name="Customers")
    campaign = make_campaign(everybody, name="Spring")
    contact = everybody.contacts.earliest("id")
    (mail,) = make_queue(campaign, "failed", contact=contact, last_reply="550 5.1.1 No such user here")
    type(mail).objects.update(email=contact.email)
    Suppression.objects.create(email=contact.email, reason="bounced", source="campaign 1")
    page.goto(reverse("admin:campaigns_contact_change", args=[contact.pk]))
    assert page.get_by_text("550 5.1.1 No such user here").is_visible()
    assert_accessible_in_every_look(page)
    page.get_by_role("button", name="Allow mail again").click()
    page.get_by_text("Not suppressed").wait_for()
