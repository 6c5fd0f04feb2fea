"""What an import does to contacts that are there, and to rows that say the same twice."""

import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.importing import ImportReport, import_contacts
from campaigns.models import Contact, ContactList

pytestmark = pytest.mark.django_db


def run(text: str, list_name: str = "Friends") -> ImportReport:
    return import_contacts(io.BytesIO(text.encode()), "contacts.csv", list_name)


def counts(report: ImportReport) -> tuple[int, ...]:
    return (report.read, report.taken, report.merged, report.unchanged, report.refused)


def row_versions() -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM campaigns_contact ORDER BY id")
        return cursor.fetchall()


FILE = """email,name,city
anna@example.com,Anna,Köln
ben@example.com,Ben,
ANNA@example.com,Anne,Bonn
ben@example.com,,Bern
nobody,x,y
"""


def test_the_same_file_twice_changes_nothing():
    assert counts(run(FILE)) == (5, 2, 2, 0, 1)
    before = row_versions()

    report = run(FILE)

    assert counts(report) == (5, 0, 2, 2, 1)
    assert (report.updated, report.added_to_list) == (0, 0)
    assert row_versions() == before


def test_duplicates_merge_into_the_first_row_and_fill_what_it_left_empty():
    report = run(FILE)

    anna, ben = Contact.objects.order_by("email")
    assert (anna.email, anna.name, anna.attributes) == ("anna@example.com", "Anna", {"city": "Köln"})
    assert (ben.name, ben.attributes) == ("Ben", {"city": "Bern"})
    assert [(row.line, row.first_line) for row in report.duplicate_rows] == [(4, 2), (5, 3)]


def test_a_contact_that_is_there_gets_new_values_and_is_never_emptied():
    Contact.objects.create(
        email="Anna@Example.com", name="Anna Maier", attributes={"city": "Köln", "shoe": 38, "pet": "cat"}
    )

    report = run("email,name,city,pet\nanna@example.com,,Bonn,\n")

    anna = Contact.objects.get()
    assert counts(report) == (1, 0, 1, 0, 0)
    assert (anna.email, anna.name) == ("Anna@Example.com", "Anna Maier")
    assert anna.attributes == {"city": "Bonn", "shoe": 38, "pet": "cat"}


def test_a_name_is_made_from_its_parts_and_follows_them():
    run("email,first name,last name\nanna@example.com,Anna,\n")
    assert Contact.objects.get().name == "Anna"

    run("email,first name,last name\nanna@example.com,,Maier\n")
    assert Contact.objects.get().name == "Anna Maier"


def test_a_name_that_was_given_is_not_replaced_by_its_parts():
    run("email,name\nanna@example.com,Dr. Anna Maier\n")

    run("email,first name,last name\nanna@example.com,Anna,Maier\n")

    assert Contact.objects.get().name == "Dr. Anna Maier"


def test_contacts_join_the_list_beside_those_in_it_and_stay_in_others():
    run("email\nanna@example.com\n", "First")

    report = run("email\nanna@example.com\nben@example.com\n", "Second")

    assert (report.taken, report.unchanged, report.added_to_list) == (1, 1, 2)
    assert ContactList.objects.get(name="First").contacts.count() == 1
    assert ContactList.objects.get(name="Second").contacts.count() == 2


def test_every_row_is_in_exactly_one_count():
    report = run(FILE)

    assert report.read == report.taken + report.merged + report.unchanged + report.refused


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows():
    def statements(rows: int) -> int:
        text = "email\n" + "".join(f"person{number}@example.com\n" for number in range(rows))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            run(text, f"List of {rows}")
        return len(queries)

    assert statements(1) == statements(5000)
