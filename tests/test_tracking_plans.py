"""Indexes serve the tracking page: no page of recipients reads the queue from end to end."""

import pytest
from django.db import connection

from campaigns.models import Campaign
from sending import status
from sending.selection import PAGE, Selection
from tests.queue_rows import queued

pytestmark = pytest.mark.django_db
FILL = """
INSERT INTO sending_queuedemail (campaign_id, email, status, attempts, message_id, last_reply, queued_at,
                                 finished_at, next_attempt_at)
SELECT %s, 'p' || n || '@example.com', state, 1, '', '', now(),
       CASE WHEN state NOT IN ('pending', 'retry') THEN now() END,
       CASE WHEN state = 'retry' THEN now() END
FROM (SELECT n, CASE WHEN n %% 10 = 0 THEN 'retry' WHEN n %% 50 = 1 THEN 'failed'
                     WHEN n %% 50 = 2 THEN 'cancelled'
                     WHEN n %% 50 = 3 THEN 'suppressed' WHEN n %% 50 = 4 THEN 'pending'
                     ELSE 'sent' END AS state
      FROM generate_series(1, 2000) n) row
"""


@pytest.fixture
def one_of_twenty() -> Campaign:
    campaigns = [queued(f"Campaign {number}") for number in range(20)]
    with connection.cursor() as cursor:
        for campaign in campaigns:
            cursor.execute(FILL, [campaign.pk])
        cursor.execute("ANALYZE sending_queuedemail")
    return campaigns[6]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "sending_queuedemail_once_a_campaign"),
        ({"address": "p19"}, "sending_queuedemail_once_a_campaign"),
        ({"status": "sent"}, "sending_q_campaign"),
        ({"status": "cancelled"}, "sending_q_campaign"),
        ({"status": "suppressed"}, "sending_q_campaign"),
        ({"status": "retry"}, "sending_q_campaign"),
        ({"status": "pending"}, "sending_q_pending"),
        ({"status": "failed"}, "sending_q_failed"),
    ],
)
def test_a_page_comes_from_an_index(one_of_twenty: Campaign, query: dict[str, str], index: str) -> None:
    # So few rows are as cheap to sort: asked is whether the index has them in order, as it counts with many.
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
    selection = Selection(one_of_twenty.pk, **query)
    key = "p1500@example.com" if selection.is_by_address else "1"
    for rows in (selection.mails(), selection.mails().filter(selection.behind(key))):
        plan = rows[:PAGE].explain()
        assert index in plan, plan
        assert "Sort" not in plan, plan


def test_mails_by_their_reply_are_looked_for_among_the_refused_only(one_of_twenty: Campaign) -> None:
    plan = Selection(one_of_twenty.pk, reply="recipient-failed").mails()[:PAGE].explain()
    assert "sending_q_failed" in plan, plan
    assert "Seq Scan on sending_queuedemail" not in plan, plan


def test_the_next_retry_of_a_campaign_is_found_without_reading_all_of_them(one_of_twenty: Campaign) -> None:
    told = {one["name"]: one["waiting"] for one in status.queue_status()["campaigns"]}
    assert "200 wait for a retry that is due" in told["Campaign 6"]
