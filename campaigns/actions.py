"""What a person can do with a campaign. Each action checks, acts, and says how many mails it moved."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import SmtpAccount
from accounts.words import number
from campaigns import files, queueing
from campaigns.models import Attachment, Campaign, ContactList
from campaigns.queueing import locked as _locked
from campaigns.recipients import count_recipients
from sending import actions as sending_actions
from sending import schedules
from sending.models import QueuedEmail

logger = logging.getLogger(__name__)
Status = Campaign.Status


class Refused(Exception):
    """The action can't be done; the text says why and what to do."""


def send_campaign(campaign: Campaign, user: Any = None) -> str:
    """What “Send campaign” does: queues it at once, or above QUEUE_AT_ONCE recipients has a worker do it.

    Returns what is told. Raises Refused as queue_campaign does.
    """
    count = count_recipients(campaign.pk).new
    if count <= settings.QUEUE_AT_ONCE:
        return queueing.told_queued(queue_campaign(campaign, user))
    with transaction.atomic():
        current = _locked(campaign)
        _check_queueable(current)
        queueing.begin(current, count, user)
        _follow(campaign, f"campaign {campaign.pk} waits for a worker, who queues {count:,}")
    return _("Queueing %(count)s emails: see the campaign’s page") % {"count": number(count)}


@transaction.atomic
def queue_campaign(campaign: Campaign, user: Any = None) -> int:
    """Queues the campaign for everybody on its lists who is not suppressed; returns how many.

    Doing it again queues only who joined the lists since. Raises Refused for a campaign that is being
    queued, paused, cancelled, empty, or has no recipients.
    """
    current = _locked(campaign)
    _check_queueable(current)
    queued = queueing.insert(current.pk)
    if queued == 0 and current.status == Status.DRAFT:
        raise Refused(
            _("“%(campaign)s” has no recipients: choose a list with contacts not suppressed.")
            % {"campaign": current}
        )
    queueing.mark_queued(current, user)
    _follow(campaign, f"campaign {campaign.pk}: {queued:,} queued")
    return queued


@transaction.atomic
def pause_campaign(campaign: Campaign, reason: str = "") -> None:
    """Stops the campaign until it is resumed; a batch that has begun stops before its next mail."""
    _move(campaign, expected=[Status.SENDING], status=Status.PAUSED, pause_reason=reason[:500])


@transaction.atomic
def resume_campaign(campaign: Campaign) -> None:
    """Lets a paused campaign go on where it stopped, in its old place of the order."""
    _move(campaign, expected=[Status.PAUSED], status=Status.SENDING, pause_reason="")
    schedules.wake_up()


@transaction.atomic
def cancel_campaign(campaign: Campaign) -> int:
    """Ends the campaign for good; returns how many mails were cancelled.

    What a worker was just queueing is not queued; a campaign that has no other mails is a draft again, or
    finished as before.
    """
    is_stopped = queueing.stop(_locked(campaign))
    campaign.refresh_from_db()
    has_open = sending_actions.is_open(campaign.pk)
    if is_stopped and not has_open:
        _follow(campaign, f"campaign {campaign.pk} is not queued any further")
        return 0
    if campaign.status in (Status.SENDING, Status.PAUSED) and not has_open:
        raise Refused(
            _("“%(campaign)s” is finished: there is nothing left to cancel.") % {"campaign": campaign}
        )
    _move(campaign, expected=[Status.SENDING, Status.PAUSED], status=Status.CANCELLED, pause_reason="")
    return sending_actions.cancel_waiting(campaign.pk)


@transaction.atomic
def stop_queueing(campaign: Campaign) -> None:
    """Takes the campaign out of the hand of the worker that queues it: what was queued before stays.

    Of what that worker had begun to queue nothing is queued. A campaign that was never sent is a draft
    again. Raises Refused where no worker is at it, as when it was quicker.
    """
    if not queueing.stop(_locked(campaign)):
        raise Refused(_("“%s” is not being queued: there is nothing to stop.") % campaign)
    _follow(campaign, f"campaign {campaign.pk} is not queued any further")


def told_stopped(campaign: Campaign) -> str:
    """What is told after stop_queueing."""
    if campaign.status == Status.DRAFT:
        return _("Stopped queueing “%s”: nobody was queued, and it is a draft again") % campaign
    return _("Stopped queueing “%s”: nobody more was queued") % campaign


def told_cancelled(campaign: Campaign, count: int) -> str:
    """What is told after cancel_campaign."""
    if campaign.status != Status.CANCELLED:
        return told_stopped(campaign)
    told = ngettext(
        "Cancelled “%(campaign)s”: %(count)s email will not be sent",
        "Cancelled “%(campaign)s”: %(count)s emails will not be sent",
        count,
    )
    told %= {"campaign": campaign, "count": number(count)}
    status, its = QueuedEmail.Status, QueuedEmail.objects.filter(campaign=campaign)
    if begun := its.filter(status=status.SENDING).count():
        told = f"{told}; {_told_begun(begun)}"
    if uncertain := its.filter(status=status.UNCERTAIN).count():
        more = ngettext(
            "%(count)s is uncertain, so a person decides (see Uncertain emails)",
            "%(count)s are uncertain, so a person decides (see Uncertain emails)",
            uncertain,
        )
        told = f"{told}; {more % {'count': number(uncertain)}}"
    return told


def _told_begun(count: int) -> str:
    more = ngettext(
        "%(count)s more is in a batch: if it is not out by then, it is cancelled when that goes on",
        "%(count)s more are in a batch: those not out by then are cancelled when that goes on",
        count,
    )
    return more % {"count": number(count)}


