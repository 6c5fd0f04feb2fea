"""Takes a picture of every screen, wide and narrow, light and dark: `make screens`, into docs/screens/.

It runs as a test, so that it has a database of its own, which it fills with what an office could have.
A new screen needs one line in SCREENS.
"""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from accounts.actions import pause_account, resume_account
from accounts.models import SmtpAccount
from campaigns.models import Attachment, Campaign, Queueing
from sending.exporting.models import Export
from sending.models import Batch, Pacing, SendLog
from tests.browser import NARROW, WIDE
from tests.cluster import ROOT
from tests.factories import make_account, make_list
from tests.queue_rows import beat, make_queue, queued

FOLDER = ROOT / "docs/screens"
LOOKS = {"wide": WIDE, "narrow": NARROW}
SCREENS = {
    "dashboard": lambda: reverse("admin:index"),
    "campaigns": lambda: reverse("admin:campaigns_campaign_changelist"),
    "campaign": lambda: reverse("admin:campaigns_campaign_change", args=[named("Winter letters")]),
    "review": lambda: reverse("admin:campaigns_campaign_review", args=[named("Winter letters")]),
    "queueing": lambda: reverse("admin:campaigns_campaign_progress", args=[named("Letter to all")]),
    "export": lambda: reverse("admin:sending_export_change", args=[Export.objects.get(state="working").pk]),
    "export-done": lambda: reverse("admin:sending_export_change", args=[Export.objects.get(state="done").pk]),
    "exports": lambda: reverse("admin:sending_export_changelist"),
    "tables": lambda: reverse("tables"),
    "accounts": lambda: reverse("admin:accounts_smtpaccount_changelist"),
    "account": lambda: reverse("admin:accounts_smtpaccount_change", args=[account("Newsletter 1").pk]),
    "account-paused": lambda: reverse("admin:accounts_smtpaccount_change", args=[account("Support").pk]),
    "account-providers": lambda: reverse("admin:accounts_smtpaccount_add"),
    "account-add": lambda: reverse("admin:accounts_smtpaccount_add") + "?provider=gmail",
    "pacing": lambda: reverse("admin:sending_pacing_change", args=[Pacing.load().pk]),
}
# Of "Newsletter 1": its past.
PAUSES = (
    (
        "The provider's daily limit is reached; sending goes on by itself. (550 5.4.5)",
        timedelta(hours=3),
        "maria",
    ),
    (
        "The server keeps dropping the connection; sending goes on by itself. (421 4.7.0)",
        timedelta(minutes=5),
        "",
    ),
    ("The log-in was refused: enter the right password. (535 5.7.8)", None, "maria"),
)
HTML = "<h1 style='color: #22577a'>Spring catalogue</h1><p>Dear {{ first_name }}, our new books are here.</p>"
LETTER = """<div style="max-width: 600px; margin: auto; font-family: Georgia, serif; color: #23303a">
  <h1 style="color: #22577a">Winter letters</h1>
  <p>Dear {{ first_name }},</p>
  <p>the evenings are long now, and our shelves are full: come in, sit down, read.
     On {{ evening | default: "the first Friday of the month" }} we read aloud.</p>
  <p><a href="https://harbour-books.example/winter"
     style="background: #22577a; color: #fff; padding: 10px 18px">See the programme</a></p>
  <p style="font-size: 12px"><a href="https://harbour-books.example/unsubscribe">Unsubscribe</a></p>
</div>"""
# Name, daily limit, mails sent in the last 24 h, pause.
ACCOUNTS = (
    ("Events", 100, 100, ""),
    ("Newsletter 1", 100, 94, ""),
    ("Newsletter 2", 100, 71, ""),
    ("Relay", 2000, 412, ""),
    ("Support", 100, 41, "Gmail wants an app password: make one and enter it. (534 5.7.9)"),
)
REFUSALS = (("failed", 550, "5.1.1", 9), ("retry", 450, "4.2.1", 6), ("failed", 554, "5.7.1", 3))


@pytest.mark.django_db(transaction=True)
def test_pictures(open_page, django_user_model):
    user = django_user_model.objects.create_superuser(
        "maria", email="maria@harbour-books.example", first_name="Maria"
    )
    shoot(open_page, user, {"first-run": reverse("admin:index")})
    fill()
    fill_long_work(user)
    shoot(open_page, user, {name: url() for name, url in SCREENS.items()})


def shoot(open_page, user, urls) -> None:
    FOLDER.mkdir(exist_ok=True)
    for look, viewport in LOOKS.items():
        for scheme in ("light", "dark"):
            page = open_page(user, viewport=viewport, color_scheme=scheme)
            for name, url in urls.items():
                page.goto(url)
                page.wait_for_load_state("networkidle")
                page.screenshot(path=FOLDER / f"{name}-{look}-{scheme}.png", full_page=True)


