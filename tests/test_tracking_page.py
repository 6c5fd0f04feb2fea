"""A campaign's tracking page: how it goes, where each mail is, and the buttons."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actions import pause_account
from campaigns import actions
from campaigns.models import Campaign
from sending.models import Batch, QueuedEmail, SendLog
from sending.selection import PAGE
from tests.factories import make_account, make_campaign, make_user, set_pace
from tests.queue_rows import beat, log, make_batch, make_queue, make_sent, queued

pytestmark = pytest.mark.django_db


def url(campaign: Campaign, name: str = "progress") -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def shown(client: Client, campaign: Campaign, **query: str) -> dict[str, str]:
    """What the table says: {address: why}."""
    context = client.get(url(campaign), query).context
    return {row["told"].mail.email: row["told"].why for row in context["rows"]}


def why(client: Client, mail: QueuedEmail) -> str:
    return shown(client, mail.campaign)[mail.email]


@pytest.fixture
def campaign() -> Campaign:
    beat()
    set_pace()
    return queued()


class TestHowItGoes:
    def test_it_tells_state_progress_counts_and_why_it_waits(self, admin_client, campaign: Campaign) -> None:
        account = make_account(daily_limit=4)
        make_sent(campaign, account, 4)
        make_queue(campaign, "pending", 5)
        make_queue(campaign, "failed", 1)
        page = admin_client.get(url(campaign)).content.decode()
        assert "50%: 5 of 10 done" in page
        assert "4 in the last hour" in page
        assert "5 waiting: 1 account has used its 24 h limit" in page
        assert "finished about" in page
        counts = {one["label"]: one["count"] for one in admin_client.get(url(campaign)).context["counts"]}
        assert counts == {"All": 10, "Pending": 5, "Sending": 0, "Sent": 4, "Failed": 1}

    def test_a_campaign_with_nothing_left_to_do_is_finished(self, admin_client, campaign: Campaign) -> None:
        make_sent(campaign, make_account(), 1)
        page = admin_client.get(url(campaign))
        assert page.context["entry"]["label"] == "finished"
        assert 'value="pause"' not in page.content.decode()

    def test_a_draft_says_what_to_do_next(self, admin_client) -> None:
        page = admin_client.get(url(make_campaign())).content.decode()
        assert "Nobody is queued yet" in page
        assert "Go to the campaign" in page

    def test_an_unchanged_page_costs_a_304(self, admin_client, campaign: Campaign) -> None:
        mail = make_queue(campaign)[0]
        fragment = admin_client.get(url(campaign), {"fragment": 1})
        known = {"If-None-Match": fragment["ETag"]}
        assert admin_client.get(url(campaign), {"fragment": 1}, headers=known).status_code == 304
        QueuedEmail.objects.filter(pk=mail.pk).update(status="cancelled", finished_at=timezone.now())
        changed = admin_client.get(url(campaign), {"fragment": 1}, headers=known)
        assert changed.status_code == 200
        assert changed["ETag"] != fragment["ETag"]

    @pytest.mark.parametrize("count", [1, 40])
    def test_the_number_of_queries_depends_on_nothing(
        self, admin_client, campaign: Campaign, count: int, django_assert_max_num_queries
    ) -> None:
        account = make_account()
        for status in QueuedEmail.Status.values:
            make_queue(campaign, status, count, None if status == "pending" else account)
        with django_assert_max_num_queries(45):
            admin_client.get(url(campaign), {"fragment": 1})


class TestWhyAMailWaits:
    def test_its_place_in_line(self, admin_client, campaign: Campaign) -> None:
        make_account()
        mails = make_queue(campaign, "pending", 3)
        assert [why(admin_client, mail) for mail in mails] == ["next in line", "2nd in line", "3rd in line"]

    def test_campaigns_that_go_first(self, admin_client, campaign: Campaign) -> None:
        make_account()
        later = queued("Later", queued_at=timezone.now())
        make_queue(campaign)
        mail = make_queue(later)[0]
        assert why(admin_client, mail) == "next in line, after another campaign"

    def test_campaigns_with_other_accounts_where_each_account_has_its_own_batches(
        self, admin_client, campaign
    ):
        set_pace(scope="account")
        later = queued("Later", queued_at=timezone.now())
        for one, name in ((campaign, "a1"), (later, "a2")):
            one.accounts.set([make_account(name)])
        make_queue(campaign)
        assert why(admin_client, make_queue(later)[0]) == "next in line"

    def test_a_start_at_which_the_window_is_closed(self, admin_client, campaign: Campaign) -> None:
        starts = timezone.localtime() + timedelta(days=1)
        opens = (starts + timedelta(hours=2)).replace(minute=0)
        set_pace(window_opens=opens.time(), window_closes=opens.replace(minute=30).time())
        Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=starts)
        campaign.refresh_from_db()
        assert "with the sending window closed until" in why(admin_client, make_queue(campaign)[0])

    def test_a_retry_with_time_and_number(self, admin_client, campaign: Campaign) -> None:
        account = make_account()
        due = timezone.localtime() + timedelta(minutes=7)
        mail = make_queue(campaign, "retry", 1, account, next_attempt_at=due, attempts=2)[0]
        told = why(admin_client, mail)
        assert told.startswith("retry ")
        assert told.endswith(f" {due:%H:%M} (2 of 3)")

    def test_an_account_that_rests(self, admin_client, campaign: Campaign) -> None:
        account = make_account()
        mail = make_queue(campaign)[0]
        pause_account(account.pk, "Too many log-ins.", timezone.now() + timedelta(hours=1))
        assert why(admin_client, mail).startswith("account “a1” rests, goes on ")
        pause_account(account.pk, "Wrong password.", None)
        assert why(admin_client, mail) == "account “a1” rests until somebody mends it"

    def test_several_accounts_that_rest(self, admin_client, campaign: Campaign) -> None:
        mail = make_queue(campaign)[0]
        for number in (2, 1):
            account = make_account(f"a{number}")
            pause_account(account.pk, "Rest.", timezone.now() + timedelta(hours=number))
        assert why(admin_client, mail).startswith("none of 2 accounts can send, “a1” goes on first, ")

    def test_a_paused_campaign_a_start_ahead_and_a_cluster_that_is_not_running(
        self, admin_client, campaign: Campaign
    ) -> None:
        make_account()
        mail = make_queue(campaign)[0]
        actions.pause_campaign(campaign)
        assert why(admin_client, mail) == "the campaign is paused"
        start = timezone.now() + timedelta(days=2)
        Campaign.objects.update(status="sending", pause_reason="", scheduled_at=start)
        assert why(admin_client, mail).startswith("the campaign starts ")
        Campaign.objects.update(scheduled_at=None)
        beat(age=timedelta(hours=1))
        assert why(admin_client, mail) == "sending is not running"

    def test_the_place_in_a_batch_and_what_is_handed_over_already(
        self, admin_client, campaign: Campaign
    ) -> None:
        account, batch = make_account(), make_batch()
        mails = make_queue(campaign, "sending", 4, account)
        for mail in mails:
            QueuedEmail.objects.filter(pk=mail.pk).update(batch=batch)
        waits = f"in batch {batch.pk}, which waits for a worker"
        assert why(admin_client, mails[0]) == waits
        Batch.objects.filter(pk=batch.pk).update(started=timezone.now(), token="0" * 32)
        row = log(mails[0], "sent", account, "none", code=250, enhanced_code="2.0.0", text="OK 17")
        SendLog.objects.filter(pk=row.pk).update(batch=batch)
        assert [why(admin_client, mail) for mail in mails] == [
            f"Sent; counted when batch {batch.pk} ends",
            f"in batch {batch.pk}, in hand now",
            f"in batch {batch.pk}, 2nd in line",
            f"in batch {batch.pk}, 3rd in line",
        ]
        assert "250 2.0.0 OK 17" in admin_client.get(url(campaign)).content.decode()
        beat(age=timedelta(minutes=5))
        assert why(admin_client, mails[1]) == f"in batch {batch.pk}, but sending is not running"
        Batch.objects.filter(pk=batch.pk).update(lease=timezone.now() + timedelta(seconds=1))
        assert why(admin_client, mails[1]).startswith(
            f"in batch {batch.pk}, whose worker is silent; if it died, settled "
        )

    def test_an_uncertain_mail_tells_who_decides(self, admin_client, campaign: Campaign) -> None:
        mail = make_queue(campaign, "uncertain", 1, make_account())[0]
        Batch.objects.update(finished=timezone.now(), started=timezone.now(), token="0" * 32)
        assert why(admin_client, mail).startswith("A person decides")

    @pytest.mark.parametrize("status", ["sent", "failed", "cancelled", "suppressed"])
    def test_one_that_is_through_waits_for_nothing(self, admin_client, campaign, status: str) -> None:
        assert why(admin_client, make_queue(campaign, status, 1, make_account())[0]) == ""


class TestRecipients:
    def test_a_row_tells_account_time_attempts_and_the_exact_reply(self, admin_client, campaign) -> None:
        account = make_account("Gmail 1")
        mail = make_queue(campaign, "failed", 1, account, attempts=4, last_reply="550 5.1.1 <No> such user")[
            0
        ]
        row = log(mail, "failed", account, code=550, enhanced_code="5.1.1", text="<No> such user")
        page = admin_client.get(url(campaign)).content.decode()
        assert "550 5.1.1 &lt;No&gt; such user" in page
        assert f"{timezone.localtime(row.at):%H:%M:%S}" in page
        assert "Gmail 1" in page
        assert reverse("admin:sending_queuedemail_change", args=[mail.pk]) in page

    def test_the_state_filters(self, admin_client, campaign: Campaign) -> None:
        make_queue(campaign, "pending", 2)
        failed = make_queue(campaign, "failed", 1)
        make_queue(queued("Other"), "failed", 1)
        assert list(shown(admin_client, campaign, state="failed")) == [failed[0].email]
        assert len(shown(admin_client, campaign, state="nonsense")) == 3

    def test_the_last_reply_filters(self, admin_client, campaign: Campaign) -> None:
        account = make_account()
        gone, busy, spam = (make_queue(campaign, s, 1, account)[0] for s in ("failed", "retry", "failed"))
        log(gone, "retry", account)
        log(gone, "failed", account)
        log(busy, "retry", account)
        log(spam, "failed", account, "content")
        assert list(shown(admin_client, campaign, reply="recipient-failed")) == [gone.email]
        assert list(shown(admin_client, campaign, reply="recipient-retry")) == [busy.email]
        assert list(shown(admin_client, campaign, reply="content-failed", state="failed")) == [spam.email]
        assert shown(admin_client, campaign, reply="content-failed", state="retry") == {}

    def test_the_beginning_of_an_address_is_found_in_any_case(self, admin_client, campaign) -> None:
        mail = make_queue(campaign, "sent")[0]
        QueuedEmail.objects.filter(pk=mail.pk).update(email="Ann_Lee@Example.com")
        make_queue(campaign, "pending", 2)
        assert list(shown(admin_client, campaign, q="ANN_L")) == ["Ann_Lee@Example.com"]
        assert shown(admin_client, campaign, q="annxl") == {}
        assert "No recipient matches" in admin_client.get(url(campaign), {"q": "%"}).content.decode()

    @pytest.mark.parametrize("state", ["", "sent"])
    def test_pages_lead_on_and_back_through_every_row_once(self, admin_client, campaign, state: str) -> None:
        rows = make_queue(campaign, "sent", 2 * PAGE + 7)
        seen, address = [], url(campaign) + (f"?state={state}" if state else "")
        pages = []
        while address:
            pages.append(address)
            context = admin_client.get(address).context
            seen.append([row["told"].mail.email for row in context["rows"]])
            address = context["next_url"]
        assert [len(page) for page in seen] == [PAGE, PAGE, 7]
        assert sorted(address for page in seen for address in page) == sorted(row.email for row in rows)
        back = admin_client.get(admin_client.get(pages[-1]).context["previous_url"]).context
        assert [row["told"].mail.email for row in back["rows"]] == seen[1]
        first = admin_client.get(back["previous_url"]).context
        assert [row["told"].mail.email for row in first["rows"]] == seen[0]
        assert first["previous_url"] == ""

    @pytest.mark.parametrize(
        "query", [{"after": "x"}, {"before": "x"}, {"before": "\x00"}, {"after": "9" * 30}]
    )
    def test_a_place_that_is_none_shows_the_first_page(self, admin_client, campaign, query) -> None:
        make_queue(campaign, "sent", 1)
        assert admin_client.get(url(campaign), {"state": "sent", **query}).status_code == 200


class TestButtons:
    def act(self, client: Client, campaign: Campaign, act: str, **more: str) -> list[str]:
        response = client.post(url(campaign, "act"), {"act": act, **more}, follow=True)
        campaign.refresh_from_db()
        return [str(message) for message in response.context["messages"]]

    def test_pause_resume_retry_and_cancel_act_at_once(self, admin_client, campaign: Campaign) -> None:
        make_queue(campaign, "pending", 2)
        make_queue(campaign, "failed", 1)
        assert self.act(admin_client, campaign, "pause") == ["Paused “News”"]
        assert (campaign.status, campaign.pause_reason) == ("paused", "Paused by admin")
        assert self.act(admin_client, campaign, "resume") == ["Resumed “News”"]
        assert self.act(admin_client, campaign, "retry") == ["1 failed email of “News” goes out again"]
        assert self.act(admin_client, campaign, "cancel") == ["Cancelled “News”: 3 emails will not be sent"]
        assert campaign.status == "cancelled"

    def test_the_filter_stays_as_it_was(self, admin_client, campaign: Campaign) -> None:
        make_queue(campaign)
        posted = {"act": "pause", "query": "state=pending&next=https://evil.example&q=a%26b"}
        response = admin_client.post(url(campaign, "act"), posted)
        assert response["Location"] == url(campaign) + "?state=pending&q=a%26b"

    def test_the_order_of_sending_changes(self, admin_client, campaign: Campaign) -> None:
        other = queued("Other")
        for one in (campaign, other):
            make_queue(one)
        assert self.act(admin_client, other, "first") == ["“Other” goes before all others now"]
        assert self.act(admin_client, other, "last") == ["“Other” goes after all others now"]
        told = self.act(admin_client, other, "before", other=str(campaign.pk))
        assert told == ["“Other” goes before “News” now"]
        assert self.act(admin_client, other, "before", other="") == [
            "Choose the campaign that it shall go before."
        ]

    def test_nothing_happens_on_get_nor_by_an_unknown_name(self, admin_client, campaign: Campaign) -> None:
        assert admin_client.get(url(campaign, "act"), {"act": "cancel"}).status_code == 405
        assert admin_client.post(url(campaign, "act"), {"act": "delete_selected"}).status_code == 404


class TestPermissions:
    def test_a_viewer_looks_and_does_nothing(self, client: Client, campaign: Campaign) -> None:
        make_queue(campaign)
        client.force_login(make_user("Viewer"))
        page = client.get(url(campaign))
        assert page.status_code == 200
        assert 'value="pause"' not in page.content.decode()
        assert client.post(url(campaign, "act"), {"act": "pause"}).status_code == 403

    def test_a_sender_acts_and_history_tells(self, client: Client, campaign: Campaign) -> None:
        make_queue(campaign)
        client.force_login(make_user("Sender"))
        assert client.post(url(campaign, "act"), {"act": "pause"}).status_code == 302
        campaign.refresh_from_db()
        assert campaign.status == "paused"
        history = client.get(reverse("admin:campaigns_campaign_history", args=[campaign.pk]))
        assert "Paused “News”" in history.content.decode()

    def test_staff_without_a_role_and_strangers_see_nothing(self, client: Client, campaign) -> None:
        assert client.get(url(campaign)).status_code == 302
        client.force_login(make_user())
        assert client.get(url(campaign)).status_code == 403
        assert client.get(url(campaign, "export")).status_code == 403


class TestList:
    @pytest.fixture
    def three(self) -> dict[str, Campaign]:
        found = {name: queued(name) for name in ("over", "going", "held")}
        make_sent(found["over"], make_account(), 2)
        make_queue(found["going"], "pending", 2)
        make_queue(found["held"], "pending", 1)
        actions.pause_campaign(found["held"])
        return found

    @pytest.mark.parametrize(
        ("state", "names"), [("finished", {"over"}), ("sending", {"going"}), ("paused", {"held"})]
    )
    def test_the_list_filters_by_the_true_state(self, admin_client, three, state: str, names) -> None:
        page = admin_client.get(reverse("admin:campaigns_campaign_changelist"), {"state": state})
        assert {campaign.name for campaign in page.context["cl"].result_list} == names

    def test_the_list_shows_the_true_state_and_leads_to_the_page(self, admin_client, three) -> None:
        page = admin_client.get(reverse("admin:campaigns_campaign_changelist")).content.decode()
        assert page.count(">finished<") == 1
        assert f'href="{url(three["over"])}"' in page
        assert "100% of 2" in page

    def test_several_that_are_moved_keep_their_order(self, admin_client, three) -> None:
        chosen = [three["going"].pk, three["held"].pk]
        for action in ("first", "last"):
            admin_client.post(
                reverse("admin:campaigns_campaign_changelist"), {"action": action, "_selected_action": chosen}
            )
            going, held, over = (Campaign.objects.get(pk=three[n].pk) for n in ("going", "held", "over"))
            places = [(one.place_at or one.queued_at) for one in (going, held, over)]
            if action == "first":
                assert places[0] < places[1] < places[2]
            else:
                assert places[2] < places[0] < places[1]

    def test_the_campaign_itself_leads_to_its_page(self, admin_client, three) -> None:
        change = reverse("admin:campaigns_campaign_change", args=[three["over"].pk])
        assert url(three["over"]) in admin_client.get(change).content.decode()


def test_who_joined_its_lists_later_is_a_click_away_for_who_may_send(client, campaign):
    review = reverse("admin:campaigns_campaign_review", args=[campaign.pk])
    for role, may_send in (("Sender", True), ("Viewer", False)):
        client.force_login(make_user(role, name=role))
        assert (review in client.get(url(campaign)).content.decode()) == may_send
    actions.pause_campaign(campaign)
    client.force_login(make_user("Sender", name="another"))
    assert review not in client.get(url(campaign)).content.decode()
