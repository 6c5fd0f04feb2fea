"""Attachments: uploaded into the database, bounded in size, kept with the message."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from campaigns import actions
from campaigns.models import Attachment, Campaign
from tests.factories import make_campaign, make_list

pytestmark = pytest.mark.django_db
MEBIBYTE = 1024 * 1024


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign(make_list(1))


def save(client: Client, campaign: Campaign, *files: SimpleUploadedFile, **more: object):
    """Saves the campaign's form with these files added behind those it has."""
    there = list(campaign.attachments.values_list("pk", flat=True))
    data: dict[str, object] = {
        "name": campaign.name, "subject": campaign.subject, "html": "", "text": campaign.text,
        "lists": [one.pk for one in campaign.lists.all()], "scheduled_at_0": "", "scheduled_at_1": "",
        "attachments-TOTAL_FORMS": len(there) + len(files), "attachments-INITIAL_FORMS": len(there),
        **{f"attachments-{n}-id": pk for n, pk in enumerate(there)},
        **{f"attachments-{n}-campaign": campaign.pk for n in range(len(there) + len(files))},
        **{f"attachments-{n}-file": file for n, file in enumerate(files, start=len(there))},
        **more,
    }  # fmt: skip
    return client.post(reverse("admin:campaigns_campaign_change", args=[campaign.pk]), data)


def upload(name: str = "a.pdf", size: int = 3) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"\x00" * size)


def test_a_file_is_stored_with_its_name_and_type(admin_client: Client, campaign: Campaign) -> None:
    save(admin_client, campaign, SimpleUploadedFile("Prüfung.pdf", b"%PDF\x00\xff", content_type="text/html"))
    attachment = Attachment.objects.get()
    assert (attachment.filename, attachment.content_type) == ("Prüfung.pdf", "application/pdf")
    assert bytes(attachment.content) == b"%PDF\x00\xff"


def test_a_file_of_unknown_kind_is_octets(admin_client: Client, campaign: Campaign) -> None:
    save(admin_client, campaign, upload("data.unknownkind"))
    assert Attachment.objects.get().content_type == "application/octet-stream"


def test_saving_again_keeps_the_files_and_delete_removes_one(
    admin_client: Client, campaign: Campaign
) -> None:
    save(admin_client, campaign, upload("a.pdf"), upload("b.pdf"))
    assert save(admin_client, campaign).status_code == 302
    assert [bytes(one.content) for one in Attachment.objects.all()] == [b"\x00" * 3] * 2
    save(admin_client, campaign, **{"attachments-0-DELETE": "on"})
    assert Attachment.objects.get().filename == "b.pdf"


def test_a_file_over_10_mb_is_refused(admin_client: Client, campaign: Campaign) -> None:
    response = save(admin_client, campaign, upload(size=10 * MEBIBYTE + 1))
    assert "an attachment may have at most 10.0\xa0MB" in response.content.decode()
    assert not Attachment.objects.exists()


def test_more_than_20_mb_together_are_refused(admin_client: Client, campaign: Campaign) -> None:
    assert (
        save(admin_client, campaign, upload(size=9 * MEBIBYTE), upload(size=9 * MEBIBYTE)).status_code == 302
    )
    response = save(admin_client, campaign, upload(size=3 * MEBIBYTE))
    assert "The attachments have 21.0\xa0MB together" in response.content.decode()
    assert Attachment.objects.count() == 2
    replaced = save(admin_client, campaign, upload(size=3 * MEBIBYTE), **{"attachments-0-DELETE": "on"})
    assert replaced.status_code == 302


def test_an_empty_file_is_refused(admin_client: Client, campaign: Campaign) -> None:
    assert "The submitted file is empty." in save(admin_client, campaign, upload(size=0)).content.decode()


def test_files_do_not_change_under_way(admin_client: Client, campaign: Campaign) -> None:
    save(admin_client, campaign, upload("a.pdf"))
    actions.queue_campaign(campaign)
    save(admin_client, campaign, upload("b.pdf"), **{"attachments-0-DELETE": "on"})
    assert [one.filename for one in Attachment.objects.all()] == ["a.pdf"]


def test_the_page_shows_sizes_without_reading_the_files(
    admin_client: Client, campaign: Campaign, django_assert_max_num_queries
) -> None:
    save(admin_client, campaign, upload("a.pdf", size=2048))
    with django_assert_max_num_queries(30) as queries:
        response = admin_client.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk]))
    assert "2.0\xa0KB" in response.content.decode()
    read = [one["sql"] for one in queries if '"campaigns_attachment"."content",' in one["sql"]]
    assert read == []


def test_files_that_a_mistake_elsewhere_lost_are_named(admin_client: Client, campaign: Campaign) -> None:
    files = upload("a.pdf"), upload("huge.pdf", 10 * MEBIBYTE + 1), upload("b.pdf")
    page = save(admin_client, campaign, *files).content.decode()
    assert "These files have to be chosen again: a.pdf, b.pdf" in page
    page = save(admin_client, campaign, upload("c.pdf"), subject="").content.decode()
    assert "This file has to be chosen again: c.pdf" in page
    assert "chosen again" not in save(admin_client, campaign, subject="").content.decode()
