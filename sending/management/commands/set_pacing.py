from argparse import ArgumentParser, ArgumentTypeError
from datetime import time
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from sending.actions import set_pacing
from sending.models import Pacing
from sending.window import MIDNIGHT


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

        parser.add_argument("--window-days", choices=Pacing.Days.values, help="on which days mail goes out")
        parser.add_argument("--window-opens", type=_time, metavar="HH:MM", help="no mail before this time")
        parser.add_argument(
            "--window-closes",
            type=_closing,
            metavar="HH:MM",
            help="no batch begins after it; 00:00: midnight",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        knobs = (
            "batch_size", "batch_interval", "delay", "jitter", "retry_interval", "max_retries", "scope",
            "window_days", "window_opens", "window_closes",
        )  # fmt: skip
        try:
            pacing = set_pacing(**{knob: options[knob] for knob in knobs})
        except ValidationError as error:
            raise CommandError("; ".join(_problems(error))) from error
        return (
            f"At most {pacing.batch_size} mails a batch ({pacing.get_scope_display().lower()}), "
            f"a batch every {pacing.batch_interval:g} s, {pacing.delay:g} s between mails "
            f"(and up to {pacing.jitter:g} s more), retries every {pacing.retry_interval:g} s, "
            f"at most {pacing.max_retries}{_window(pacing)}"
        )


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is no time: write it as 08:00; 00:00 closes at midnight") from None


def _closing(text: str) -> time:
    return MIDNIGHT if text == "24:00" else _time(text)


def _window(pacing: Pacing) -> str:
    if pacing.window.is_always_open:
        return ""
    closes = "24:00" if pacing.window_closes == MIDNIGHT else f"{pacing.window_closes:%H:%M}"
    return f"; sending window: {pacing.get_window_days_display()}, {pacing.window_opens:%H:%M} to {closes}"


def _problems(error: ValidationError) -> list[str]:
    return [f"--{knob.replace('_', '-')}: {' '.join(texts)}" for knob, texts in error.message_dict.items()]
