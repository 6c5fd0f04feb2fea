"""All words can be translated: they are extracted, and a language that is added shows on the screens."""

import re
import shutil
from contextlib import chdir
from datetime import timedelta

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import Promise

from config.environment import languages
from sending.waiting import why_it_waits
from sending.waiting_facts import Account, Campaign, Facts
from tests.cluster import ROOT
from tests.factories import make_account
from tests.queue_rows import beat, make_queue, queued

ROOMS = ("accounts", "campaigns", "config", "sending", "templates")
MODELS = [
    model for room in ("accounts", "campaigns", "sending") for model in apps.get_app_config(room).get_models()
]
NAMES = {"Gmail", "Google Workspace", "Microsoft 365"}  # the same in every language
LANGUAGE = "eo"  # nobody has translated the program into it, nor Django's admin wholly
# As they stand in the sources; for the test, what they are in the other language.
SENTENCES = {
    "Sending is running.": "Sendado funkcias.",
    "Dashboard": "Panelo",
    "Campaigns and contacts": "Kampanjoj kaj kontaktoj",
    "Pending": "Atendas",
    "progress": "progreso",
    "Send campaign": "Sendu kampanjon",
    "today %(time)s": "hodiaŭ %(time)s",
    "%(accounts)s (next frees %(at)s)": "%(accounts)s (libera %(at)s)",
    "The provider wants an app password: make one and enter it.": "La provizanto volas pasvorton.",
    "The certificate of {host} has expired.": "La atestilo de {host} eksvalidiĝis.",
    "Most retries after the first attempt.": "Plej multaj leteroj.",
    "The file is empty. Choose one with a header row and a row for each contact.": "La dosiero malplenas.",
    "These are the first 100.": "Jen la unuaj 100.",
    "There is no such page": "Ne estas tia paĝo",
    "subject": "temo",
    "daily limit": "taga limo",
    "uncertain emails": "necertaj leteroj",
}
PLURALS = {
    "%(count)s waiting: %(reasons)s": ("%(count)s atendas: %(reasons)s", "%(count)s atendas: %(reasons)s"),
    "%(count)s account has used its 24 h limit": (
        "%(count)s konto uzis sian limon",
        "%(count)s kontoj uzis sian limon",
    ),
    "Queued %(count)s email for sending": ("%(count)s letero vicigita", "%(count)s leteroj vicigitaj"),
}


@pytest.fixture(scope="module")
def locale(tmp_path_factory):
    """A folder with the language, extracted from the sources and translated as far as the tests need."""
    sources, folder = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("locale")
    for room in ROOMS:  # a copy, since files are written beside the templates meanwhile
        shutil.copytree(ROOT / room, sources / room, ignore=shutil.ignore_patterns("static", "__pycache__"))
    catalogue = folder / LANGUAGE / "LC_MESSAGES/django.po"
    with chdir(sources), override_settings(LOCALE_PATHS=[folder]):
        call_command("makemessages", locale=[LANGUAGE], verbosity=0)
        extracted = catalogue.read_text()
        catalogue.write_text(translated(extracted))
        call_command("compilemessages", locale=[LANGUAGE], verbosity=0)
    return folder, extracted


def translated(catalogue: str) -> str:
    for one, other in SENTENCES.items():
        catalogue = replaced(catalogue, rf'(msgid {joined(one)}\n)msgstr ""\n', rf'\1msgstr "{other}"\n')
    for one, (first, second) in PLURALS.items():
        pattern = rf'(msgid {joined(one)}\nmsgid_plural (?:".*"\n)+)msgstr\[0\] ""\nmsgstr\[1\] ""\n'
        catalogue = replaced(catalogue, pattern, rf'\1msgstr[0] "{first}"\nmsgstr[1] "{second}"\n')
    return catalogue.replace("#, fuzzy\n", "")


def joined(text: str) -> str:
    """A pattern of the text as it may be broken over lines."""
    return r'(?:""\n)?"' + r'(?:"\n")?'.join(re.escape(part) for part in re.split(r"(?<= )", text)) + '"'


