"""Uncertain mail, reconciled: looked for in the Sent folder, then settled by what the looks say.

Looks are rows, and what follows is derived from them; so whoever dies half-way is carried on by the
next. Two at once look twice and settle once: each settling names the state and the batch it expects.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.imap import MailboxFailure
from accounts.models import SmtpAccount
from accounts.phases import Phase
from accounts.sent_folder import Found, look_for
from accounts.words import number
from sending import actions, drain, uncertain
from sending.composer import where
from sending.models import SendLog, SentFolderLook
from sending.uncertain import Next, Plan

logger = logging.getLogger(__name__)
TURN = 25.0  # seconds for all accounts of one run; the next one comes after 30
ENOUGH = 20.0  # seconds: a look that had as long was not cut short by the turn
MOST_OF_AN_ACCOUNT = 100  # mails that are looked for over one connection
# Whether the folder has copies at all is seen by so many mails of so long, the newest: all have to be there.
MOST_COMPARED, LATELY = 3, timedelta(days=2)


@dataclass
class Reconciled:
    """What became of uncertain mails, in numbers. unread: looks that could not be done, with problems by
    account; unasked: mails whose account has no Sent folder to look into."""

    found: int = 0
    resent: int = 0
    not_there: int = 0
    unread: int = 0
    unasked: int = 0
    problems: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = _(
            "%(found)s found in the Sent folder, %(not_there)s not there, %(unread)s could not be looked "
            "for, "
            "%(resent)s sent again"
        )
        names = ("found", "not_there", "unread", "resent")
        return text % {name: number(getattr(self, name)) for name in names}


def reconcile() -> Reconciled:
    """Does what is due: looks, counts what was found as sent, sends again where the account says so."""
    done = Reconciled()
    _look([plan for plan in uncertain.due() if plan.next == Next.LOOK], done)
    follow = uncertain.due()
    done.found = actions.resolve_as_found(_by_mail(follow, Next.FOUND))
    done.resent = actions.resend_unproven(_by_mail(follow, Next.RESEND))
    return done


def look_now(mails: Iterable[int]) -> Reconciled:
    """Looks for these uncertain mails (ids) at once; what is found counts as sent. Nothing is sent again."""
    done = Reconciled()
    mails = list(mails)
    plans = list(uncertain.plans(mails).values())
    _look(plans, done)
    done.unasked = sum(plan.account not in {account.pk for account in _accounts(plans)} for plan in plans)
    done.found = actions.resolve_as_found(_by_mail(uncertain.plans(mails).values(), Next.FOUND))
    return done


def _by_mail(plans: Iterable[Plan], what: Next) -> dict[int, int]:
    return {plan.mail: plan.batch for plan in plans if plan.next == what}


def _look(plans: list[Plan], done: Reconciled) -> None:
    """An account after the other, in one connection each. No transaction is open meanwhile."""
    ends = time.monotonic() + TURN
    for account in _accounts(plans):
        its = [plan for plan in plans if plan.account == account.pk][:MOST_OF_AN_ACCOUNT]
        left = ends - time.monotonic()
        if left <= 0 or drain.stopping.is_set():
            return
        looks = _look_in(account, its, min(left, settings.SMTP_TIMEOUT))
        # What our own end cuts off, or that of the turn, says nothing about the mailbox; it is due as before.
        is_cut_short = drain.over.is_set() or left < min(settings.SMTP_TIMEOUT, ENOUGH)
        SentFolderLook.objects.bulk_create(
            look for look in looks if not (is_cut_short and look.found is None)
        )
        done.not_there += sum(look.found is False for look in looks)
        done.unread += sum(look.found is None for look in looks)
        done.problems |= {str(account): look.problem for look in looks if look.found is None}


def _accounts(plans: list[Plan]) -> list[SmtpAccount]:
    accounts = SmtpAccount.objects.exclude(imap_host="").in_bulk({plan.account for plan in plans})
    return [accounts[pk] for pk in dict.fromkeys(plan.account for plan in plans) if pk in accounts]


def _look_in(account: SmtpAccount, plans: list[Plan], deadline: float) -> list[SentFolderLook]:
    found: dict[str, Found] = {}
    problem = ""
    wanted, accepted = [plan.message_id for plan in plans], _lately_accepted(account)
    try:
        with drain.cut_when_over():
            for message_id, is_there in look_for(account, wanted, deadline, accepted):
                found[message_id] = is_there
    except (MailboxFailure, drain.Cut) as failure:
        problem = str(failure)
        logger.warning("The Sent folder of account %s can't be read", account.pk)  # the problem may quote
    except Exception as error:  # not foreseen, and still this account's trouble alone
        problem = _("The Sent folder can't be read (%(kind)s).") % {"kind": type(error).__name__}
        logger.error("The Sent folder of account %s can't be read: %s", account.pk, where(error))
    said: dict[Found | None, dict[str, Any]] = {
        Found.THERE: {"found": True},
        Found.MISSING: {"found": False},
        Found.UNPROVEN: {"found": False, "problem": _why_unproven(accepted)},
        None: {"problem": problem[:500]},
    }
    return [
        SentFolderLook(queued_email_id=plan.mail, batch_id=plan.batch, **said[found.get(plan.message_id)])
        for plan in plans
    ]


def _lately_accepted(account: SmtpAccount) -> list[str]:
    """The Message-IDs of some mails that its server surely accepted, long enough ago to be filed."""
    filed = Now() - timedelta(seconds=settings.SENT_FOLDER_LOOKS[0])
    accepted = SendLog.objects.filter(account=account, outcome=SendLog.Outcome.SENT, phase=Phase.DOT)
    lately = accepted.filter(at__lt=filed, at__gt=Now() - LATELY).order_by("-at")[:MOST_COMPARED]
    return list(lately.values_list("queued_email__message_id", flat=True))


def _why_unproven(accepted: list[str]) -> str:
    if accepted:
        return _(
            "Not there; but nor are all emails that were surely accepted last. So copies are not kept in "
            "this folder, or under another Message-ID, and nothing is proven."
        )
    return _("Not there; but no email was surely accepted lately whose copy would show that copies are kept.")
