"""An office with a bit of everything, and every screen that its staff can look at."""

import io
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from django.contrib.auth.models import Group, User
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from accounts.actions import pause_account, resume_account
from accounts.models import SmtpAccount
from campaigns import import_actions
from campaigns.models import Attachment, Campaign, Contact, ContactList, Import, Queueing
from sending.exporting.models import Export
from sending.longwork import running
from sending.models import Batch, QueuedEmail, SendLog, SentFolderLook, Suppression, UncertainEmail
from tests.factories import make_account, make_list
from tests.queue_rows import beat, make_queue, queued

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
# Of "Newsletter 1": its past.
PAUSES = (
    (
        "The provider's daily limit is reached; sending goes on by itself. (550 5.4.5)",
        timedelta(hours=3),
        "maria",
    ),
    (
        "The server keeps dropping the connection, or does not answer; sending goes on by itself. (421)",
        timedelta(minutes=5),
        "",
    ),
    ("The log-in was refused: enter the right password. (535 5.7.8)", None, "maria"),
)
REFUSALS = (("failed", 550, "5.1.1", 9), ("retry", 450, "4.2.1", 6), ("failed", 554, "5.7.1", 3))


GUESTS = b"Gast;Adresse;Stadt\nIda;ida@example.com;Kiel\nBen;ben@;Bonn\nIda;IDA@example.com;Kiel\n"


def at(name: str, *args: object) -> str:
    return reverse(f"admin:{name}", args=args)


def of(model: type, step: str = "change", **which: object) -> str:
    """A page of the one row that is meant."""
    meta = model._meta
    return at(f"{meta.app_label}_{meta.model_name}_{step}", model.objects.filter(**which).earliest("pk").pk)


def table(name: str, query: str = "") -> Callable[[], str]:
    return lambda: at(f"{name}_changelist") + query


# Every screen by its name, and where it is in the office that fill() makes. A new one needs a line here.
SCREENS: dict[str, Callable[[], str]] = {
    "dashboard": lambda: at("index"),
    "campaigns": table("campaigns_campaign"),
    "campaign": lambda: of(Campaign, name="Winter letters"),
    "review": lambda: of(Campaign, "review", name="Winter letters"),
    "queueing": lambda: of(Campaign, "progress", name="Letter to all"),
    "queueing-more": lambda: of(Campaign, "progress", name="Members’ evening"),
    "campaign-progress": lambda: of(Campaign, "progress", name="Spring catalogue"),
    "campaign-progress-of-a-draft": lambda: of(Campaign, "progress", name="Winter letters"),
    "campaign-history": lambda: of(Campaign, "history", name="Spring catalogue"),
    "campaign-delete": lambda: of(Campaign, "delete", name="Winter letters"),
    "contacts": table("campaigns_contact"),
    "contacts-none-found": table("campaigns_contact", "?q=nobody"),
    "contact": lambda: of(Contact, email="member1@example.com"),
    "contact-add": lambda: at("campaigns_contact_add"),
    "contact-delete": lambda: of(Contact, "delete", email="person2@example.com"),
    "lists": table("campaigns_contactlist"),
    "list": lambda: of(ContactList, name="Members"),
    "imports": table("campaigns_import"),
    "import-upload": lambda: at("campaigns_import_add"),
    "import-columns": lambda: of(Import, state="uploaded"),
    "import-checked": lambda: of(Import, state="checked"),
    "import-at-work": lambda: of(Import, state="importing"),
    "import-done": lambda: of(Import, state="done"),
    "import-refused": lambda: of(Import, state="refused"),
    "suppressions": table("sending_suppression"),
    "suppression-add": lambda: at("sending_suppression_add"),
    "suppressions-upload": lambda: at("campaigns_import_add") + "?to=suppressions",
    "accounts": table("accounts_smtpaccount"),
    "account": lambda: of(SmtpAccount, name="Newsletter 1"),
    "account-paused": lambda: of(SmtpAccount, name="Support"),
    "account-providers": lambda: at("accounts_smtpaccount_add"),
    "account-add": lambda: at("accounts_smtpaccount_add") + "?provider=gmail",
    "pacing": lambda: at("sending_pacing_change", 1),
    "queue": table("sending_queuedemail"),
    "mail": lambda: of(QueuedEmail, email="member1@example.com"),
    "uncertain": table("sending_uncertainemail"),
    "uncertain-mail": lambda: at(
        "sending_uncertainemail_change", QueuedEmail.objects.filter(status="uncertain").earliest("pk").pk
    ),
    "uncertain-mail-of-a-cancelled-campaign": lambda: of(
        UncertainEmail, status="uncertain", campaign__name="Summer sale"
    ),
    "ledger": table("sending_sendlog"),
    "batches": table("sending_batch"),
    "heartbeats": table("sending_heartbeat"),
    "export": lambda: of(Export, state="working"),
    "export-done": lambda: of(Export, state="done"),
    "exports": table("sending_export"),
    "tables": lambda: reverse("tables"),
    "users": table("auth_user"),
    "user": lambda: of(User, username="ben"),
    "user-add": lambda: at("auth_user_add"),
    "role": lambda: of(Group, name="Editor"),
    "password": lambda: at("password_change"),
    "no-such-page": lambda: "/no/such/page/",
}
# Those that look otherwise while there is nothing yet.
LONG_AGO = timedelta(hours=3)
EMPTY = ("dashboard", "campaigns", "contacts", "lists", "imports", "suppressions", "uncertain", "queue")


