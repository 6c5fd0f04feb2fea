"""Large exports are a worker's: the same file, seen by who may see its rows, kept for a week."""

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client

from campaigns.models import Contact, Import
from sending.exporting import actions
from sending.exporting.models import Export, ExportChunk
from sending.longwork import running
from sending.models import Suppression
from tests.factories import make_account, make_list, make_user
from tests.long_work import begin_three_times, claim, lapse
from tests.queue_rows import make_queue, queued
from tests.staff import log_in, page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def few_at_once(settings):
    settings.EXPORT_AT_ONCE = 2


@pytest.fixture
def viewer() -> Client:
    return log_in("Viewer")


def content(response) -> str:
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return b"".join(response.streaming_content).decode("utf-8-sig")


def choose_all(client: Client, model: str, query: str = ""):
    """The list's action for all that it shows."""
    first = (Contact if "contact" in model else Suppression).objects.first()
    data = {"action": "export", "select_across": "1", "_selected_action": [first.pk]}
    return client.post(page(f"{model}_changelist") + query, data)


def export_of(response) -> Export:
    export = Export.objects.latest("id")
    assert response.url == page("sending_export_change", export.pk)
    return export


def made(client: Client, response) -> str:
    """What a worker makes of it, as it is downloaded."""
    export = export_of(response)
    assert running.run_next().state == "done"
    return content(client.get(page("sending_export_download", export.pk)))


def at_once(settings, ask) -> str:
    settings.EXPORT_AT_ONCE = 1000
    return content(ask())


def test_a_worker_makes_the_same_file_of_contacts_as_is_downloaded_at_once(settings, viewer):
    make_list(5)
    Contact.objects.create(email="x@example.com", name="=1+1", attributes={"city": "Köln"})

    text = made(viewer, choose_all(viewer, "campaigns_contact"))

    assert len(text.splitlines()) == 7
    assert "x@example.com,'=1+1,Köln," in text
    assert text == at_once(settings, lambda: choose_all(viewer, "campaigns_contact"))


@pytest.mark.parametrize(
    "query", ["?lists__id__exact={list}", "?q=guest", "?lists__id__exact={list}&q=guest4"]
)
def test_it_holds_what_the_list_showed(settings, viewer, query):
    make_list(4)
    guests = make_list(4, "guests", prefix="guest")
    query = query.format(list=guests.pk)
    settings.EXPORT_AT_ONCE = 0

    text = made(viewer, choose_all(viewer, "campaigns_contact", query))

    assert text.splitlines()[1:] == [
        f"{one.email},,{one.attributes['first_name']}"
        for one in guests.contacts.order_by("id")
        if "guest4" not in query or one.email.startswith("guest4")
    ]


def test_contacts_that_are_on_no_list_are_exported(viewer):
    make_list(3)
    for number in range(3):
        Contact.objects.create(email=f"loner{number}@example.com")
    text = made(viewer, choose_all(viewer, "campaigns_contact", "?lists__isnull=True"))
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == [
        f"loner{number}@example.com" for number in range(3)
    ]


def test_a_filter_that_no_source_knows_is_kept_all_the_same(viewer):
    make_list(4)
    make_list(4, "guests", prefix="guest")
    text = made(viewer, choose_all(viewer, "campaigns_contact", "?email__startswith=guest"))
    assert len(text.splitlines()) == 5


def test_a_chosen_few_are_downloaded_at_once(viewer):
    contacts = make_list(4).contacts.order_by("id")[:2]
    data = {"action": "export", "_selected_action": [one.pk for one in contacts]}
    assert len(content(viewer.post(page("campaigns_contact_changelist"), data)).splitlines()) == 3
    assert not Export.objects.exists()


def test_a_whole_list_is_exported(viewer):
    friends = make_list(4, "Friends")
    make_list(3, "others", prefix="other")
    response = viewer.post(page("campaigns_contactlist_export", friends.pk))
    assert export_of(response).title == "Contacts of Friends"
    assert len(made(viewer, response).splitlines()) == 5
    assert viewer.post(page("campaigns_contactlist_export", 0)).status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"), [("", 6), ("?reason__exact=bounced", 3), ("?reason__exact=bounced&q=A1", 1)]
)
def test_suppressions_are_exported_by_reason_and_address(settings, viewer, query, expected):
    for number in range(3):
        Suppression.objects.create(email=f"a{number}@example.com", reason="bounced", source="=1+1")
        Suppression.objects.create(email=f"m{number}@example.com")
    settings.EXPORT_AT_ONCE = 0

    text = made(viewer, choose_all(viewer, "sending_suppression", query))

    assert len(text.splitlines()) == 1 + expected
    assert "'=1+1" in text
    assert text == at_once(settings, lambda: choose_all(viewer, "sending_suppression", query))


def test_the_recipients_that_a_filter_shows_are_exported(settings, viewer):
    campaign, account = queued("Spring"), make_account()
    make_queue(campaign, "failed", 4, account)
    make_queue(campaign, "sent", 1, account)
    url = page("campaigns_campaign_export", campaign.pk) + "?state=failed"

    response = viewer.post(url)
    assert export_of(response).filename == "spring-failed.csv"
    text = made(viewer, response)

    assert len(text.splitlines()) == 5
    assert text == content(viewer.get(url))


def test_reading_an_export_s_address_begins_none(viewer):
    campaign, friends = queued(), make_list(4)
    make_queue(campaign, "sent", 4)
    for url in (
        page("campaigns_campaign_export", campaign.pk),
        page("campaigns_contactlist_export", friends.pk),
    ):
        assert len(content(viewer.get(url)).splitlines()) == 5
    assert not Export.objects.exists()


