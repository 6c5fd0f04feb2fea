"""What a person can do with contacts and lists, any number of them at once."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns.contact_forms import as_text
from campaigns.models import Contact, ContactList, contact_words

MEMBERS = ContactList.contacts.through
BLOCK = 10_000  # rows at once
FIELDS = """
SELECT DISTINCT jsonb_object_keys(attributes) FROM campaigns_contact WHERE jsonb_typeof(attributes) = 'object'
"""


@transaction.atomic
def add_to_list(contacts: QuerySet[Contact], contact_list: ContactList) -> int:
    """Puts the contacts into the list; returns how many were not in it."""
    before = contact_list.contacts.count()
    keys = contacts.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=BLOCK)
    while block := list(islice(keys, BLOCK)):
        rows = [MEMBERS(contactlist_id=contact_list.pk, contact_id=key) for key in block]
        MEMBERS.objects.bulk_create(rows, ignore_conflicts=True)
    return contact_list.contacts.count() - before


def remove_from_list(contacts: QuerySet[Contact], contact_list: ContactList) -> int:
    """Takes the contacts off the list; returns how many were on it. The contacts themselves stay."""
    chosen = contacts.order_by().values("pk")
    removed, _ = MEMBERS.objects.filter(contactlist=contact_list, contact__in=chosen).delete()
    return removed


def search(contacts: QuerySet[Contact], words: str) -> QuerySet[Contact]:
    """Contacts in whose address or name each of the words begins a word, by an index.

    Any case; beyond ASCII PostgreSQL's locale may know none, so the usual spellings are asked for.
    """
    terms = [term for term in re.findall(r"[^\W_]+", words) if term]
    if not terms:
        return contacts
    spelled = [" | ".join(f"{one}:*" for one in sorted(_spellings(term))) for term in terms]
    query = SearchQuery(" & ".join(f"({one})" for one in spelled), search_type="raw", config="simple")
    return contacts.alias(words=contact_words()).filter(words=query)


def chosen(wanted: Mapping[str, Any]) -> QuerySet[Contact]:
    """What an export wants: contacts with these `ids`; or of a `list` (id), on no list (`listless`), with
    these `words`."""
    contacts = Contact.objects.all()
    if "ids" in wanted:
        return contacts.filter(pk__in=wanted["ids"])
    if "list" in wanted:
        contacts = contacts.filter(lists=wanted["list"])
    if "listless" in wanted:
        contacts = contacts.filter(lists__isnull=wanted["listless"] not in ("0", "False"))
    return search(contacts, wanted.get("words", ""))


def table(wanted: Mapping[str, Any]) -> tuple[list[str], Iterator[list[Any]]]:
    """The same as a heading and rows: address, name, and all merge fields that there are."""
    with connection.cursor() as cursor:
        cursor.execute(FIELDS)
        fields = sorted(field for (field,) in cursor)
    return ["email", "name", *fields], _rows(chosen(wanted), fields)


def _rows(contacts: QuerySet[Contact], fields: list[str]) -> Iterator[list[Any]]:
    for contact in contacts.order_by("pk").iterator(chunk_size=2000):
        texts = (
            as_text(contact.attributes[field]) if field in contact.attributes else "" for field in fields
        )
        yield [contact.email, contact.name, *texts]


def _spellings(term: str) -> set[str]:
    return {term, term.lower(), term.upper(), term.capitalize()}
