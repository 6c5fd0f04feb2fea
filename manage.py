#!/usr/bin/env python
"""Runs Django's commands and Batchwise's own: `manage.py help` lists them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config.environment import told_in_one_line

    with told_in_one_line():
        from django.conf import settings
        from django.core.management import execute_from_command_line

        settings.SECRET_KEY  # noqa: B018 - reads the settings, whatever the command
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
