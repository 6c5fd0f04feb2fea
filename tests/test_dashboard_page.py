"""The dashboard, the front page of the admin."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import SmtpAccount
from accounts.words import moment
from campaigns.models import Campaign
from sending.models import Heartbeat, QueuedEmail, SendLog, TestMail
from tests.factories import make_account, make_list, make_user, set_pace
from tests.queue_rows import beat, make_batch, make_queue, make_sent, queued

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff_client(client):
    client.force_login(make_user("Viewer"))
    return client


def get(client, query="") -> str:
    response = client.get(f"/admin/dashboard/{query}")
    assert response.status_code == 200
    return response.content.decode()


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_strangers_are_sent_to_the_log_in_page(client, django_user_model):
    assert client.get("/admin/dashboard/").url == "/admin/login/?next=/admin/dashboard/"
    client.force_login(django_user_model.objects.create_user("customer"))
    assert client.get("/admin/dashboard/?fragment").status_code == 302


def test_it_is_the_front_page_and_every_admin_page_links_to_it(staff_client):
    assert "Sending is not running." in staff_client.get("/admin/").content.decode()
    assert '<a href="/admin/">Dashboard</a>' in staff_client.get("/admin/password_change/").content.decode()


def test_the_list_of_all_tables_stays_within_reach(admin_client):
    assert 'href="/admin/tables/"' in admin_client.get("/admin/").content.decode()
    tables = admin_client.get("/admin/tables/").content.decode()
    assert reverse("admin:auth_user_changelist") in tables
    assert reverse("admin:sending_sendlog_changelist") in tables


def test_an_empty_installation_shows_the_first_steps(staff_client):
    page = words(get(staff_client))
    assert "Sending is not running. It was never started here: ask whoever looks after the server." in page
    assert "First steps" in page
    assert "An account manager does it." in page


def test_the_first_steps_say_what_to_press_and_name_commands_to_nobody_but_the_administrator(admin_client):
    page = get(admin_client)
    for step in ("accounts_smtpaccount_add", "campaigns_import_add", "campaigns_campaign_add"):
        assert f'href="{reverse(f"admin:{step}")}"' in page.partition("First steps")[2]
    assert [line for line in page.splitlines() if "manage.py" in line] == [
        '<p class="quiet small for-administrator">For your administrator: <code>manage.py watchdog</code></p>'
    ]


def test_first_steps_go_once_batches_were_sent(staff_client):
    make_account()
    make_batch(finished=timezone.now())
    assert "First steps" not in get(staff_client)


def test_it_shows_the_figures_of_campaigns_and_accounts(staff_client):
    account = make_account("Support", daily_limit=50, pause_reason="Make an app password.")
    campaign = queued("Spring catalogue")
    make_sent(campaign, account, 3)
    make_queue(campaign, "failed", 1, account)
    make_queue(campaign, "pending", 4)
    beat()

    page = words(get(staff_client))

    assert "Sending is running." in page
    assert "Sent today 3 of 50 a day" in page
    assert "Pending 4" in page
    assert "Sent in all 3" in page
    assert "Spring catalogue sending 50% of 8 · 3 in the last hour Sent 3 Remaining 4 Failed 1" in page
    assert "Support paused Support@sender.example 3 of 50 a day, 47 left" in page
    assert "Make an app password." in page
    assert "4 waiting: 1 account is paused (Make an app password)" in page


def test_a_dispatcher_that_fails_is_not_called_running(staff_client):
    beat(outcome="failed: OperationalError")
    page = words(get(staff_client))
    assert "Sending fails." in page
    assert "failed: OperationalError" in page


def test_batches_are_told_as_log_lines_and_the_latest_says_what_is_left(staff_client):
    make_batch(sent=8, failed=2, finished=timezone.now() - timedelta(minutes=1))
    make_batch(sent=10, failed=0, finished=timezone.now())
    make_queue(queued(), "pending", 2)
    page = words(get(staff_client))
    assert "Batch sent: 10 emails, 0 failures. Queue remaining: 2" in page
    assert re.search(r"Batch sent: 8 emails, 2 failures\.(?! Queue)", page)


def test_the_log_tells_failures_from_what_is_tried_again_or_uncertain(staff_client):
    make_batch(sent=8, failed=1, retried=2, uncertain=1, finished=timezone.now())
    make_batch(sent=1, failed=0, retried=9, finished=timezone.now())
    page = words(get(staff_client))
    assert "Batch sent: 8 emails, 1 failure, 2 to be tried again, 1 uncertain." in page
    assert "Batch sent: 1 email, 0 failures, 9 to be tried again. Queue remaining: 0" in page


def test_sent_today_and_what_is_used_of_the_accounts_agree(staff_client):
    """Tests and uncertain mails count in both, what a server refused counts in neither."""
    campaign, account = queued(), make_account(daily_limit=50)
    make_sent(campaign, account, 3)
    make_queue(campaign, "uncertain", 2, account)
    (logged,) = make_queue(campaign, "uncertain", 1, account)
    values = {"phase": "dot", "outcome": "uncertain", "duration": 1}
    SendLog.objects.create(queued_email=logged, batch=logged.batch, account=account, **values)
    make_queue(campaign, "failed", 1, account)
    for outcome in ("sent", "uncertain", "refused"):
        TestMail.objects.create(
            account=account, email="me@example.com", message_id=outcome, outcome=outcome, counts_at=Now()
        )
    page = words(get(staff_client))
    assert "Sent today 8 of 50 a day" in page
    assert "8 of 50 a day, 42 left" in page
    assert "with tests and uncertain emails" in page


def test_what_a_batch_has_in_hand_is_not_sent_yet(staff_client):
    make_queue(queued(), "sending", 2, make_account(daily_limit=50))
    page = words(get(staff_client))
    assert "Sent today 0 of 50 a day" in page
    assert "Being sent 2" in page


def test_what_has_not_changed_is_answered_with_304_and_three_queries(staff_client, django_assert_num_queries):
    make_sent(queued(), make_account(), 2)
    etag = staff_client.get("/admin/dashboard/?fragment")["ETag"]
    assert etag.replace('"', "&quot;") in get(staff_client)
    with django_assert_num_queries(5):  # session, user, permissions of user and groups, version
        response = staff_client.get("/admin/dashboard/?fragment", headers={"If-None-Match": etag})
    assert (response.status_code, response.content) == (304, b"")


def _etag(client) -> str:
    return client.get("/admin/dashboard/?fragment")["ETag"]


@pytest.mark.parametrize(
    "change",
    [
        lambda: make_queue(queued("Other"), "pending", 1),
        lambda: SmtpAccount.objects.update(pause_reason="Make an app password."),
        lambda: SmtpAccount.objects.update(daily_limit=7),
        lambda: beat(outcome="3 mails dispatched"),
        lambda: Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=5)),
        lambda: make_batch(finished=timezone.now()),
        lambda: QueuedEmail.objects.filter(status="pending").update(
            status="cancelled", finished_at=timezone.now()
        ),
        lambda: SendLog.objects.update(at=timezone.now() - timedelta(hours=25)),
        lambda: Campaign.objects.update(name="Renamed"),
        lambda: set_pace(batch_size=7),
    ],
)
def test_whatever_it_shows_changes_its_etag(staff_client, change):
    campaign = queued()
    make_sent(campaign, make_account(), 2)
    make_queue(campaign, "pending", 1)
    beat()
    before = _etag(staff_client)
    change()
    assert _etag(staff_client) != before


def test_who_may_change_accounts_resumes_one_by_post_and_the_history_keeps_it(admin_client, admin_user):
    account = make_account(pause_reason="Make an app password.")
    resume = reverse("resume_account", args=[account.pk])
    assert f'action="{resume}"' in get(admin_client)
    assert admin_client.get(resume).status_code == 405

    response = admin_client.post(resume, follow=True)

    account.refresh_from_db()
    assert account.pause_reason == ""
    assert "“a1” sends again." in response.content.decode()
    assert LogEntry.objects.get().user == admin_user


def test_without_permission_or_csrf_token_nobody_resumes_an_account(staff_client, admin_user):
    account = make_account(pause_reason="Make an app password.")
    resume = reverse("resume_account", args=[account.pk])
    assert resume not in get(staff_client)
    assert staff_client.post(resume).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    assert strict.post(resume).status_code == 403
    account.refresh_from_db()
    assert account.pause_reason == "Make an app password."


def test_a_campaign_that_goes_out_tells_its_rate_and_when_it_will_be_finished(staff_client):
    campaign, account = queued("Spring"), make_account(daily_limit=100)
    make_sent(campaign, account, 3)
    make_queue(campaign, "pending", 20)
    make_batch(finished=timezone.now())
    set_pace(batch_size=10, batch_interval=30)
    assert "finished about" not in words(get(staff_client))  # nobody sends
    beat()
    page = words(get(staff_client))
    assert "3 in the last hour · finished about" in page


def test_a_campaign_is_not_finished_before_its_last_retry(staff_client):
    beat()
    campaign, account = queued("Spring"), make_account(daily_limit=100)
    make_sent(campaign, account, 3)
    at = timezone.localtime() + timedelta(days=3)
    make_queue(campaign, "retry", 1, account, next_attempt_at=at - timedelta(days=1))
    make_queue(campaign, "retry", 1, account, next_attempt_at=at)
    assert f"finished about {moment(at)}" in words(get(staff_client))


def test_it_tells_the_last_48_hours_and_failures_by_class(staff_client):
    campaign, account = queued(), make_account()
    make_sent(campaign, account, 3)
    make_sent(campaign, account, 2, age=timedelta(hours=30))
    make_sent(campaign, account, 4, age=timedelta(hours=60))
    first = SendLog.objects.order_by("pk").first()
    SendLog.objects.filter(pk=first.pk).update(outcome="failed", code=550, enhanced_code="5.1.1")
    make_batch(finished=timezone.now())
    html = get(staff_client)
    assert html.count("data-start=") == 48
    assert sorted(re.findall(r'data-sent="([1-9]\d*)"', html)) == ["2", "2"]
    assert "Address unknown or refused 1" in words(html)
    assert "4 sent in all." in words(html)


def test_the_fragment_is_the_figures_alone_and_is_never_kept(staff_client):
    response = staff_client.get("/admin/dashboard/?fragment")
    html = response.content.decode()
    assert "Sending is not running." in html
    assert "<html" not in html
    assert "no-store" in response["Cache-Control"]


def test_the_page_works_under_a_strict_content_security_policy(staff_client):
    make_sent(queued(), make_account(), 2)
    html = get(staff_client)
    assert "<style" not in html
    assert not re.search(r"\sstyle=|\son\w+=", html)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))


def test_names_are_shown_as_text_never_as_markup(staff_client):
    make_queue(queued("<b>Sale</b>"), "pending", 1)
    make_account("<i>Shop</i>", email="shop@sender.example", pause_reason="<script>alert(1)</script>")
    html = get(staff_client)
    assert "&lt;b&gt;Sale&lt;/b&gt;" in html
    assert "<script>alert" not in html


def test_it_links_to_the_failed_mails_of_a_campaign(staff_client, admin_client):
    campaign, account = queued("One"), make_account()
    make_queue(campaign, "failed", 1, account)
    make_queue(queued("Two"), "failed", 1, account)
    link = f"{reverse('admin:sending_queuedemail_changelist')}?campaign={campaign.pk}&status=failed"
    assert link in get(staff_client).replace("&amp;", "&")
    listed = admin_client.get(link).context_data["cl"].result_list
    assert [mail.campaign_id for mail in listed] == [campaign.pk]


def test_only_the_latest_campaigns_are_shown_and_the_others_counted(staff_client):
    for number in range(33):
        queued(f"Campaign {number:02}", queued_at=timezone.now() + timedelta(seconds=number))
    page = words(get(staff_client))
    assert "Campaign 32" in page
    assert "Campaign 02" not in page
    assert "3 older campaigns are not shown here." in page


def test_the_number_of_queries_does_not_grow(staff_client):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            get(staff_client)
        return len(queries)

    def make(number: int) -> None:
        account, campaign = make_account(f"a{number}"), queued(f"C{number}")
        campaign.accounts.set([account])
        make_sent(campaign, account, 2)
        make_batch(account=account, finished=timezone.now())

    make(0)
    few = cost()
    for number in range(1, 7):
        make(number)
    assert QueuedEmail.objects.count() == 14
    assert cost() == few <= 25


def test_the_first_steps_tick_contacts_off_once_there_are_any(staff_client):
    step = '<li class="%s"><strong>Import contacts</strong>'
    etag = staff_client.get("/admin/dashboard/?fragment")["ETag"]
    assert step % "" in get(staff_client)
    make_list(1)
    response = staff_client.get("/admin/dashboard/?fragment", headers={"If-None-Match": etag})
    assert step % "is-done" in response.content.decode()


def test_the_uncertain_ones_lead_to_the_page_where_a_person_decides(staff_client):
    make_queue(queued(), "uncertain", 1, make_account())
    assert reverse("admin:sending_uncertainemail_changelist") + '">1</a>' in get(staff_client)
