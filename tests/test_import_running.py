"""A worker's part of an import: one at a time, all or nothing, and begun again when a worker died."""

import io
import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now

from campaigns import import_actions
from campaigns.models import Contact, ContactList, Import, ImportChunk
from sending.longwork import running
from sending.longwork.files import kept_file
from sending.models import Suppression
from tests.cluster import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

COUNTS = ("read", "taken", "updated", "merged", "duplicates", "unchanged", "refused", "added_to_list")


def uploaded(content: bytes = b"email,city\nanna@example.com,Bonn\n", name: str = "Friends") -> Import:
    return import_actions.upload(io.BytesIO(content), "contacts.csv", list_name=name)


def checking(content: bytes = b"email,city\nanna@example.com,Bonn\n", name: str = "Friends") -> Import:
    imported = uploaded(content, name)
    import_actions.choose_columns(imported, [column["field"] for column in imported.columns])
    return imported


def started(content: bytes = b"email,city\nanna@example.com,Bonn\n", name: str = "Friends") -> Import:
    imported = checking(content, name)
    assert running.run_next().state == "checked"
    import_actions.start(imported)
    return imported


def large(rows: int = 60_000) -> bytes:
    return b"email\n" + b"".join(b"person%d@example.com\n" % number for number in range(rows))


def test_the_check_tells_what_the_import_does():
    friends = ContactList.objects.create(name="Friends")
    friends.contacts.create(email="Same@example.com", name="Same", attributes={"city": "Bonn"})
    Contact.objects.create(email="new-value@example.com", attributes={"city": "Kiel"})
    Suppression.objects.create(email="GONE@example.com")
    imported = checking(
        b"email,name,city\nsame@example.com,Same,Bonn\nnew-value@example.com,,Bonn\nfresh@example.com,,\n"
        b"FRESH@example.com,Late,\nnobody,,\ngone@example.com,,\n"
    )

    running.run_next()
    imported.refresh_from_db()
    foretold = imported.report
    assert Contact.objects.count() == 2
    import_actions.start(imported)
    running.run_next()
    imported.refresh_from_db()

    assert {name: imported.report[name] for name in COUNTS} == {name: foretold[name] for name in COUNTS}
    assert [foretold[name] for name in COUNTS] == [6, 2, 1, 2, 1, 1, 1, 3]
    assert foretold["suppressed"] == imported.report["suppressed"] == 1


def test_a_file_is_removed_when_it_is_done_and_kept_for_its_refused_rows():
    whole = started()
    running.run_next()
    partly = started(b"email\nnobody\nben@example.com\n")
    running.run_next()

    assert not whole.chunks.exists()
    assert partly.chunks.exists()


def test_a_file_of_many_pieces_is_the_same_in_the_worker():
    content = large(80_000)
    imported = started(content)

    assert imported.chunks.count() > 1
    with kept_file(imported) as file:
        assert file.read() == content


def test_the_import_before_waits_are_done_one_at_a_time_in_their_order():
    first, second = checking(), checking(b"email\nben@example.com\n")
    _kind, held = running._claim()

    assert running.run_next() is None
    assert held.pk == first.pk
    running._give_back(held)
    assert running.run_next().pk == first.pk
    assert running.run_next().pk == second.pk


def test_one_whose_worker_died_is_begun_again_when_its_lease_is_over():
    imported = started()
    running._claim()
    assert running.run_next() is None

    Import.objects.filter(pk=imported.pk).update(lease=Now() - timedelta(seconds=1))

    assert running.run_next().state == "done"
    assert Contact.objects.count() == 1


def test_one_that_three_workers_died_of_says_so():
    imported = started()
    for _ in range(running.MOST_ATTEMPTS):
        assert running._claim() is not None
        Import.objects.filter(pk=imported.pk).update(lease=Now() - timedelta(seconds=1))

    assert running.run_next() is None

    imported.refresh_from_db()
    assert imported.state == "refused"
    assert "ended three times" in imported.refusal
    assert not Contact.objects.exists()


def test_a_worker_that_lost_its_import_while_it_slept_changes_nothing():
    imported = started()
    kind, slow = running._claim()
    Import.objects.filter(pk=imported.pk).update(lease=Now() - timedelta(seconds=1))
    _kind, quick = running._claim()

    with pytest.raises(running.Interrupted):
        running._work(kind, slow)

    assert not Contact.objects.exists()
    running._work(kind, quick)
    assert Contact.objects.count() == 1


def test_one_that_is_cancelled_while_a_worker_is_at_it_changes_nothing():
    imported = started(large())

    def run() -> None:
        try:
            running.run_next()
        finally:
            connection.close()

    # What the worker needs at its end is locked here, so that it can't be done before it is cancelled.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [0x696D706F7274])
        worker = threading.Thread(target=run)
        worker.start()
        wait_for(lambda: Import.objects.get(pk=imported.pk).rows_done, what="progress")
        import_actions.cancel(imported)
        worker.join(30)
        assert not worker.is_alive()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [0x696D706F7274])

    assert Import.objects.get().state == "cancelled"
    assert not Contact.objects.exists()


def test_the_columns_as_they_were_chosen_must_suit_the_file():
    imported = uploaded()
    with pytest.raises(import_actions.ImportRefused, match="don't suit"):
        import_actions.choose_columns(imported, ["email"])


def test_a_file_that_can_not_be_read_to_its_end_is_refused_and_nothing_is_changed():
    imported = checking(b"email\n" + b"anna@example.com\n" * 200 + b'"ben@example.com\n')

    assert running.run_next().state == "refused"

    imported.refresh_from_db()
    assert "never closed" in imported.refusal
    assert not Contact.objects.exists()


def test_old_files_are_removed_and_old_uploads_cancelled():
    old, done, fresh = uploaded(), started(b"email\nnobody\nben@example.com\n"), uploaded()
    running.run_next()
    Import.objects.exclude(pk=fresh.pk).update(created_at=Now() - import_actions.KEEP_FILES)

    assert import_actions.remove_old_files() == 2

    assert Import.objects.get(pk=old.pk).state == "cancelled"
    assert Import.objects.get(pk=done.pk).state == "done"
    assert set(ImportChunk.objects.values_list("of", flat=True)) == {fresh.pk}


def test_old_files_are_removed_by_a_schedule():
    from django_q.models import Schedule

    from sending import schedules

    call_command("migrate", verbosity=0)
    schedules.sync()

    assert Schedule.objects.get(name="tend_long_work").func == "sending.jobs.tend_long_work"
    assert Schedule.objects.get(name="dispatch").func == "sending.jobs.dispatch"
