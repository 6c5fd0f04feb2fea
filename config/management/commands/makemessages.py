"""Django's makemessages, which also knows `_lazy`, and leaves out what is not ours."""

from typing import Any

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_lazy"]

    def handle(self, *args: Any, **options: Any) -> None:
        options["ignore_patterns"] += ["tests/*", "var/*", "config/demo/*", "config/chaos/*", "*/vendor/*"]
        super().handle(*args, **options)
