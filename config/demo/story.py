"""What a school office would do: add its accounts, import its list, write, press Send."""

from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command

from accounts.actions import add_account
from campaigns import actions
from campaigns.models import Campaign
from sending.actions import set_pacing

FOLDER = Path(__file__).parent
CAMPAIGN, LIST = "Summer fair", "Families"
SUBJECT = 'Summer fair: {{ first_name | default: "friend" }}, you are invited'


@dataclass(frozen=True)
class Mailbox:
    """One of the office's accounts; password: its log-in at the local SMTP server."""

    name: str
    email: str
    daily_limit: int
    password: str


MAILBOXES = (
    Mailbox("Office", "office@school.example", 60, "demo-office-1"),
    Mailbox("Parents", "parents@school.example", 80, "demo-parents-2"),
    Mailbox("Library", "library@school.example", 100, "demo-library-3"),
)


def add_accounts(port: int) -> None:
    """Adds the accounts, with limits so small that not everything fits into one day."""
    for mailbox in MAILBOXES:
        add_account(
            name=mailbox.name,
            email=mailbox.email,
            from_name=f"School office ({mailbox.name})",
            host="127.0.0.1",
            port=port,
            security="none",
            username=mailbox.email,
            password=mailbox.password,
            daily_limit=mailbox.daily_limit,
        )


def import_recipients() -> None:
    """Imports the bundled list; the report names the three addresses that can't be right."""
    call_command("import_contacts", str(FOLDER / "recipients.csv"), list=LIST)


def write_campaign() -> Campaign:
    """Writes the message, with merge fields."""
    call_command(
        "create_campaign", name=CAMPAIGN, subject=SUBJECT, html=FOLDER / "campaign.html", lists=[LIST]
    )
    return Campaign.objects.get(name=CAMPAIGN)


def set_quick_pace() -> None:
    """A pace for people who watch; the default is 10 mails every 30 s."""
    set_pacing(batch_size=25, batch_interval=1, delay=0.01)


def press_send(campaign: Campaign) -> int:
    """What the admin's action does; returns how many mails were queued."""
    return actions.queue_campaign(campaign)
