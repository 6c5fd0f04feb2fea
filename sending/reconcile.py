"""Uncertain mail, reconciled: looked for in the Sent folder, then settled by what the looks say.

Looks are rows, and what follows is derived from them; so whoever dies half-way is carried on by the
next. Two at once look twice and settle once: each settling names the state and the batch it expects.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.imap import MailboxFailure
from accounts.models import SmtpAccount
from accounts.sent_folder import look_for
from accounts.words import number
from sending import actions, drain, uncertain
from sending.composer import where
from sending.models import SentFolderLook
from sending.uncertain import Next, Plan

logger = logging.getLogger(__name__)
TURN = 25.0  # seconds for all accounts of one run; the next one comes after 30
MOST_OF_AN_ACCOUNT = 100  # mails that are looked for over one connection


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
        if drain.over.is_set():  # cut off by our own end, which says nothing about the mailbox
            looks = [look for look in looks if look.found is not None]
        SentFolderLook.objects.bulk_create(looks)
        done.not_there += sum(look.found is False for look in looks)
        done.unread += sum(look.found is None for look in looks)
        done.problems |= {str(account): look.problem for look in looks if look.problem}


def _accounts(plans: list[Plan]) -> list[SmtpAccount]:
    accounts = SmtpAccount.objects.exclude(imap_host="").in_bulk({plan.account for plan in plans})
    return [accounts[pk] for pk in dict.fromkeys(plan.account for plan in plans) if pk in accounts]


def _look_in(account: SmtpAccount, plans: list[Plan], deadline: float) -> list[SentFolderLook]:
    found: dict[str, bool] = {}
    problem = ""
    try:
        with drain.cut_when_over():
            for message_id, is_there in look_for(account, [plan.message_id for plan in plans], deadline):
                found[message_id] = is_there
    except (MailboxFailure, drain.Cut) as failure:
        problem = str(failure)
        logger.warning("The Sent folder of account %s can't be read", account.pk)  # the problem may quote
    except Exception as error:  # not foreseen, and still this account's trouble alone
        problem = _("The Sent folder can't be read (%(kind)s).") % {"kind": type(error).__name__}
        logger.error("The Sent folder of account %s can't be read: %s", account.pk, where(error))
    return [
        SentFolderLook(queued_email_id=plan.mail, batch_id=plan.batch, found=found[plan.message_id])
        if plan.message_id in found
        else SentFolderLook(queued_email_id=plan.mail, batch_id=plan.batch, problem=problem[:500])
        for plan in plans
    ]