def fill() -> None:
    """Four campaigns, five accounts, two days of the ledger."""
    everybody = make_list(60, name="Customers")
    members = make_list(1440, name="Members", prefix="member")
    accounts = [
        make_account(
            name,
            email=f"{name.lower().replace(' ', '')}@harbour-books.example",
            daily_limit=limit,
            pause_reason=pause,
        )
        for name, limit, _, pause in ACCOUNTS
    ]
    for reason, until, by in PAUSES:
        pause_account(accounts[1].pk, reason, until)
        if by:
            resume_account(accounts[1].pk, by)
    text = {"subject": "News for {{ first_name }}", "html": HTML}
    finished = queued("Autumn readings", queued_at=timezone.now() - timedelta(days=2), **text)
    spring = queued("Spring catalogue", queued_at=timezone.now() - timedelta(hours=20), **text)
    paused = queued("Members’ evening", status="paused", pause_reason="Paused by Maria", **text)
    winter = Campaign.objects.create(
        name="Winter letters", subject="Winter letters for {{ first_name }}", html=LETTER
    )
    members.contacts.create(email="no-name@example.com")
    winter.lists.set([everybody, members])
    make_file(winter)
    for campaign in (finished, spring, paused):
        campaign.lists.set([everybody])
    for account, (_name, _limit, used, _pause) in zip(accounts, ACCOUNTS, strict=True):
        send(spring, account, used, hours=22)
        send(finished, account, used // 2, hours=46, since=25)
    for outcome, code, enhanced, count in REFUSALS:
        refuse(spring, accounts[1], outcome, code, enhanced, count)
    make_queue(spring, "pending", 520)
    make_queue(spring, "retry", 6, accounts[1])
    make_queue(spring, "failed", 12, accounts[1])
    make_queue(paused, "pending", 76)
    beat()
    for ago in range(8, 0, -1):
        Batch.objects.create(
            size=10, sent=10 - ago % 3, failed=ago % 3 if ago < 4 else 0, lease=timezone.now(),
            finished=timezone.now() - timedelta(seconds=30 * ago),
        )  # fmt: skip


def account(name) -> SmtpAccount:
    return SmtpAccount.objects.get(name=name)


def make_file(campaign) -> None:
    Attachment.objects.create(
        campaign=campaign, filename="programme.pdf", content_type="application/pdf", content=bytes(180_000)
    )


def fill_long_work(user) -> None:
    """A campaign that is being queued; an export that is being made, and one that is done."""
    held = {"slot": 1, "token": uuid4(), "lease": Now() + timedelta(hours=1), "created_by": user}
    campaign = Campaign.objects.create(
        name="Letter to all", subject="To all of you", html=HTML, status="queueing"
    )
    Queueing.objects.create(campaign=campaign, expected=250_000, rows_done=120_000, percent=48, **held)
    wanted = {"source": "contacts", "wanted": {}, "language": "en"}
    Export.objects.create(
        title="Recipients of Spring catalogue", filename="spring-catalogue.csv", rows_done=62_000, percent=71,
        **wanted, **held,
    )  # fmt: skip
    Export.objects.create(
        title="Contacts", filename="contacts.csv", rows_done=184_312, size=14_900_000, state="done",
        finished_at=Now(), created_by=user, **wanted,
    )  # fmt: skip


def named(name) -> int:
    return Campaign.objects.get(name=name).pk


def address(name) -> str:
    return f"{name.lower().replace(' ', '')}@harbour-books.example"


def send(campaign, account, count, *, hours, since=0) -> None:
    """Sent mails, more by day than by night, over the hours before now (but for the last `since`)."""
    for number, mail in enumerate(make_queue(campaign, "sent", count, account)):
        share = (number / max(count, 1)) ** 1.6
        log(
            mail,
            account,
            "sent",
            250,
            "",
            timedelta(hours=since + share * (hours - since), minutes=number % 7),
        )


def refuse(campaign, account, outcome, code, enhanced, count) -> None:
    for number, mail in enumerate(make_queue(campaign, "failed", count, account)):
        log(mail, account, outcome, code, enhanced, timedelta(hours=2.3 * number + 0.5))


def log(mail, account, outcome, code, enhanced, age) -> None:
    batch = Batch.objects.create(
        size=1, lease=timezone.now(), finished=timezone.now() - timedelta(hours=50), token=uuid4()
    )
    SendLog.objects.create(
        queued_email=mail,
        batch=batch,
        account=account,
        at=Now() - age,
        phase="dot" if outcome == "sent" else "rcpt",
        code=code,
        enhanced_code=enhanced,
        outcome=outcome,
        duration=0.4,
    )