def replaced(catalogue: str, pattern: str, by: str) -> str:
    changed, count = re.subn(pattern, by, catalogue)
    assert count == 1, f"Extracted {count} times: {pattern}"
    return changed


@pytest.fixture
def other_language(locale, settings):
    settings.LOCALE_PATHS = [locale[0]]
    settings.LANGUAGES = languages(locale[0])


def test_the_demonstration_is_left_out(locale):
    sources = set(re.findall(r"^#: ([^:\n]+):", locale[1], re.MULTILINE))
    demonstration = ("config/demo/", "config/chaos/")
    assert sources
    assert {source for source in sources if source.startswith(demonstration)} == set()


def test_a_language_that_is_translated_is_offered_under_its_own_name(locale):
    assert languages(locale[0]) == [("en", "English"), ("eo", "Esperanto")]


def test_why_mail_waits_is_told_in_the_other_language(other_language):
    now = timezone.now().replace(hour=12, minute=0)
    full = Account("full", frees_at=now + timedelta(hours=2, minutes=5), held_by="24 h")
    facts = Facts(now=now, alive=True, pending=1240, accounts=[full, full], campaigns=[Campaign()])
    with translation.override(LANGUAGE):
        told = "1\xa0240 atendas: 2 kontoj uzis sian limon (libera hodiaŭ 14:05)"
        assert why_it_waits(facts) == told


@pytest.mark.parametrize("room", ["accounts", "campaigns", "sending"])
def test_a_room_has_a_name_that_can_be_translated(room):
    assert isinstance(apps.get_app_config(room).verbose_name, Promise)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_a_model_and_its_fields_have_labels_that_can_be_translated(model):
    labels = {}
    for label in ("verbose_name", "verbose_name_plural"):  # as they were written: Django makes up what lacks
        labels[label] = model._meta.original_attrs.get(label)
    for field in model._meta.get_fields():
        if not field.concrete or field.auto_created:
            continue
        labels[field.name] = field.verbose_name
        if field.help_text:
            labels[f"help_text of {field.name}"] = field.help_text
        labels |= {
            f"{value} of {field.name}": told for value, told in field.choices or () if told not in NAMES
        }
    assert {where: label for where, label in labels.items() if not isinstance(label, Promise)} == {}


@pytest.mark.django_db
def test_labels_are_shown_in_the_other_language(admin_client, other_language):
    make_account()
    headers = {"HTTP_ACCEPT_LANGUAGE": LANGUAGE}
    for page, words in {
        "campaigns_campaign_add": "Temo",
        "accounts_smtpaccount_changelist": "Taga limo",
        "sending_uncertainemail_changelist": "Necertaj leteroj",
    }.items():
        assert words in admin_client.get(reverse(f"admin:{page}"), **headers).content.decode()


@pytest.mark.django_db
def test_screens_are_shown_in_the_language_of_the_browser(admin_client, other_language):
    make_account()
    make_queue(queued(), "pending", 3)
    beat()
    headers = {"HTTP_ACCEPT_LANGUAGE": LANGUAGE}
    dashboard = admin_client.get(reverse("admin:index"), **headers).content.decode()
    for words in ("Panelo", "Sendado funkcias.", "Atendas", "hodiaŭ", f'lang="{LANGUAGE}"'):
        assert words in dashboard
    campaigns = admin_client.get(reverse("admin:campaigns_campaign_changelist"), **headers).content.decode()
    for words in ("Kampanjoj kaj kontaktoj", "Progreso", "Sendu kampanjon"):
        assert words in campaigns


@pytest.mark.django_db
def test_a_browser_that_asks_for_a_language_we_lack_gets_one_whole_page_in_english(admin_client):
    page = admin_client.get(
        reverse("admin:campaigns_contact_add"), HTTP_ACCEPT_LANGUAGE="de"
    ).content.decode()
    assert 'lang="en"' in page
    assert "Save and continue editing" in page
    assert [code for code, _name in settings.LANGUAGES] == ["en"]
