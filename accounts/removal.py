"""May an account go? Asked before every deletion: in the admin, from the shell and by a queryset.

Rows that point to an account with PROTECT keep it. The rooms above may have more reasons; they are
asked by a signal, since this room knows none of them.
"""

from typing import Any

from django.db.models import PROTECT, ProtectedError
from django.dispatch import Signal
from django.utils.translation import gettext as _

from accounts.models import SmtpAccount

# Sent with account; a receiver answers why it has to stay and what to do, in a sentence, or nothing.
asked = Signal()


def reasons_against(account: SmtpAccount) -> list[str]:
    """Why it has to stay, each in a sentence that says what to do; none where it may go."""
    return [*_protected(account), *_reasons_above(account)]


def guard(instance: SmtpAccount, **_kwargs: Any) -> None:
    """A receiver of pre_delete: raises ProtectedError, so that no deletion gets past a reason.

    The account's row is locked first. Whoever makes a reason meanwhile, by a row that points to the
    account, is seen here, or finds it gone at its commit (the foreign key's check waits for the lock).
    """
    SmtpAccount.objects.select_for_update().get(pk=instance.pk)
    if reasons := _reasons_above(instance):
        raise ProtectedError(" ".join(reasons), {instance})


def _protected(account: SmtpAccount) -> list[str]:
    """Asks whether there are such rows and reads none of them: there may be millions."""
    kept = [
        str(relation.related_model._meta.verbose_name_plural)
        for relation in SmtpAccount._meta.related_objects
        if relation.on_delete is PROTECT
        and relation.related_model._base_manager.filter(**{relation.field.name: account}).exists()
    ]
    told = {"rows": ", ".join(kept)}
    return [_("What it did is kept (%(rows)s): disable it instead.") % told] if kept else []


def _reasons_above(account: SmtpAccount) -> list[str]:
    answers = asked.send(sender=SmtpAccount, account=account)
    return [reason for _receiver, reason in answers if reason]
