import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import ngettext

from accounts.words import number
from sending import actions, uncertain
from sending.campaign import campaign_model
from sending.models import QueuedEmail

HOW = {
    "sent": (actions.resolve_as_sent, actions.told_left),
    "resend": (actions.resolve_by_resending, actions.told_left),
    "cancel": (actions.resolve_as_cancelled, actions.told_not_cancelled),
}
LINES = "{email}  {campaign}  {account}  {message_id}\n    {phase}: {why}\n    {looked} {next}"

HOW_ON = "To end some: --sent, --resend or --cancel, with addresses, --campaign NAME or --all (see --help)."


class Command(BaseCommand):
    help = (
        "Lists the mails of which nobody knows whether they were accepted, or resolves them: --sent "
        "where you know that they arrived, --resend to send them again (they may then arrive twice), "
        "--cancel where you know that they did not arrive and their campaign is cancelled (nothing is sent)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--sent", action="store_true", help="they arrived")
        how.add_argument("--resend", action="store_true", help="send them again")
        how.add_argument(
            "--cancel", action="store_true", help="they did not arrive, their campaign is cancelled"
        )
        parser.add_argument("--campaign", metavar="NAME", help="only those of this campaign")
        parser.add_argument("--all", action="store_true", help="all of them")
        parser.add_argument("--json", action="store_true", help="list as JSON")
        parser.add_argument("addresses", nargs="*", metavar="ADDRESS", help="only those to these addresses")

    def handle(self, *args: Any, **options: Any) -> str:
        mails = self._chosen(options)
        how = next((one for one in HOW if options[one]), None)
        if how is None:
            return self._list(mails, options["json"])
        if not (options["campaign"] or options["addresses"] or options["all"]):
            raise CommandError("Say which: name addresses, --campaign NAME, or --all.")
        resolve, told_left = HOW[how]
        chosen = [mail.pk for mail in mails]
        count = resolve(chosen)
        said = actions.told_resent(chosen, count) if how == "resend" else _told(count, how)
        if left := len(mails) - count:
            said += f"; {told_left(left)}"
        if mails and not count:
            raise CommandError(said)
        return said

    def _chosen(self, options: dict[str, Any]) -> list[QueuedEmail]:
        mails = QueuedEmail.objects.filter(status=QueuedEmail.Status.UNCERTAIN).order_by("id")
        if options["campaign"]:
            if not campaign_model().objects.filter(name=options["campaign"]).exists():
                raise CommandError(f"There is no campaign “{options['campaign']}”.")
            mails = mails.filter(campaign__name=options["campaign"])
        chosen = list(mails.select_related("campaign", "account"))
        if options["addresses"]:
            wanted = {address.lower() for address in options["addresses"]}
            chosen = [mail for mail in chosen if mail.email.lower() in wanted]
            if missing := wanted - {mail.email.lower() for mail in chosen}:
                raise CommandError(f"No uncertain mail goes to {', '.join(sorted(missing))}.")
        return chosen

    def _list(self, mails: list[QueuedEmail], as_json: bool) -> str:
        told = uncertain.tell(mails)
        rows = [_row(mail, told[mail.pk]) for mail in mails]
        if as_json:
            return json.dumps(rows, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
        blocks = [LINES.format(**row) for row in rows]
        count = ngettext("%(count)s uncertain email", "%(count)s uncertain emails", len(rows))
        lines = [*blocks, count % {"count": number(len(rows))}]
        return "\n".join([*lines, HOW_ON] if rows else lines)


def _row(mail: QueuedEmail, told: uncertain.Told) -> dict[str, Any]:
    return {
        "email": mail.email,
        "campaign": str(mail.campaign),
        "account": str(mail.account),
        "message_id": mail.message_id,
        "why": mail.last_reply,
        "since": told.since,
        "phase": told.phase,
        "looked": told.looked,
        "next": told.what_next,
    }


def _told(count: int, how: str) -> str:
    if how == "sent":
        told = ngettext("%(count)s email counts as sent", "%(count)s emails count as sent", count)
    else:
        told = ngettext("%(count)s email is cancelled", "%(count)s emails are cancelled", count)
    return told % {"count": number(count)}