def fill(user: User | None = None) -> None:
    """Campaigns, accounts, two days of the ledger, and work that takes long, of this user."""
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
    one_persons_history(paused, accounts[0])
    uncertain_mails(spring, accounts[3])
    sale = queued("Summer sale", status="cancelled", **text)
    uncertain_mails(sale, accounts[3])
    QueuedEmail.objects.create(campaign=spring, email="member1@example.com")  # suppressed meanwhile
    imports()
    suppressions()
    colleagues()
    last_batches()
    fill_long_work(user)


def last_batches() -> None:
    """Most went well; of the others some failed, some are to be tried again, one is uncertain."""
    for ago in range(8, 0, -1):
        Batch.objects.create(
            size=10, sent=10 - ago % 3, failed=ago % 3 if ago < 4 else 0, uncertain=int(ago == 7),
            retried=ago % 3 - int(ago == 7) if ago > 3 else 0, lease=timezone.now(),
            finished=timezone.now() - timedelta(seconds=30 * ago),
        )  # fmt: skip


def address(name) -> str:
    return f"{name.lower().replace(' ', '')}@harbour-books.example"


def send(campaign, account, count, *, hours, since=0) -> None:
    """Sent mails, more by day than by night, over the hours before now (but for the last `since`)."""
    shares = [(number / max(count, 1)) ** 1.6 for number in range(count)]
    ages = [
        timedelta(hours=since + share * (hours - since), minutes=number % 7)
        for number, share in enumerate(shares)
    ]
    log(make_queue(campaign, "sent", count, account), account, "sent", 250, "", ages)


def refuse(campaign, account, outcome, code, enhanced, count) -> None:
    ages = [timedelta(hours=2.3 * number + 0.5) for number in range(count)]
    log(make_queue(campaign, "failed", count, account), account, outcome, code, enhanced, ages)


