"""Which merge fields a campaign uses, and how many of its contacts lack them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, F, Func, Q, TextField, Value
from django.db.models.functions import Coalesce, Trim
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.words import number
from campaigns import templating
from campaigns.importing.headers import LIQUID_WORDS
from campaigns.models import Campaign, Contact
from campaigns.template_errors import TemplateError, meant

_COLUMNS = ("email", "name")


@dataclass(frozen=True)
class Coverage:
    """contacts: how many are on the campaign's lists. missing: of them, by field, only above zero."""

    contacts: int
    missing: dict[str, int]


def used_fields(campaign: Campaign) -> set[str]:
    """The merge fields of all the campaign's parts; those of a part with an error are left out."""
    return {field for source in _sources(campaign) for field in _safely(templating.merge_fields, source)}


def missing_fields(campaign: Campaign) -> dict[str, int]:
    """How many contacts of the campaign's lists lack each merge field: absent, null or blank."""
    return coverage(campaign).missing


def coverage(campaign: Campaign) -> Coverage:
    """Counts contacts and missing fields in one query."""
    fields = sorted(used_fields(campaign))
    members = Contact.lists.through.objects.filter(contactlist__campaigns=campaign).values("contact_id")
    counts = (
        Contact.objects.filter(pk__in=members)
        .alias(**{f"value_{n}": _value(field) for n, field in enumerate(fields)})
        .aggregate(
            total=Count("pk"),
            **{f"missing_{n}": Count("pk", filter=Q(**{f"value_{n}": ""})) for n in range(len(fields))},
        )
    )
    missing = {field: counts[f"missing_{n}"] for n, field in enumerate(fields)}
    return Coverage(counts["total"], {field: count for field, count in missing.items() if count})


def notes(campaign: Campaign) -> list[str]:
    """One sentence for each field that contacts lack: "17 of 400 contacts lack first_name; ..."."""
    found = coverage(campaign)
    with_default = _fields_with_default(campaign)
    nobodys = {field for field, count in found.missing.items() if count == found.contacts}
    instead = _meant(campaign, nobodys) if nobodys else {}
    return [
        _note(field, count, found.contacts, instead.get(field, ""), has_default=field in with_default)
        for field, count in found.missing.items()
    ]


def _meant(campaign: Campaign, fields: set[str]) -> dict[str, str]:
    """For each field that no contact has, the one that its writer meant, where one is like it."""
    known = {field.name for field in available(campaign.lists.values_list("pk", flat=True)).fields}
    return {field: meant(field, known) for field in fields - known}


def _note(field: str, count: int, contacts: int, instead: str, *, has_default: bool) -> str:
    if instead and has_default:
        text = _("There is no field “%(field)s”; did you mean “%(instead)s”? Its default will be used.")
    elif instead:
        text = _("There is no field “%(field)s”; did you mean “%(instead)s”? It will be empty.")
    elif has_default:
        text = ngettext(
            "%(count)s of %(contacts)s contact lacks %(field)s; its default will be used.",
            "%(count)s of %(contacts)s contacts lack %(field)s; its default will be used.",
            contacts,
        )
    elif count == contacts:
        text = ngettext(
            "%(count)s of %(contacts)s contact lacks %(field)s: is it spelled right? It will be empty.",
            "%(count)s of %(contacts)s contacts lack %(field)s: is it spelled right? It will be empty.",
            contacts,
        )
    else:
        text = ngettext(
            "%(count)s of %(contacts)s contact lacks %(field)s; it will be empty.",
            "%(count)s of %(contacts)s contacts lack %(field)s; it will be empty.",
            contacts,
        )
    return text % {"count": number(count), "contacts": number(contacts), "field": field, "instead": instead}


def lacking(campaign: Campaign, contact: Contact) -> list[str]:
    """The merge fields that will be empty in this contact's mail: no value, and no default.

    One that the contact lacks altogether is told with the one that was meant, where one is like it.
    """
    known = contact.attributes if isinstance(contact.attributes, dict) else {}
    known = {**known, "email": contact.email, "name": contact.name}
    bare = used_fields(campaign) - _fields_with_default(campaign)
    empty = sorted(field for field in bare if known.get(field) is None or not str(known[field]).strip())
    return [_with_what_was_meant(field, known) for field in empty]


