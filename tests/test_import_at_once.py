"""Two people import at the same time."""

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from campaigns.importing import ImportReport, import_contacts
from campaigns.models import Contact, ContactList

ROWS = [f"person{number}@example.com,City {number}" for number in range(3000)]


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_make_each_contact_once():
    together = Barrier(2)

    def run(rows: list[str]) -> ImportReport:
        try:
            together.wait(timeout=30)
            content = "\n".join(["email,city", *rows]).encode()
            return import_contacts(io.BytesIO(content), "contacts.csv", "Friends")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(run, [ROWS, ROWS[::-1]]))

    assert sorted((report.taken, report.unchanged) for report in reports) == [(0, 3000), (3000, 0)]
    assert sum(report.added_to_list for report in reports) == 3000
    assert Contact.objects.count() == ContactList.objects.get().contacts.count() == 3000