def test_who_may_not_see_its_rows_sees_nothing_of_it(viewer):
    make_list(4)
    export = export_of(choose_all(viewer, "campaigns_contact"))
    running.run_next()
    stranger = Client()
    user = make_user(name="stranger")
    stranger.force_login(user)
    for step in ("change", "state", "download", "history"):
        assert stranger.get(page(f"sending_export_{step}", export.pk)).status_code == 403, step
    assert stranger.post(page("sending_export_cancel", export.pk)).status_code == 403
    assert stranger.get(page("sending_export_changelist")).status_code == 403


def test_the_list_shows_those_whose_rows_one_may_see(viewer):
    make_list(4)
    choose_all(viewer, "campaigns_contact")
    user = make_user(name="suppressor")
    user.user_permissions.add(Permission.objects.get(codename="view_suppression"))
    client = Client()
    client.force_login(user)
    assert "No large export" in client.get(page("sending_export_changelist")).content.decode()
    assert "Contacts" in viewer.get(page("sending_export_changelist")).content.decode()
    assert client.get(page("sending_export_change", Export.objects.get().pk)).status_code == 403


def test_its_page_tells_how_far_it_is_and_then_has_the_file(viewer):
    make_list(4)
    export = export_of(choose_all(viewer, "campaigns_contact"))
    url, state = page("sending_export_change", export.pk), page("sending_export_state", export.pk)
    Export.objects.update(rows_done=3, percent=75)
    text = viewer.get(url).content.decode()
    assert "Sending is not running, so this waits." in text
    assert "3 rows written" in text
    assert "75 of 100" in viewer.get(state).content.decode()
    assert viewer.get(page("sending_export_download", export.pk)).status_code == 404

    running.run_next()

    assert viewer.get(state)["HX-Refresh"] == "true"
    text = viewer.get(url).content.decode()
    assert page("sending_export_download", export.pk) in text
    assert "contacts.csv" in text
    assert "4 rows" in text


def test_one_that_is_cancelled_has_no_file(viewer):
    make_list(4)
    export = export_of(choose_all(viewer, "campaigns_contact"))
    kind, work = claim()
    viewer.post(page("sending_export_cancel", export.pk))
    with pytest.raises(running.Interrupted):
        running._work(kind, work)
    assert Export.objects.get().state == "cancelled"
    assert not ExportChunk.objects.exists()
    assert viewer.get(page("sending_export_download", export.pk)).status_code == 404
    assert "It was over already" in viewer.post(
        page("sending_export_cancel", export.pk), follow=True
    ).content.decode()  # fmt: skip


def test_it_ends_between_two_rows_when_it_was_taken_away(viewer):
    make_list(4)
    choose_all(viewer, "campaigns_contact")
    progress = running.Progress()
    progress.is_over = True
    with pytest.raises(running.Interrupted):
        actions.run(Export.objects.get(), progress)
    assert not ExportChunk.objects.exists()


def test_when_its_worker_died_the_next_one_makes_the_file(viewer):
    make_list(4)
    export = export_of(choose_all(viewer, "campaigns_contact"))
    kind, slow = claim()
    lapse(slow)
    assert running.run_next().state == "done"
    with pytest.raises(running.Interrupted):
        running._work(kind, slow)
    assert len(content(viewer.get(page("sending_export_download", export.pk))).splitlines()) == 5


def test_when_three_workers_died_of_it_it_says_so(viewer):
    make_list(4)
    export = export_of(choose_all(viewer, "campaigns_contact"))
    begin_three_times(export)
    assert running.run_next() is None
    text = viewer.get(page("sending_export_change", export.pk)).content.decode()
    assert "ended three times" in text


def test_an_error_that_nobody_foresaw_tells_its_kind_and_no_address(viewer, caplog):
    make_list(4)
    export_of(choose_all(viewer, "campaigns_contact"))
    Export.objects.update(source="gone")
    assert running.run_next().state == "refused"
    assert Export.objects.get().refusal == "The file could not be made (KeyError). See the worker's log."
    assert "@example.com" not in caplog.text


def test_a_file_of_many_pieces_is_whole(viewer, monkeypatch):
    monkeypatch.setattr("sending.longwork.files.CHUNK", 50)
    make_list(40)
    text = made(viewer, choose_all(viewer, "campaigns_contact"))
    assert len(text.splitlines()) == 41
    assert ExportChunk.objects.count() > 10
    assert len(text.encode("utf-8-sig")) == Export.objects.get().size


def test_old_ones_are_removed_with_their_files_and_others_are_not(viewer):
    make_list(4)
    old, fresh = (export_of(choose_all(viewer, "campaigns_contact")) for _ in range(2))
    waiting = export_of(choose_all(viewer, "campaigns_contact"))
    running.run_next()
    running.run_next()
    Export.objects.exclude(pk=fresh.pk).update(created_at=Now() - actions.KEEP)
    Export.objects.filter(pk=old.pk).update(finished_at=Now() - actions.KEEP)

    assert actions.remove_old() == 1

    assert set(Export.objects.values_list("pk", flat=True)) == {fresh.pk, waiting.pk}
    assert set(ExportChunk.objects.values_list("of", flat=True)) == {fresh.pk}


def test_an_import_that_waited_longer_goes_first(viewer):
    file = SimpleUploadedFile("contacts.csv", b"email\nnew@example.com\n")
    editor = Client()
    editor.force_login(make_user("Editor", name="edith"))
    editor.post(page("campaigns_import_add"), {"file": file, "new_list": "New"})
    make_list(4)
    choose_all(viewer, "campaigns_contact")
    imported = Import.objects.get()
    editor.post(page("campaigns_import_columns", imported.pk), {"kind_0": "email"})
    assert running.run_next()._meta.model_name == "import"
    assert running.run_next()._meta.model_name == "export"