def _with_what_was_meant(field: str, known: dict[str, Any]) -> str:
    instead = "" if field in known else meant(field, known)
    told = {"field": field, "instead": instead}
    return _("%(field)s (did you mean %(instead)s?)") % told if instead else field


def _value(field: str) -> Trim:
    """The field's value as text, "" where there is none."""
    found = (
        F(field)
        if field in _COLUMNS
        # Not a key transform: that one takes a name of digits for the index of an array.
        else Func(F("attributes"), Value(field), function="jsonb_extract_path_text", output_field=TextField())
    )
    return Trim(Coalesce(found, Value(""), output_field=TextField()))


def _fields_with_default(campaign: Campaign) -> set[str]:
    """Fields that have a default wherever they are used, in any part."""
    bare: set[str] = set()
    guarded: set[str] = set()
    for source in _sources(campaign):
        with_default = _safely(templating.fields_with_default, source)
        guarded |= with_default
        bare |= _safely(templating.merge_fields, source) - with_default
    return guarded - bare


def _sources(campaign: Campaign) -> tuple[str, ...]:
    return campaign.subject, campaign.html, campaign.text


def _safely(question: Callable[[str], set[str]], source: str) -> set[str]:
    try:
        return question(source)
    except TemplateError:
        return set()


MOST_FIELDS = 60  # offered; more than a spreadsheet that people work with has columns
MOST_READ = 100_000  # contacts; of more every nth is read, and counts are estimates
CONTACTS = """
SELECT count(DISTINCT contact_id) FROM campaigns_contactlist_contacts WHERE contactlist_id = ANY(%(lists)s)
"""
AVAILABLE = """
WITH member AS MATERIALIZED (
    SELECT name, CASE WHEN jsonb_typeof(attributes) = 'object' THEN attributes ELSE '{}' END AS attributes
    FROM campaigns_contact
    WHERE id IN (SELECT contact_id FROM campaigns_contactlist_contacts
                 WHERE contactlist_id = ANY(%(lists)s) AND contact_id %% %(nth)s = 0)
), filled AS (
    SELECT 'name' AS field, count(*) FILTER (WHERE trim(name) <> '') AS count FROM member
    UNION ALL
    SELECT key, count(*) FILTER (WHERE trim(value) <> '')
    FROM member, jsonb_each_text(member.attributes) WHERE key NOT IN ('name', 'email') GROUP BY key
)
SELECT field, (SELECT count(*) FROM member) - count
FROM filled ORDER BY count DESC, field LIMIT %(most)s
"""


@dataclass(frozen=True)
class Field:
    """A merge field that can be used; lack: how many of the contacts have no value for it."""

    name: str
    lack: int

    @property
    def placeholder(self) -> str:
        """What puts its value into a template; "" for a name with both kinds of quotes: it can't be told."""
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.name) and self.name not in LIQUID_WORDS:
            return f"{{{{ {self.name} }}}}"
        quote = next((one for one in "\"'" if one not in self.name), "")
        if not quote or "\\" in self.name:
            return ""
        return f"{{{{ [{quote}{self.name}{quote}] }}}}"


@dataclass(frozen=True)
class Available:
    """contacts: how many are on the lists; fields: `email` first, then those that most of them have.

    is_estimate: of so many contacts only some were read.
    """

    contacts: int
    fields: list[Field]
    is_estimate: bool = False


def available(lists: Iterable[int]) -> Available:
    """The merge fields of the contacts of these lists (ids), in two queries, whose time is bounded.

    Values that aren't text count, too: they are put in as text.
    """
    values: dict[str, Any] = {"lists": list(lists), "most": MOST_FIELDS}
    with connection.cursor() as cursor:
        cursor.execute(CONTACTS, values)
        (contacts,) = cursor.fetchone()
        nth = -(-contacts // MOST_READ) or 1
        cursor.execute(AVAILABLE, {**values, "nth": nth})
        rows = cursor.fetchall()
    fields = [Field("email", 0), *(Field(name, lack * nth) for name, lack in rows)]
    return Available(contacts, [field for field in fields if field.placeholder], is_estimate=nth > 1)
