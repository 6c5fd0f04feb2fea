"""Pacing and suppressions in the admin, and who may see django-q2's own tables."""

import pytest
from django.contrib.auth.models import Permission
from django_q.models import Schedule

from sending.models import Pacing, Suppression
from sending.window import MIDNIGHT

pytestmark = pytest.mark.django_db

KNOBS = {
    "batch_size": 25, "scope": "account", "batch_interval": 60, "delay": 1.5, "jitter": 0.5,
    "retry_interval": 600, "max_retries": 2,
    "window_days": "every", "window_opens": "00:00", "window_closes": "00:00",
}  # fmt: skip


def test_the_list_of_pacing_leads_to_its_one_row(admin_client):
    response = admin_client.get("/admin/sending/pacing/")
    assert response.url == "/admin/sending/pacing/1/change/"
    page = admin_client.get(response.url).content.decode()
    assert "Batch interval (seconds)" in page
    assert "Delete" not in page


def test_pacing_is_changed_in_the_admin(admin_client):
    Pacing.load()
    response = admin_client.post("/admin/sending/pacing/1/change/", KNOBS)
    assert response.status_code == 302
    pacing = Pacing.objects.get()
    stored = {name: getattr(pacing, name) for name in KNOBS}
    assert stored == {**KNOBS, "window_opens": MIDNIGHT, "window_closes": MIDNIGHT}


def test_a_knob_out_of_range_is_refused_with_the_reason_and_nothing_changes(admin_client):
    Pacing.load()
    response = admin_client.post("/admin/sending/pacing/1/change/", {**KNOBS, "batch_size": 0})
    assert "greater than or equal to 1" in response.content.decode()
    assert Pacing.objects.get().batch_size == 10


def test_there_is_one_row_of_pacing_never_two_never_none(admin_client):
    Pacing.load()
    assert admin_client.get("/admin/sending/pacing/add/").status_code == 403
    assert admin_client.post("/admin/sending/pacing/1/delete/", {"post": "yes"}).status_code == 403


def test_an_address_is_suppressed_found_and_taken_off_the_list_again(admin_client):
    admin_client.post("/admin/sending/suppression/add/", {"email": "no@example.com", "reason": "manual"})
    suppression = Suppression.objects.get()
    found = admin_client.get("/admin/sending/suppression/?q=no@example.com").context_data["cl"]
    assert list(found.result_list) == [suppression]
    admin_client.post(f"/admin/sending/suppression/{suppression.pk}/delete/", {"post": "yes"})
    assert not Suppression.objects.exists()


def test_an_address_is_suppressed_once_whatever_its_case(admin_client):
    Suppression.objects.create(email="no@example.com")
    response = admin_client.post(
        "/admin/sending/suppression/add/", {"email": "NO@Example.com", "reason": "manual"}
    )
    assert "suppressed already" in response.content.decode()
    assert Suppression.objects.count() == 1


TABLES_OF_DJANGO_Q = ("schedule", "success", "failure", "ormq")


@pytest.mark.parametrize("table", TABLES_OF_DJANGO_Q)
def test_background_jobs_are_for_superusers_to_look_at(admin_client, client, django_user_model, table):
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="django_q"))
    client.force_login(clerk)
    assert admin_client.get(f"/admin/django_q/{table}/").status_code == 200
    assert client.get(f"/admin/django_q/{table}/").status_code == 403


def test_background_jobs_are_not_even_listed_for_others(client, django_user_model):
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.all())
    client.force_login(clerk)
    page = client.get("/admin/").content.decode()
    assert "/admin/sending/pacing/" in page
    assert "/admin/django_q/" not in page


def test_nobody_edits_a_schedule(admin_client):
    schedule = Schedule.objects.get(name="retry")
    change = f"/admin/django_q/schedule/{schedule.pk}/change/"
    assert admin_client.post(change, {"name": "x", "func": "os.abort"}).status_code == 403
    assert admin_client.post("/admin/django_q/schedule/add/", {"name": "x"}).status_code == 403
    delete = f"/admin/django_q/schedule/{schedule.pk}/delete/"
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    assert Schedule.objects.get(name="retry").func == "sending.jobs.retry"
