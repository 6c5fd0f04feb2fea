"""Staff of every role, and something of everything for them to act on."""

import io
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from accounts.actions import pause_account
from accounts.models import SmtpAccount
from campaigns import actions, import_actions
from campaigns.models import Campaign, Contact, ContactList, Import
from sending.exporting import actions as export_actions
from sending.exporting.models import Export
from sending.models import Pacing, QueuedEmail, Suppression
from tests.factories import make_account, make_campaign, make_list, make_user

ROLES = ("nobody", "Viewer", "Editor", "Sender", "Account manager", "Administrator")
TABLES = (
    "campaigns_campaign", "campaigns_campaign_lists", "campaigns_contact", "campaigns_contactlist",
    "campaigns_contactlist_contacts", "campaigns_attachment", "campaigns_import", "accounts_smtpaccount",
    "accounts_accountpause",
    "sending_queuedemail", "sending_testmail", "sending_pacing", "sending_suppression", "sending_export",
    "campaigns_queueing", "auth_user", "auth_user_groups", "auth_group", "auth_group_permissions",
    "django_admin_log", "django_q_ormq",
)  # fmt: skip


@dataclass
class World:
    """One row of everything that the actions are about. account is paused, spare may send."""

    everybody: ContactList
    draft: Campaign
    sending: Campaign
    paused: Campaign
    account: SmtpAccount
    suppression: Suppression
    colleague: User
    superuser: User
    imported: Import
    spare: SmtpAccount
    export: Export
    queueing: Campaign


def make_world() -> World:
    everybody = make_list(2)
    draft, sending, paused = (make_campaign(everybody, name=name) for name in ("draft", "sending", "paused"))
    for campaign in (sending, paused):
        actions.queue_campaign(campaign)
        failed = QueuedEmail.objects.filter(campaign=campaign).order_by("id")[:1]
        QueuedEmail.objects.filter(pk__in=failed).update(status="failed", finished_at="2026-01-01T00:00Z")
    actions.pause_campaign(paused)
    account = make_account()
    pause_account(account.pk, "The log-in was refused.")
    Pacing.load()
    suppression = Suppression.objects.create(email="no@example.com")
    Contact.objects.create(email="no@example.com")
    ContactList.objects.create(name="another")
    superuser = User.objects.create_superuser("root", last_login=None)
    colleague = make_user(name="colleague")
    imported = import_actions.upload(io.BytesIO(b"email\nnew@example.com\n"), "new.csv", list_name="New")
    Import.objects.update(state="checked", fields=["email"])
    export = export_actions.begin("contacts", {}, title="Contacts", filename="contacts.csv", user=superuser)
    queueing = make_campaign(make_list(2, "many", prefix="many"), name="queueing")
    with override_settings(QUEUE_AT_ONCE=1):
        actions.send_campaign(queueing)
    return World(
        everybody, draft, sending, paused, account, suppression, colleague, superuser, imported,
        spare=make_account("spare"), export=export, queueing=queueing,
    )  # fmt: skip


def facts() -> dict[str, list[str]]:
    """All rows, but for the moment at which a user was last seen."""
    with connection.cursor() as cursor:
        return {table: rows(cursor, table) for table in TABLES}


def rows(cursor, table: str) -> list[str]:
    cursor.execute(f"SELECT to_jsonb(t) - 'last_login' FROM {table} t ORDER BY 1")
    return [str(row) for row in cursor.fetchall()]


def log_in(*roles: str) -> Client:
    client = Client()
    known = [role for role in roles if role != "nobody"]
    client.force_login(make_user(*known, name="user"))
    return client


def page(name: str, *args: object) -> str:
    return reverse(f"admin:{name}", args=args)
