"""What is sent, and through what: accounts whose limits are little more than the mails, or less in a
short run; campaigns that share recipients; and what was sent yesterday and leaves the rolling window while
the run lasts."""

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from accounts.actions import add_account
from accounts.clock import database_now
from accounts.limits import Window
from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Campaign, Contact, ContactList
from config.chaos.misbehaviour import CRASHING, UNRENDERABLE
from config.chaos.options import Options
from config.chaos.oracle_log import OracleLog
from sending.actions import set_pacing
from sending.models import QueuedEmail, SendLog

ROOM = 1.10  # limits together, as a multiple of the mails
# A short run has no limit of a minute to press against: its limits take less than can be accepted, so that
# mail has to wait, and a claim that heeds no limit is over one.
SHORT_ROOM = 0.75
HISTORY = 0.25  # of a limit, used up yesterday
ZONES = ("Europe/Berlin", "Pacific/Auckland", "America/New_York")
PASSWORD = "chaos"  # noqa: S105 - of a server on loopback
TEXT = "Dear {{ first_name }}, your share is {{ 100 | divided_by: share }}."
DAY = timedelta(hours=24)
# At the beginning, and once all faults are over: the knobs that a fault turned may need hours for the rest.
PACE: dict[str, Any] = {
    "batch_size": 25, "batch_interval": 0.2, "delay": 0.01, "jitter": 0.01, "retry_interval": 1,
    "max_retries": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Mailbox:
    """One account of the scene. quota: what the provider lets out in the run, None: the limit decides."""

    name: str
    limit: int
    quota: int | None
    history: int
    security: str
    limits: dict[str, Any]  # beyond the daily one


def mailboxes(options: Options) -> list[Mailbox]:
    """The accounts, by seed: one in five has a provider that is stricter than its limit."""
    draw = random.Random(f"{options.seed} mailboxes")  # noqa: S311
    count = max(4, min(20, options.mails // 50))
    weights = [draw.uniform(0.6, 1.4) for _ in range(count)]
    share_of_mails = SHORT_ROOM if options.is_short else ROOM
    made = []
    for number, weight in enumerate(weights, start=1):
        room = max(10, round(share_of_mails * options.mails * weight / sum(weights)))
        is_strict = number % 5 == 0
        limit = round(room * 1.2) if is_strict else room
        security = draw.choice(["none", "starttls"])
        more = _more_limits(options, number, limit, draw)
        history = min(round(HISTORY * limit), more.get("minute_limit", limit))  # it kept the limits, too
        made.append(Mailbox(f"a{number}", limit, room if is_strict else None, history, security, more))
    return made


def _more_limits(options: Options, number: int, limit: int, draw: random.Random) -> dict[str, Any]:
    """Some accounts count by the calendar day, some have a limit of an hour, some one of a minute.

    A short run has none of a minute: it would wait for minutes to pass.
    """
    if number % 4 == 1 and not options.is_short:
        return {"minute_limit": max(5, limit // 4)}
    if number % 4 == 2:
        return {"limit_window": Window.CALENDAR, "time_zone": draw.choice(ZONES)}
    if number % 8 == 3:
        return {"hourly_limit": max(5, limit - 3)}
    return {}


def describe_accounts(boxes: list[Mailbox], folder: Path) -> None:
    """Writes what the oracle has to know."""
    known = {
        "passwords": {box.name: PASSWORD for box in boxes},
        "quotas": {box.name: box.quota for box in boxes if box.quota is not None},
    }
    (folder / "accounts.json").write_text(json.dumps(known))


def build(options: Options, boxes: list[Mailbox], port: int, imap_port: int | None, log: OracleLog) -> int:
    """Makes all rows and queues the campaigns; returns how many mails were queued.

    imap_port: of the Sent folders; then half of the accounts send again what stays unproven.
    """
    for number, box in enumerate(boxes):
        add_account(
            name=box.name, email=f"{box.name}@sender.example", host="127.0.0.1", port=port,
            security=box.security, username=box.name, password=PASSWORD, daily_limit=box.limit,
            **box.limits, **(_sent_folder(imap_port, number) if imap_port else {}),
        )  # fmt: skip
    _make_history(options, boxes, log)
    draw = random.Random(f"{options.seed} scene")  # noqa: S311
    set_pacing(**PACE, scope=draw.choice(["all", "account"]))
    return sum(actions.queue_campaign(campaign) for campaign in _write_campaigns(options, draw))


def _sent_folder(port: int, number: int) -> dict[str, Any]:
    rule = ("resend", "hold")[number % 2]
    return {"imap_host": "127.0.0.1", "imap_port": port, "imap_security": "none", "when_unproven": rule}


def _write_campaigns(options: Options, draw: random.Random) -> list[Campaign]:
    """Campaigns whose lists overlap; one in three is bound to three quarters of the accounts."""
    sizes = _sizes(options.mails, 3 if options.mails < 1000 else 6, draw)
    contacts = Contact.objects.bulk_create(_contact(n) for n in range(max(sizes)))
    accounts = list(SmtpAccount.objects.order_by("id"))
    campaigns = []
    for number, size in enumerate(sizes, start=1):
        people = ContactList.objects.create(name=f"list {number}")
        people.contacts.set(draw.sample(contacts, size))
        campaign = Campaign.objects.create(
            name=f"c{number}", subject=f"c{number} {{{{ first_name }}}}", text=TEXT
        )
        campaign.lists.set([people])
        if number % 3 == 0:
            campaign.accounts.set(draw.sample(accounts, len(accounts) * 3 // 4))
        campaigns.append(campaign)
    return campaigns


def _sizes(total: int, count: int, draw: random.Random) -> list[int]:
    weights = [draw.uniform(0.5, 1.5) for _ in range(count)]
    sizes = [int(total * weight / sum(weights)) for weight in weights]
    sizes[0] += total - sum(sizes)
    return sizes


def _contact(number: int) -> Contact:
    """A person; two in each hundred are poisonous: one can't be rendered, one crashes its server."""
    crashes, breaks = number % 100 == 7, number % 100 == 9
    name = f"{CRASHING if crashes else UNRENDERABLE if breaks else 'person'}{number}"
    return Contact(
        email=f"{name}@example.com", attributes={"first_name": name, "share": 0 if breaks else number + 1}
    )


def _make_history(options: Options, boxes: list[Mailbox], log: OracleLog) -> None:
    """Mails of yesterday, in our ledger and in the oracle's, which leave the window during the run."""
    draw = random.Random(f"{options.seed} history")  # noqa: S311
    leaves_within = 30 if options.is_short else max(60, options.mails / 20)  # seconds
    accounts = {account.name: account for account in SmtpAccount.objects.order_by("id")}
    campaign = Campaign.objects.create(
        name="history", subject="history", text="-", status="sending", queued_at=database_now()
    )
    now = database_now()
    mails, rows = [], []
    for box in boxes:
        for number in range(box.history):
            at = now - DAY + timedelta(seconds=draw.uniform(1, leaves_within))
            message_id, rcpt = (
                f"<{box.name}-{number}@history.example>",
                f"{box.name}-{number}@history.example",
            )
            log.accepted(box.name, message_id, rcpt, "history", at.timestamp())
            mails.append(QueuedEmail(
                campaign=campaign, email=rcpt, status="sent", account=accounts[box.name],
                message_id=message_id, dated_at=at, finished_at=at, attempts=1,
            ))  # fmt: skip
    for mail in QueuedEmail.objects.bulk_create(mails):
        rows.append(SendLog(
            queued_email=mail, account=mail.account, at=mail.finished_at, phase="dot", code=250,
            outcome="sent", duration=0.1,
        ))  # fmt: skip
    SendLog.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