def log(mails, account, outcome, code, enhanced, ages) -> None:
    """A ledger row for each mail, this long ago."""
    now = timezone.now()
    batches = Batch.objects.bulk_create(
        Batch(size=1, lease=now, finished=now - timedelta(hours=50), token=uuid4()) for _ in mails
    )
    SendLog.objects.bulk_create(
        SendLog(
            queued_email=mail,
            batch=batch,
            account=account,
            at=now - age,
            phase="dot" if outcome == "sent" else "rcpt",
            code=code,
            enhanced_code=enhanced,
            outcome=outcome,
            duration=0.4,
        )
        for mail, batch, age in zip(mails, batches, ages, strict=True)
    )


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
    members = Campaign.objects.get(name="Members’ evening")
    Queueing.objects.create(campaign=members, expected=130_000, created_by=user)
    wanted = {"source": "contacts", "wanted": {}, "language": "en"}
    Export.objects.create(
        title="Recipients of Spring catalogue", filename="spring-catalogue.csv", rows_done=62_000, percent=71,
        **wanted, **held,
    )  # fmt: skip
    Export.objects.create(
        title="Contacts", filename="contacts.csv", rows_done=184_312, size=14_900_000, state="done",
        finished_at=Now(), created_by=user, **wanted,
    )  # fmt: skip


def one_persons_history(campaign: Campaign, account: SmtpAccount) -> None:
    """A mail that was refused twice, and is on the list of suppressions now."""
    contact = Contact.objects.get(email="member1@example.com")
    (mail,) = make_queue(campaign, "failed", account=account, contact=contact, attempts=2)
    QueuedEmail.objects.filter(pk=mail.pk).update(
        email=contact.email, last_reply="550 5.1.1 No such user here"
    )
    log([mail], account, "retry", 450, "4.2.1", [timedelta(minutes=12)])
    log([mail], account, "failed", 550, "5.1.1", [timedelta(minutes=2)])
    Suppression.objects.create(email=contact.email, reason="bounced", source="campaign 3")


def uncertain_mails(campaign: Campaign, account: SmtpAccount) -> None:
    """One that was looked for in vain, and one that can't be looked for."""
    text = "The server closed the connection after the final dot."
    mails = make_queue(campaign, "uncertain", 2, account, attempts=1, last_reply=text)
    Batch.objects.filter(pk__in=[mail.batch_id for mail in mails]).update(
        finished=Now() - timedelta(minutes=4)
    )
    then = Now() - timedelta(minutes=4)
    for mail in mails:
        SendLog.objects.create(
            queued_email=mail, batch=mail.batch, account=account, at=then, phase="dot",
            outcome="uncertain", scope="unknown", text=text, duration=20.1,
        )  # fmt: skip
    SentFolderLook.objects.create(queued_email=mails[0], batch=mails[0].batch, found=False)


def imports() -> None:
    """An import at each of its steps."""
    for state in ("refused", "done", "checked", "importing", "uploaded"):
        imported = import_actions.upload(io.BytesIO(GUESTS), f"{state}.csv", list_name=f"Guests {state}")
        if state == "uploaded":
            continue
        import_actions.choose_columns(imported, ["name", "email", "city"])
        if state == "refused":
            Import.objects.filter(pk=imported.pk).update(
                state="refused", finished_at=Now(), refusal="The file holds only a header row."
            )
            continue
        running.run_next()
        imported.refresh_from_db()
        if state in ("done", "importing"):
            import_actions.start(imported)
        if state == "done":
            running.run_next()
    Import.objects.filter(state="importing").update(percent=62, rows_done=31_240)


def suppressions() -> None:
    for name, reason in (("anna", "unsubscribed"), ("karl", "complained"), ("lena", "manual")):
        Suppression.objects.create(
            email=f"{name}@example.org", reason=reason, source="Phone call" * (reason == "manual")
        )


def colleagues() -> None:
    for name, role in (("ben", "Editor"), ("ida", "Sender")):
        user = User.objects.create_user(name, first_name=name.title(), is_staff=True)
        user.groups.set(Group.objects.filter(name=role))


def nobody() -> User:
    """Somebody of the staff who may see nothing."""
    return User.objects.create_user("nora", is_staff=True)


def ask_to_send_again(page) -> None:
    """From the list of uncertain emails to the question whether they shall go out again."""
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("send_again")
    page.locator("button[name=index], #changelist-form [type=submit]").first.click()
    page.get_by_role("button", name="again").wait_for()
