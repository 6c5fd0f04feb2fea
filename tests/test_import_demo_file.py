"""The bundled recipients file: the demo and README promise these figures."""

from pathlib import Path

import pytest

from campaigns.importing import import_contacts
from campaigns.models import Contact

RECIPIENTS = Path(__file__).parent.parent / "config" / "demo" / "recipients.csv"

pytestmark = pytest.mark.django_db


def test_the_bundled_file_gives_400_contacts_12_duplicates_and_3_refused_rows():
    with RECIPIENTS.open("rb") as file:
        report = import_contacts(file, "recipients.csv", "Demo")

    assert (report.read, report.taken, report.merged, report.unchanged, report.refused) == (
        415,
        400,
        12,
        0,
        3,
    )
    assert (report.duplicates, report.updated) == (12, 0)
    assert report.source == "text, utf-8-sig, delimiter semicolon"
    assert report.fields == {
        "email": "E-Mail",
        "first_name": "Vorname",
        "last_name": "Nachname",
        "ort": "Ort",
        "klasse": "Klasse",
    }
    assert [(row.line, row.value) for row in report.refused_rows] == [
        (53, "ohne-at.example.com"),
        (211, "theo.roth@example..com"),
        (330, "zwei punkte @example.org"),
    ]
    assert Contact.objects.count() == 400


def test_names_from_the_bundled_file_arrive_as_they_are_written():
    with RECIPIENTS.open("rb") as file:
        import_contacts(file, "recipients.csv", "Demo")

    kalle = Contact.objects.get(email="chloe.cote@schule.example")
    assert kalle.name == 'Karl "Kalle" Côté'
    assert kalle.attributes == {
        "first_name": 'Karl "Kalle"',
        "last_name": "Côté",
        "ort": "Nürnberg",
        "klasse": "6b",
    }
    assert Contact.objects.get(email="jean-luc.hoffmann@example.org").attributes["ort"] == "Köln,\nInnenstadt"


def test_the_bundled_file_holds_only_domains_reserved_for_examples():
    with RECIPIENTS.open("rb") as file:
        import_contacts(file, "recipients.csv", "Demo")

    domains = {email.split("@")[1] for email in Contact.objects.values_list("email", flat=True)}
    assert all(
        domain in {"example.com", "example.org", "example.net"} or domain.endswith(".example")
        for domain in domains
    )