@transaction.atomic
def retry_failed(campaign: Campaign) -> int:
    """Sends the campaign's failed mails again, but for suppressed addresses; returns how many."""
    current = _locked(campaign)
    if current.status not in (Status.SENDING, Status.PAUSED):
        raise Refused(
            _("“%(campaign)s” is %(status)s: nothing to retry.")
            % {"campaign": current, "status": current.get_status_display().lower()}
        )
    count = sending_actions.retry_failed(campaign.pk)
    schedules.wake_up()
    _follow(campaign, f"campaign {campaign.pk}: {count:,} failed go out again")
    return count


def told_retried(campaign: Campaign, count: int) -> str:
    """What is told after retry_failed."""
    told = ngettext(
        "%(count)s failed email of “%(campaign)s” goes out again",
        "%(count)s failed emails of “%(campaign)s” go out again",
        count,
    )
    told %= {"campaign": campaign, "count": number(count)}
    kept = QueuedEmail.objects.filter(campaign=campaign, status=QueuedEmail.Status.FAILED).count()
    if not kept:
        return told
    rest = ngettext(
        "%(count)s stays failed, since its address is suppressed",
        "%(count)s stay failed, since their addresses are suppressed",
        kept,
    )
    return f"{told}; {rest % {'count': number(kept)}}"


def _check_queueable(campaign: Campaign) -> None:
    """Raises Refused, with what to do instead."""
    if queueing.at_work(campaign):
        raise Refused(_("“%s” is being queued: see its page.") % campaign)
    if campaign.status == Status.PAUSED:
        raise Refused(_("“%(campaign)s” is paused: resume it instead.") % {"campaign": campaign})
    if campaign.status == Status.CANCELLED:
        raise Refused(_("“%(campaign)s” was cancelled: make a new campaign.") % {"campaign": campaign})
    if not (campaign.html.strip() or campaign.text.strip()):
        raise Refused(
            _("“%(campaign)s” says nothing: write its HTML or its text first.") % {"campaign": campaign}
        )


def _move(campaign: Campaign, *, expected: list[Campaign.Status], **changes: Any) -> None:
    """Moves a campaign out of an expected status, or raises Refused."""
    if not Campaign.objects.filter(pk=campaign.pk, status__in=expected).update(**changes):
        told = {
            "campaign": campaign,
            "status": Campaign.objects.get(pk=campaign.pk).get_status_display().lower(),
        }
        wanted = [status.label.lower() for status in expected]
        if len(wanted) == 1:
            text = _("“%(campaign)s” is %(status)s; this needs one that is %(wanted)s.")
            raise Refused(text % {**told, "wanted": wanted[0]})
        text = _("“%(campaign)s” is %(status)s; this needs one that is %(one)s or %(other)s.")
        raise Refused(text % {**told, "one": wanted[0], "other": wanted[1]})
    _follow(campaign, f"campaign {campaign.pk} is {changes['status']}")


def _follow(campaign: Campaign, what: str) -> None:
    campaign.refresh_from_db()
    logger.info(what[0].upper() + what[1:])


@transaction.atomic
def create_campaign(
    *,
    name: str,
    subject: str,
    html: str,
    text: str = "",
    lists: Sequence[str],
    accounts: Sequence[str] = (),
    attachments: Sequence[tuple[str, bytes]] = (),
    scheduled_at: datetime | None = None,
) -> Campaign:
    """Makes a draft to the lists of these names, over the accounts of these addresses (none: all).

    attachments are names and contents of files. Raises Refused, with line and reason for a template;
    nothing is made then.
    """
    if Campaign.objects.filter(name=name).exists():
        raise Refused(_("There is a campaign “%s” already: choose another name.") % name)
    chosen_lists, chosen_accounts = _lists_named(lists), _accounts_at(accounts)
    _check_files(attachments)
    campaign = Campaign(name=name, subject=subject, html=html, text=text, scheduled_at=scheduled_at)
    try:
        campaign.full_clean()
    except ValidationError as error:
        raise Refused(_told(error)) from None
    campaign.save()
    campaign.lists.set(chosen_lists)
    campaign.accounts.set(chosen_accounts)
    for filename, content in attachments:
        files.put_into(Attachment(campaign=campaign), filename, content).save()
    _follow(campaign, f"campaign {campaign.pk} made")
    return campaign


def _lists_named(names: Sequence[str]) -> QuerySet[ContactList]:
    found = ContactList.objects.filter(name__in=names)
    if unknown := set(names) - set(found.values_list("name", flat=True)):
        named = ", ".join(f"“{one}”" for one in sorted(unknown))
        raise Refused(_("There is no list %s: import_contacts FILE --list NAME makes one.") % named)
    return found


def _accounts_at(addresses: Sequence[str]) -> list[SmtpAccount]:
    known = {account.email.lower(): account for account in SmtpAccount.objects.all()} if addresses else {}
    if unknown := [address for address in addresses if address.lower() not in known]:
        raise Refused(_("There is no account %s: queue_status lists them all.") % ", ".join(sorted(unknown)))
    return [known[address.lower()] for address in addresses]


def _check_files(attachments: Sequence[tuple[str, bytes]]) -> None:
    problems = [files.problem(name, len(content)) for name, content in attachments]
    problems.append(files.problem_together(sum(len(content) for _name, content in attachments)))
    if told := " ".join(filter(None, problems)):
        raise Refused(told)


def _told(error: ValidationError) -> str:
    """One line of a form's errors: "HTML: Line 2: ..."."""
    labels = {field.name: field.verbose_name for field in Campaign._meta.fields}
    return " ".join(
        f"{capfirst(labels.get(part, part))}: {' '.join(messages)}"
        for part, messages in error.message_dict.items()
    )
