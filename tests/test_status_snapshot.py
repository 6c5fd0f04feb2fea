"""A status is of one moment, whatever is claimed, sent or changed while it is read."""

import psycopg
import pytest
from django.db import connection

from campaigns import actions
from sending import status
from tests.factories import make_account, make_campaign, make_list

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_committed_while_it_is_read_is_not_in_it(monkeypatch):
    make_account("before")
    actions.queue_campaign(make_campaign(make_list(2)))
    parameters = connection.get_connection_params() | {"cursor_factory": None}
    tell_accounts = status._accounts

    def meanwhile(*args):
        with psycopg.connect(**parameters) as other:
            other.execute("UPDATE accounts_smtpaccount SET name = 'after'")
        return tell_accounts(*args)

    monkeypatch.setattr(status, "_accounts", meanwhile)
    told = status.queue_status()
    assert [account["name"] for account in told["accounts"]] == ["before"]
    monkeypatch.undo()
    assert [account["name"] for account in status.queue_status()["accounts"]] == ["after"]
