"""What ties an account to its mailbox. The rooms above are asked by signals, as in accounts.removal.

Its provider counts by mailbox, our ledger by account: while mails of the last days count, the two must not
part. Nor while uncertain mail is looked for: in another mailbox it is missing, which proves nothing.
"""

from typing import Any

from django.db import connection
from django.dispatch import Signal

LOCK = 0x6D626F78  # "mbox": Postgres' advisory lock of those who give an account a mailbox

# Sent with account; a receiver answers whether any mail of it may still count in a window of its limits.
sent_lately = Signal()
# The same, whether uncertain mail of it may be looked for.
looked_into = Signal()


def has_sent_lately(account: Any) -> bool:
    """Whether mail of the account may still count in one of its windows."""
    return any(answer for _receiver, answer in sent_lately.send(sender=type(account), account=account))


def is_looked_into(account: Any) -> bool:
    """Whether uncertain mail of the account may be looked for in its Sent folder."""
    return any(answer for _receiver, answer in looked_into.send(sender=type(account), account=account))


def one_mailbox_at_a_time() -> None:
    """Lets no two people at once give an account a mailbox: they would not see each other's.

    To be called before such an account is validated, and before any lock of its row; holds until the
    transaction's end.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
