"""Imports in a real cluster: done by its workers, beside sending, and begun again after kill -9."""

import io

import pytest

from campaigns import import_actions
from campaigns.models import Contact, Import
from tests.cluster import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance]


def state(imported: Import) -> str:
    return Import.objects.get(pk=imported.pk).state


def upload(rows: int) -> Import:
    content = b"email\n" + b"".join(b"person%d@example.com\n" % number for number in range(rows))
    imported = import_actions.upload(io.BytesIO(content), "contacts.csv", list_name="Everyone")
    import_actions.choose_columns(imported, ["email"])
    return imported


def test_a_cluster_checks_and_imports(start_cluster):
    start_cluster()
    imported = upload(10)
    wait_for(lambda: state(imported) == "checked", what="the check")
    assert not Contact.objects.exists()

    import_actions.start(imported)

    wait_for(lambda: state(imported) == "done", what="the import")
    assert Contact.objects.count() == 10


def test_an_import_whose_cluster_is_killed_is_done_by_the_next_and_nothing_twice(start_cluster):
    imported = upload(30_000)
    Import.objects.filter(pk=imported.pk).update(state="importing")
    first = start_cluster()
    wait_for(lambda: Import.objects.get().rows_done > 0, what="progress")
    first.kill_tree()
    assert state(imported) == "importing"
    assert not Contact.objects.exists()

    start_cluster()

    wait_for(lambda: state(imported) == "done", timeout=110, what="the import")
    assert Contact.objects.count() == 30_000
    assert Import.objects.get().report["taken"] == 30_000


def test_an_import_whose_cluster_is_told_to_end_goes_back_at_no_cost(start_cluster):
    imported = upload(1_000_000)  # to read it all would take minutes
    Import.objects.filter(pk=imported.pk).update(state="importing")
    first = start_cluster()
    wait_for(lambda: Import.objects.get().rows_done > 0, what="progress")

    first.terminate_group()

    given_back = Import.objects.get()
    assert (given_back.state, given_back.slot, given_back.attempts) == ("importing", None, 0)
    assert not Contact.objects.exists()
