"""Which merge fields a campaign uses, and how many of its contacts lack them."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Count, F, Func, Q, TextField, Value
from django.db.models.functions import Coalesce, Trim
from django.utils.translation import ngettext

from accounts.words import number
from campaigns import templating
from campaigns.models import Campaign, Contact
from campaigns.templating import TemplateError

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
    return [
        _note(field, count, found.contacts, has_default=field in with_default)
        for field, count in found.missing.items()
    ]


def _note(field: str, count: int, contacts: int, *, has_default: bool) -> str:
    if has_default:
        text = ngettext(
            "%(count)s of %(contacts)s contact lacks %(field)s; its default will be used.",
            "%(count)s of %(contacts)s contacts lack %(field)s; its default will be used.",
            contacts,
        )
    else:
        text = ngettext(
            "%(count)s of %(contacts)s contact lacks %(field)s; it will be empty.",
            "%(count)s of %(contacts)s contacts lack %(field)s; it will be empty.",
            contacts,
        )
    return text % {"count": number(count), "contacts": number(contacts), "field": field}


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
