from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from sending.actions import set_pacing
from sending.models import Pacing


class Command(BaseCommand):
    help = "Changes the pacing; without options, shows it. Holds from the next batch on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch-size", type=int, metavar="N", help="most mails in a batch")
        parser.add_argument("--batch-interval", type=float, metavar="S", help="seconds from batch to batch")
        parser.add_argument("--delay", type=float, metavar="S", help="seconds between two mails")
        parser.add_argument("--jitter", type=float, metavar="S", help="up to so many seconds more")
        parser.add_argument("--retry-interval", type=float, metavar="S", help="seconds until a retry")
        parser.add_argument("--max-retries", type=int, metavar="N", help="retries after the first attempt")
        parser.add_argument(
            "--scope", choices=Pacing.Scope.values, help="the batch size holds for all accounts or for each"
        )

    def handle(self, *args: Any, **options: Any) -> str:
        knobs = (
            "batch_size", "batch_interval", "delay", "jitter", "retry_interval", "max_retries", "scope",
        )  # fmt: skip
        try:
            pacing = set_pacing(**{knob: options[knob] for knob in knobs})
        except ValidationError as error:
            raise CommandError("; ".join(_problems(error))) from error
        return (
            f"At most {pacing.batch_size} mails a batch ({pacing.get_scope_display().lower()}), "
            f"a batch every {pacing.batch_interval:g} s, {pacing.delay:g} s between mails "
            f"(and up to {pacing.jitter:g} s more), retries every {pacing.retry_interval:g} s, "
            f"at most {pacing.max_retries}"
        )


def _problems(error: ValidationError) -> list[str]:
    return [f"--{knob.replace('_', '-')}: {' '.join(texts)}" for knob, texts in error.message_dict.items()]
